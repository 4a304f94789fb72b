"""Single reads of a source that fail."""

from pathlib import Path

from support.images import MIB, make_image
from support.repository import Repository
from support.tracing import needs_strace, under_strace

pytestmark = needs_strace
READS = "preadv2,preadv,pread64,read"


def backup(repository: Repository, image: Path, status: int, error: str, when: str) -> list[dict[str, int]]:
    """Backs up while reads of the image fail, and returns the ranges that were lost."""
    traced = under_strace(repository.program, "-P", str(image), "-e", f"trace={READS}", "-e", f"inject={READS}:error={error}:when={when}")
    (summary,) = repository.using(traced).run("backup", "--json", image).require(status).of_type("summary")
    return list(summary["unreadable"])


def test_a_read_error_that_goes_away_costs_nothing(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 6 * MIB)
    assert backup(repository, image, 0, "EIO", "3") == []
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_an_interrupted_read_is_repeated(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 6 * MIB)
    assert backup(repository, image, 0, "EINTR", "1+2") == []
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_a_source_of_which_nothing_can_be_read_any_more_is_lost_from_there_on(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 3 * MIB)
    data = image.read_bytes()
    lost = backup(repository, image, 3, "EIO", "2+")
    assert lost and sum(each["byte_count"] for each in lost) >= MIB
    expected = bytearray(data)
    for each in lost:
        expected[each["offset"]:each["offset"] + each["byte_count"]] = bytes(each["byte_count"])
    assert repository.run("restore", "latest", "-").require(3).output_bytes == bytes(expected)
    repository.require_clean()
