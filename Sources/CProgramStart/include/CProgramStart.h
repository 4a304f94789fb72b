// Nothing to call: what it does is done before the program begins, or in the place of the C library.
#pragma once
