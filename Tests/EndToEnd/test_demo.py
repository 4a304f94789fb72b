"""The demonstration."""

from pathlib import Path

from support.program import Program


def test_the_demo_ends_well_and_cleans_up(holdfast: Program, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    outcome = holdfast.with_variables(TMPDIR=str(tmp_path / "scratch")).run("demo").require(0)
    assert "identical" in outcome.output and "removed" in outcome.output
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_demo_keeps_a_folder_that_it_was_given(holdfast: Program, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    outcome = holdfast.run("demo", "--folder", folder).require(0)
    assert "identical" in outcome.output and str(folder) in outcome.output
    assert any(path.name == "config" for path in folder.rglob("*"))


def test_the_demo_refuses_a_folder_that_holds_something(holdfast: Program, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    assert str(tmp_path) in holdfast.run("demo", "--folder", tmp_path).require(1).errors
    assert (tmp_path / "cat.jpg").read_bytes() == b"cat"
