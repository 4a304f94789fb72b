"""Lets `python3 -m holdfast_reader` run the command line."""

import sys

from .cli import main

sys.exit(main())
