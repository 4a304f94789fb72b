"""Completion scripts, the manual page and help."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.program import Program

COMMANDS = ["init", "backup", "snapshots", "show", "restore", "check", "stats", "diff", "key", "demo"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_every_command(holdfast: Program, tmp_path: Path, shell: str) -> None:
    script = holdfast.run("--generate-completion-script", shell).require(0).output
    assert all(command in script for command in COMMANDS)
    interpreter = shutil.which(shell)
    if interpreter is None:
        return
    file = tmp_path / f"completion.{shell}"
    file.write_text(script)
    done = subprocess.run([interpreter, "-n", str(file)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_the_manual_page_has_its_sections(holdfast: Program) -> None:
    page = holdfast.run("generate-manual").require(0).output
    lines = page.splitlines()
    assert any(line.startswith(".TH ") and "holdfast" in line.lower() for line in lines)
    sections = {line.removeprefix(".SH ").strip('"') for line in lines if line.startswith(".SH ")}
    assert {"NAME", "SYNOPSIS", "DESCRIPTION"} <= sections
    assert all(command in page for command in COMMANDS)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_page_renders_without_warnings(holdfast: Program) -> None:
    page = holdfast.run("generate-manual").require(0).output_bytes
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-K", "utf8"], input=page, capture_output=True)
    assert done.returncode == 0 and done.stderr == b""
    assert b"restore" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(holdfast: Program, command: str) -> None:
    said = holdfast.run(command, "--help").require(0).output
    assert said.startswith("OVERVIEW:") and f"USAGE: holdfast {command}" in said


def test_the_version_is_told(holdfast: Program) -> None:
    assert holdfast.run("--version").require(0).output.split()[-1][0].isdigit()
