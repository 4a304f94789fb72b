"""The command line. Exit status: 0 for success, 1 for a repository that breaks the format, 2 for a wrong request."""

import argparse
import json
import os
import sys
from pathlib import Path

from .check import Check
from .errors import FormatError, UsageError
from .keys import Credential
from .manifest import Manifest
from .records import State
from .repository import Repository, warn
from .restore import choose_image, restore_image


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="holdfast-reader", description="Reads Holdfast repositories.")
    parser.add_argument("--repository", required=True, metavar="DIR")
    credential = parser.add_mutually_exclusive_group(required=True)
    credential.add_argument("--password-file", metavar="F", help="the password; one line end at its end is left out")
    credential.add_argument("--key-file", metavar="F", help="a key line, or the 24 recovery words")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="one JSON object a line for each snapshot")
    restore = commands.add_parser("restore", help="write an image to a new, sparse file")
    restore.add_argument("snapshot", help="the beginning of a snapshot id, or: latest")
    restore.add_argument("--image", metavar="NAME", help="needed if the snapshot has several")
    restore.add_argument("target")
    check = commands.add_parser("check", help="verify everything")
    check.add_argument("--fast", action="store_true", help="leave out segment digests and fingerprints, the slowest part")
    check.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes that work at once")
    return parser.parse_args(argv)


def _credential(arguments: argparse.Namespace) -> Credential:
    if arguments.password_file:
        return Credential.from_password(Path(arguments.password_file).read_bytes())
    return Credential.from_key_file(Path(arguments.key_file).read_bytes())


def _describe(found: Manifest, state: State) -> str:
    return json.dumps({
        "snapshot_id": found.snapshot_id.hex(), "ordinal": found.ordinal, "host": found.host,
        "start_time": found.start_time, "end_time": found.end_time, "complete": found.complete,
        "slot": found.slot_label, "tags": found.tags, "description": found.description,
        "forgotten": state.forgotten, "protected": state.protected,
        "images": [{"name": image.name, "byte_count": image.byte_count} for image in found.images]})


def _list(repository: Repository) -> int:
    """Tells of what is in order even if some is not."""
    status = 0
    rows: list[tuple[int, str]] = []
    for name in repository.snapshot_names():
        try:
            snapshot = repository.snapshot(name)
        except FormatError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
            continue
        if snapshot:
            rows.append((snapshot[0].ordinal, _describe(*snapshot)))
    for text in repository.damaged_marks:
        print(f"error: {text}", file=sys.stderr)
        status = 1
    for _, row in sorted(rows):
        print(row)
    return status


def _check(repository: Repository, fast: bool, jobs: int) -> int:
    check = Check(repository, fast, jobs)
    check.run()
    for text in check.warnings:
        warn(text)
    for text in check.problems:
        print(f"error: {text}", file=sys.stderr)
    if not repository.authority.opened.reads_data:
        warn("this key slot opens no data: the content of data packs was not verified")
    print(json.dumps({**check.counts, "errors": len(check.problems)}))
    return 1 if check.problems else 0


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    try:
        repository = Repository(arguments.repository, _credential(arguments))
        if arguments.command == "list":
            return _list(repository)
        if arguments.command == "check":
            return _check(repository, arguments.fast, arguments.jobs)
        image = choose_image(repository.find(arguments.snapshot), arguments.image)
        repository.load_index()
        restore_image(repository, image, arguments.target)
        return 0
    except FormatError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (UsageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
