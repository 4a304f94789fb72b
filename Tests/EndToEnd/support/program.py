"""Runs the program as a user would: from outside, with arguments, an environment and nothing else."""

import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# Longer than any single command here takes on a slow machine.
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    arguments: list[str]
    status: int
    output_bytes: bytes
    errors: str

    @property
    def output(self) -> str:
        return self.output_bytes.decode()

    @property
    def text(self) -> str:
        return self.output + self.errors

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output, one a line."""
        return [json.loads(line) for line in self.output.splitlines()]

    def of_type(self, name: str) -> list[dict[str, Any]]:
        return [value for value in self.objects if value["type"] == name]

    def require(self, status: int) -> "Outcome":
        assert self.status == status, f"{self.arguments} ended with {self.status} instead of {status}:\n{self.text[-4000:]}"
        return self


@dataclass(frozen=True)
class Program:
    binary: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    # What the program is started by: strace, setpriv.
    prefix: tuple[str, ...] = ()

    def under(self, *prefix: str) -> "Program":
        return replace(self, prefix=prefix)

    def with_variables(self, **variables: str) -> "Program":
        return replace(self, variables={**self.variables, **variables})

    def at_home(self, home: Path) -> "Program":
        """The same on another machine, which knows of no repository."""
        return replace(self, home=home)

    def at_binary(self, binary: Path) -> "Program":
        return replace(self, binary=binary)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH")}
        return {
            **inherited, "LC_ALL": "C.UTF-8", "HOME": str(self.home), "HOLDFAST_CACHE_DIR": str(self.home / "cache"),
            "HOLDFAST_STATE_DIR": str(self.home / "state"), **self.variables,
        }

    def command(self, *arguments: object) -> list[str]:
        return [*self.prefix, str(self.binary), *map(str, arguments)]

    def run(self, *arguments: object, standard_input: bytes = b"", folder: Path | None = None) -> Outcome:
        command = self.command(*arguments)
        done = subprocess.run(
            command, input=standard_input, capture_output=True, env=self.environment, cwd=folder, timeout=TIMEOUT_SECONDS)
        return Outcome(command, done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Starts the program in a session of its own, and leaves it running."""
        return subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment,
            start_new_session=True)


def finish(process: subprocess.Popen[bytes]) -> Outcome:
    """Waits for a started program."""
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    arguments = process.args if isinstance(process.args, list) else [str(process.args)]
    return Outcome([str(argument) for argument in arguments], process.returncode, output, errors.decode(errors="replace"))
