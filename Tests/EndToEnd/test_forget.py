"""Forgetting snapshots by name and by policy, protecting them, and bringing them back."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from support.images import MIB, make_image
from support.repository import Repository

needs_faketime = pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")


def on(repository: Repository, day: str, hour: str = "12:00:00") -> Repository:
    return repository.using(repository.program.under("faketime", "-f", f"@{day} {hour}"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", MIB)


@pytest.fixture
def week(repository: Repository, image: Path) -> list[str]:
    """Of ten days, two snapshots on the last."""
    days = [f"2026-03-{day:02}" for day in range(1, 11)]
    ids = [on(repository, day).snapshot("--host", "tower", image) for day in days]
    return [*ids, on(repository, "2026-03-10", "18:00:00").snapshot("--host", "tower", image)]


def decisions(repository: Repository, *options: object) -> dict[str, list[str]]:
    """The reasons for each snapshot, by id; nothing is done."""
    outcome = repository.run("forget", "--json", "--dry-run", *options).require(0)
    assert all(value["kept"] == bool(value["reasons"]) for value in outcome.of_type("retention"))
    return {value["snapshot"]["id"]: value["reasons"] for value in outcome.of_type("retention")}


def forgotten_ids(repository: Repository) -> list[str]:
    return [value["snapshot"]["id"] for value in repository.run("snapshots", "--json", "--forgotten").require(0).of_type("snapshot")]


def test_a_forgotten_snapshot_is_hidden_and_comes_back(repository: Repository, image: Path, tmp_path: Path) -> None:
    first, second = repository.snapshot(image), repository.snapshot(image)
    summary: Any = repository.run("forget", "--json", first[:10]).require(0).of_type("summary")[0]
    assert summary["forgotten"] == [first]
    assert repository.snapshot_ids() == [second] and forgotten_ids(repository) == [first]
    assert "no snapshot" in repository.run("restore", first, tmp_path / "no.img").require(1).errors
    repository.require_clean()
    assert "back" in repository.run("undelete", first[:10]).require(0).output
    assert repository.snapshot_ids() == [first, second] and forgotten_ids(repository) == []
    assert "already" in repository.run("undelete", first).require(0).output
    repository.require_equal(first, image, tmp_path / "back.img")


def test_several_are_forgotten_at_once_or_none(repository: Repository, image: Path) -> None:
    ids = [repository.snapshot(image) for _ in range(3)]
    assert "no snapshot" in repository.run("forget", ids[0], "ffffffffffff").require(1).errors
    assert repository.snapshot_ids() == ids
    repository.run("forget", ids[0], ids[0][:8], ids[2]).require(0)
    assert repository.snapshot_ids() == [ids[1]]


@needs_faketime
def test_a_policy_says_why_it_keeps_what_it_keeps(repository: Repository, image: Path, week: list[str]) -> None:
    found = decisions(repository, "--keep-last", 1, "--keep-daily", 3, "--keep-weekly", 2)
    assert list(found) == week
    # 2026-03-09 is a Monday.
    expected = {week[10]: ["last", "daily", "weekly"], week[8]: ["daily"], week[7]: ["daily", "weekly"]}
    assert found == {id: expected.get(id, []) for id in week}
    assert repository.snapshot_ids() == week, "a dry run forgets nothing"
    outcome = repository.run("forget", "--keep-last", 1, "--keep-daily", 3, "--keep-weekly", 2).require(0)
    assert outcome.output.startswith(f"host tower, image {image}: 3 kept, 8 forgotten")
    assert "last, daily, weekly" in outcome.output
    assert repository.snapshot_ids() == [week[7], week[8], week[10]]
    assert forgotten_ids(repository) == [*week[:7], week[9]]
    # Again: nothing changes.
    assert "Nothing to forget" in repository.run("forget", "--keep-last", 1, "--keep-daily", 3, "--keep-weekly", 2).require(0).errors
    repository.require_clean()


@needs_faketime
def test_spans_count_from_the_newest(repository: Repository, week: list[str]) -> None:
    kept = [id for id, reasons in decisions(repository, "--keep-within", "3d").items() if reasons]
    assert kept == week[7:]
    kept = [id for id, reasons in decisions(repository, "--keep-within-daily", "3d6h").items() if reasons]
    assert kept == [week[7], week[8], week[10]]


@needs_faketime
def test_a_clock_that_was_wrong_loses_nobody_elses_day(repository: Repository, image: Path) -> None:
    first = on(repository, "2026-03-01").snapshot(image)
    wrong = on(repository, "1970-01-02").snapshot(image)
    last = on(repository, "2026-03-02").snapshot(image)
    found = decisions(repository, "--keep-daily", 2)
    assert found[last] == ["daily"] and bool(found[first]) != bool(found[wrong]), "the wrong one counts as of the day of the first"
    outcome = repository.run("forget", "--dry-run", "--keep-daily", 5).require(0)
    assert "its clock said 1970-01-02 12:00:0" in outcome.output


@needs_faketime
def test_a_machine_whose_clock_is_far_ahead_keeps_its_own_snapshots_and_nobody_else_s(repository: Repository, week: list[str], image: Path) -> None:
    ahead = repository.using(repository.program.under("faketime", "-f", "@2100-01-01 00:00:00")).snapshot("--host", "ahead", image)
    outcome = repository.run("forget", "--keep-last", 1).require(0)
    assert "from the future" in outcome.output
    assert set(repository.snapshot_ids()) == {week[-1], ahead}


@needs_faketime
def test_a_machine_whose_clock_is_behind_forgets_nothing(repository: Repository, week: list[str]) -> None:
    early = on(repository, "2001-01-01")
    assert "Set the clock" in early.run("forget", "--keep-daily", 3).require(1).errors
    assert repository.snapshot_ids() == week
    early.run("forget", week[0]).require(0)
    assert repository.snapshot_ids() == week[1:]


def test_each_host_and_image_keeps_for_itself(repository: Repository, image: Path, tmp_path: Path) -> None:
    other = make_image(tmp_path / "other.img", MIB, 7)
    tower = [repository.snapshot("--host", "tower", image) for _ in range(2)]
    attic = [repository.snapshot("--host", "attic", image) for _ in range(2)]
    data = [repository.snapshot("--host", "attic", other) for _ in range(2)]

    def kept(*options: object) -> set[str]:
        return {id for id, reasons in decisions(repository, "--keep-last", 1, *options).items() if reasons}

    assert kept() == {tower[1], attic[1], data[1]}
    assert kept("--group-by", "host") == {tower[1], data[1]}
    assert kept("--group-by", "none") == kept("--group-by", "key") == {data[1]}
    assert kept("--host", "tower") == {tower[1]}
    repository.run("forget", "--keep-last", 1, "--host", "tower").require(0)
    assert repository.snapshot_ids() == [tower[1], *attic, *data]


def test_what_is_protected_stays(repository: Repository, image: Path) -> None:
    ids = [repository.snapshot(image) for _ in range(3)]
    assert "protected" in repository.run("protect", ids[0]).require(0).output
    assert "already" in repository.run("protect", ids[0]).require(0).output
    assert "is protected" in repository.run("forget", ids[1], ids[0]).require(1).errors
    assert repository.snapshot_ids() == ids, "not even the other one is forgotten"
    assert decisions(repository, "--keep-last", 1) == {ids[0]: ["protected"], ids[1]: [], ids[2]: ["last"]}
    repository.run("forget", "--keep-last", 1).require(0)
    assert repository.snapshot_ids() == [ids[0], ids[2]]
    repository.run("unprotect", ids[0]).require(0)
    repository.run("forget", ids[0]).require(0)
    assert repository.snapshot_ids() == [ids[2]]


def test_tags_keep(repository: Repository, image: Path) -> None:
    kept = repository.snapshot("--tag", "release", image)
    others = [repository.snapshot(image) for _ in range(2)]
    assert decisions(repository, "--keep-tag", "release") == {kept: ["tag release"], others[0]: [], others[1]: []}
    outcome = repository.run("forget", "--keep-tag", "relaese").require(1)
    assert "no snapshot has the tag “relaese”" in outcome.errors
    assert repository.snapshot_ids() == [kept, *others]


@pytest.mark.parametrize("policy", [("--keep-last", 0), ("--keep-daily", 0, "--keep-yearly", 0), ("--keep-tag", "release")])
def test_a_policy_that_would_keep_nothing_of_a_group_is_refused(repository: Repository, image: Path, policy: tuple[object, ...]) -> None:
    tagged = repository.snapshot("--host", "tower", "--tag", "release", image)
    other = repository.snapshot("--host", "attic", image)
    assert f"host attic, image {image}: the policy does not keep the only snapshot" in repository.run("forget", *policy).require(1).errors
    assert repository.snapshot_ids() == [tagged, other]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--dry-run",), ("--keep-last", "-1"), ("--keep-last", "x"), ("--keep-within", "3"), ("--group-by", "size", "--keep-last", 1), ("latest", "--keep-last", 1)])
def test_wrong_usage(repository: Repository, image: Path, arguments: tuple[object, ...]) -> None:
    id = repository.snapshot(image)
    repository.run("forget", *arguments).require(64)
    assert repository.snapshot_ids() == [id]


def test_a_key_that_only_backs_up_forgets_nothing(repository: Repository, image: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "machine.key"
    repository.program.run(
        "key", "add", "-r", repository.folder, "--key-file", repository.key_file, "--new-key-file", key_file, "--role", "backup").require(0)
    machine = repository.opened_by(key_file)
    own = machine.snapshot(image)
    for command in (("forget", own), ("forget", "--keep-last", 1, "--group-by", "none"), ("protect", own)):
        if command[1] == "--keep-last":
            machine.snapshot(image)
        assert "role full" in machine.run(*command).require(1).errors
    assert not list((repository.folder / "marks").iterdir()), "no mark without effect was left"
    assert len(repository.snapshot_ids()) == 2


def test_two_at_once_leave_every_snapshot_in_one_state(repository: Repository, image: Path) -> None:
    ids = [repository.snapshot(image) for _ in range(6)]
    processes = [repository.program.start(*repository.arguments("forget", *order)) for order in (ids[:5], list(reversed(ids[:5])), ids[:3])]
    for process in processes:
        process.communicate(timeout=60)
        # Who meets a mark of another one stops and says so.
        assert process.returncode in (0, 1)
    left = repository.snapshot_ids()
    assert left[-1] == ids[5]
    if len(left) > 1:
        repository.run("forget", *left[:-1]).require(0)
    repository.require_clean()
    chains: dict[str, list[int]] = {}
    for file in (repository.folder / "marks").iterdir():
        id, number = file.name.split(".")
        chains.setdefault(id, []).append(int(number))
    assert all(sorted(chain) == list(range(len(chain))) for chain in chains.values())


def test_a_forget_that_is_killed_leaves_whole_marks(repository: Repository, image: Path) -> None:
    ids = [repository.snapshot(image) for _ in range(8)]
    for count in range(1, 9):
        process = repository.program.under(
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject=linkat:signal=SIGKILL:when={count}", "-e", "trace=linkat").start(
            *repository.arguments("forget", *ids))
        process.communicate(timeout=60)
        forgotten = forgotten_ids(repository)
        assert repository.snapshot_ids() + forgotten and sorted(repository.snapshot_ids() + forgotten) == sorted(ids)
        repository.require_clean()
        if forgotten:
            repository.run("undelete", *forgotten).require(0)
        assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def test_a_damaged_mark_keeps_its_snapshot_and_stops_nothing_else(repository: Repository, image: Path) -> None:
    ids = [repository.snapshot(image) for _ in range(3)]
    repository.run("forget", ids[0], ids[1]).require(0)
    mark = repository.folder / "marks" / f"{ids[0]}.0"
    data = mark.read_bytes()
    mark.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    outcome = repository.run("prune").require(1)
    assert mark.name in outcome.errors and f"holdfast forget {ids[0][:12]}" in outcome.errors
    listed = repository.run("snapshots", "--json").require(1).of_type("snapshot")
    assert [value["snapshot"]["id"] for value in listed] == [ids[0], ids[2]], "the other forgotten one is gone"
    repository.run("undelete", ids[0]).require(1)
    repository.run("forget", ids[0]).require(0)
    repository.run("prune").require(0)
    assert repository.snapshot_ids() == [ids[2]]
    repository.require_clean()
