"""A repository and the key file that opens it."""

import filecmp
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.program import Outcome, Program


@dataclass(frozen=True)
class Repository:
    program: Program
    folder: Path
    key_file: Path

    @classmethod
    def create(cls, program: Program, folder: Path, key_file: Path, *options: object) -> "Repository":
        recovery_file = key_file.with_suffix(".recovery")
        program.run(
            "init", "-r", folder, "--key-file", key_file, "--recovery-file", recovery_file, "--no-recovery-print", *options).require(0)
        return cls(program, folder, key_file)

    @property
    def recovery_file(self) -> Path:
        return self.key_file.with_suffix(".recovery")

    def using(self, program: Program) -> "Repository":
        return replace(self, program=program)

    def opened_by(self, key_file: Path) -> "Repository":
        return replace(self, key_file=key_file)

    def copy(self, folder: Path) -> "Repository":
        """A copy that lives at `folder`, and a machine that knows what this one knows."""
        shutil.copytree(self.folder, folder / "repository")
        if self.program.home.exists():
            shutil.copytree(self.program.home, folder / "home")
        return replace(self, folder=folder / "repository", program=self.program.at_home(folder / "home"))

    def arguments(self, *arguments: object) -> list[str]:
        """A command line: the command, what opens the repository, the rest."""
        return [str(arguments[0]), "-r", str(self.folder), "--key-file", str(self.key_file), *map(str, arguments[1:])]

    def run(self, *arguments: object, standard_input: bytes = b"") -> Outcome:
        return self.program.run(*self.arguments(*arguments), standard_input=standard_input)

    def backup(self, *arguments: object, status: int = 0) -> dict[str, Any]:
        """Makes a snapshot and returns the summary."""
        outcome = self.run("backup", "--json", *arguments).require(status)
        (summary,) = outcome.of_type("summary")
        return summary

    def snapshot(self, *arguments: object) -> str:
        """Makes a snapshot and returns its id."""
        return str(self.backup(*arguments)["snapshot"]["id"])

    def snapshot_ids(self) -> list[str]:
        return [value["snapshot"]["id"] for value in self.run("snapshots", "--json").require(0).of_type("snapshot")]

    def check(self, *arguments: object) -> Outcome:
        return self.run("check", "--json", *(arguments or ("--read-data",)))

    def require_clean(self) -> None:
        """Everything can be read, and nothing is wrong; what a crash may leave behind is no error."""
        outcome = self.check().require(0)
        assert outcome.of_type("summary")[0]["error_count"] == 0

    def require_equal(self, snapshot: str, image: Path, target: Path) -> None:
        """Restores to a new file at `target`, compares it with `image` and removes it."""
        self.run("restore", snapshot, target).require(0)
        assert filecmp.cmp(image, target, shallow=False), f"{snapshot} was restored with other bytes than {image} has"
        target.unlink()
