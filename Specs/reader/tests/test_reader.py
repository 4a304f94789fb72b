"""Reads repositories of the small writer, whole and damaged."""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from mnemonic import Mnemonic

from holdfast_reader import members, packs
from holdfast_reader.cli import main
from holdfast_reader.errors import FormatError, UsageError
from holdfast_reader.keys import Credential
from writer import BAND, KEY_SECRET, Writer, key_line

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(key_line())
    (tmp_path / "backup").write_text(key_line(bytes(32)))
    return tmp_path


def run(work: Path, *arguments: str, key: str = "key") -> int:
    return main(["--repository", str(work / "r"), "--key-file", str(work / key), *arguments])


def fill(writer: Writer, **changes: Any) -> tuple[bytes, bytes]:
    """A snapshot of two bands below a node; gives its id and the content of the image."""
    random.seed(7)
    chunks = [random.randbytes(size) for size in (1, 100_000, 70_000, 4000)]
    writer.pack(1, [chunks[:2], [chunks[2]]])
    writer.pack(1, [[chunks[3]]], zstd=False)
    zeros = BAND - 1 - 100_000 - 2000
    first = writer.band_map([(1, 1, chunks[0], 0), (2, zeros, b"", 0), (1, 100_000, chunks[1], 0),
                             (1, 2000, chunks[3], 1500)])
    second = writer.band_map([(1, 70_000, chunks[2], 0), (5, 30, b"", 0)])
    node = writer.node(1, [(6, first), (6, second)])
    writer.pack(2, [[first, second, node]])
    writer.write_index()
    content = chunks[0] + bytes(zeros) + chunks[1] + chunks[3][1500:3500] + chunks[2] + bytes(30)
    root = {"kind": "node", "id": writer.chunk_id(2, node).hex()}
    return writer.snapshot(len(content), root, **changes), content


def objects(writer: Writer) -> list[Path]:
    return sorted(path for path in writer.path.rglob("*") if path.is_file())


def test_list_restore_and_check(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    snapshot_id, content = fill(writer)
    assert run(work, "list") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["snapshot_id"] == snapshot_id.hex()
    assert row["images"] == [{"name": "disk", "byte_count": len(content)}]
    for wanted in ("latest", snapshot_id.hex()[:6]):
        assert run(work, "restore", wanted, "--image", "disk", str(work / wanted)) == 0
        assert (work / wanted).read_bytes() == content
        assert (work / wanted).stat().st_blocks * 512 < len(content) // 10
    assert "30 bytes" in capsys.readouterr().err
    assert run(work, "check", "--jobs", "1") == 0
    assert json.loads(capsys.readouterr().out) == {
        "keyrings": 1, "key slots": 2, "index objects": 1, "packs": 3, "segments": 4, "chunks": 7, "fingerprints": 4,
        "snapshots": 1, "errors": 0}
    assert run(work, "check", "--jobs", "2") == 0


def test_password(work: Path, capsys: Capture) -> None:
    fill(Writer(work / "r", password=b"open sesame"))
    (work / "password").write_bytes(b"open sesame\n")
    assert main(["--repository", str(work / "r"), "--password-file", str(work / "password"), "list"]) == 0
    (work / "password").write_bytes(b"wrong")
    assert main(["--repository", str(work / "r"), "--password-file", str(work / "password"), "list"]) == 2
    assert "opens no slot" in capsys.readouterr().err


def test_words(work: Path) -> None:
    words = Mnemonic("english").to_mnemonic(KEY_SECRET)
    for text in (words, words.upper().replace(" ", "\n  ")):
        assert Credential.from_key_file(text.encode()).secret == KEY_SECRET
    assert Credential.from_key_file(f" {key_line().lower()} ".encode()).secret == KEY_SECRET
    with pytest.raises(UsageError):
        Credential.from_key_file((words.rsplit(" ", 1)[0] + " abandon").encode())
    with pytest.raises(UsageError):
        Credential.from_key_file(key_line().replace("0102", "0103").encode())


def test_backup_role_sees_maps_but_no_data(work: Path, capsys: Capture) -> None:
    fill(Writer(work / "r"))
    assert run(work, "list", key="backup") == 0
    assert run(work, "check", "--jobs", "1", key="backup") == 0
    assert run(work, "restore", "latest", str(work / "out"), key="backup") == 2
    assert "role full" in capsys.readouterr().err
    assert not list(work.glob("out*"))


def test_each_object_is_guarded(work: Path, capsys: Capture) -> None:
    """A flipped bit in any object is found, whatever the place, and the message names the object."""
    writer = Writer(work / "r")
    snapshot_id, _ = fill(writer)
    writer.mark(snapshot_id, 0, "protect")
    name = "sessions/" + snapshot_id.hex()
    writer.put(name, writer.document(9, name, {"kind": "backup", "host": "h", "machine_id": "m", "process_space": "s", "process_id": 1, "tool": "t",
                                               "start_time": "2026-03-01T12:00:00Z"}))
    name = "condemned/" + snapshot_id.hex()
    writer.put(name, writer.document(10, name, {"kind": "prune", "packs": ["00" * 32], "maps": []}))
    assert run(work, "check", "--jobs", "1", "--fast") == 0
    for path in objects(writer):
        original = path.read_bytes()
        for place in (0, 9, 11, 15, 40, len(original) // 2, len(original) - 1):
            damaged = bytearray(original)
            damaged[place] ^= 4
            path.write_bytes(damaged)
            capsys.readouterr()
            assert run(work, "check", "--jobs", "1", "--fast") == 1, (path, place)
            assert path.name in capsys.readouterr().err or path.name == "0"
        path.write_bytes(original[:-1])
        assert run(work, "check", "--jobs", "1", "--fast") == 1, path
        path.write_bytes(original)
    assert run(work, "check", "--jobs", "1", "--fast") == 0


def test_missing_objects(work: Path) -> None:
    writer = Writer(work / "r")
    snapshot_id, _ = fill(writer)
    writer.write_keyring()
    needed = [path for path in objects(writer) if "snapshots" not in path.parts and path.name != "1"]
    assert run(work, "check", "--jobs", "1", "--fast") == 0
    for path in needed:
        data = path.read_bytes()
        path.unlink()
        assert run(work, "check", "--jobs", "1", "--fast") == 1, path
        path.write_bytes(data)


def test_version_is_named(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    data = bytearray(writer.read("config"))
    data[9] = 2
    writer.put("config", bytes(data))
    assert run(work, "list") == 1
    assert "config: has format version 2" in capsys.readouterr().err


def test_a_damaged_place_is_made_up_for_by_another(work: Path) -> None:
    writer = Writer(work / "r")
    _, content = fill(writer)
    pack_id = bytes.fromhex(next(path.name for path in objects(writer) if path.parent.parent.name == "packs"))
    fill(writer)
    name = f"packs/{pack_id.hex()[:2]}/{pack_id.hex()}"
    data = bytearray(writer.read(name))
    data[200] ^= 1
    writer.put(name, bytes(data))
    assert run(work, "restore", "latest", str(work / "out")) == 0
    assert (work / "out").read_bytes() == content
    assert run(work, "check", "--jobs", "1") == 1


def test_wrong_chunk_id_is_refused(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    chunk = b"chunk" * 99
    band = writer.band_map([(1, len(chunk), chunk, 0)])
    writer.pack(1, [[b"other" * 99]], ids=[writer.chunk_id(1, chunk)])
    writer.pack(2, [[band]])
    writer.write_index()
    writer.snapshot(len(chunk), {"kind": "map", "id": writer.chunk_id(2, band).hex()})
    assert run(work, "restore", "latest", str(work / "out")) == 1
    assert "has not the content of its id" in capsys.readouterr().err
    assert not list(work.glob("out*"))
    assert run(work, "check") == 1


def test_wrong_fingerprint_is_found_by_check_only(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    chunk = b"chunk" * 99
    band = bytearray(writer.band_map([(1, len(chunk), chunk, 0)]))
    band[-1] ^= 1
    writer.pack(1, [[chunk]])
    writer.pack(2, [[bytes(band)]])
    writer.write_index()
    writer.snapshot(len(chunk), {"kind": "map", "id": writer.chunk_id(2, bytes(band)).hex()})
    assert run(work, "restore", "latest", str(work / "out")) == 0
    assert run(work, "check", "--fast") == 0
    assert run(work, "check") == 1
    assert "fingerprint" in capsys.readouterr().err


def test_wrong_segment_digest_is_found_by_check_only(work: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(work / "r")
    monkeypatch.setattr(writer, "keyed_hash", lambda subkey, data: bytes(16))
    writer.pack(1, [[b"chunk"]])
    writer.write_index()
    assert run(work, "check", "--fast") == 0
    assert run(work, "check") == 1
    assert "segment 0: its digest" in capsys.readouterr().err


def test_deep_tree(work: Path) -> None:
    """257 bands need a root node of level 2."""
    writer = Writer(work / "r")
    chunk = os.urandom(500)
    last = writer.band_map([(1, 500, chunk, 0)])
    low = writer.node(1, [(6, last)])
    top = writer.node(2, [(3, b""), (7, low)])
    writer.pack(1, [[chunk]])
    writer.pack(2, [[last], [low, top]])
    writer.write_index()
    size = 256 * BAND + 500
    writer.snapshot(size, {"kind": "node", "id": writer.chunk_id(2, top).hex()})
    assert run(work, "restore", "latest", str(work / "out")) == 0
    with open(work / "out", "rb") as file:
        file.seek(256 * BAND)
        assert file.read() == chunk
    assert run(work, "check") == 0


def test_volume_in_two_places_and_empty_image(work: Path) -> None:
    writer = Writer(work / "r")
    chunk = os.urandom(1000)
    band = writer.band_map([(1, 1000, chunk, 0)])
    writer.pack(1, [[chunk]])
    writer.pack(2, [[band]])
    writer.write_index()
    image = writer.image("a", 1000, {"kind": "map", "id": writer.chunk_id(2, band).hex()})
    image["byte_count"] = 1500
    image["volumes"][0]["placements"] = [{"offset": 900, "byte_count": 600}, {"offset": 0, "byte_count": 400}]
    gap = writer.image("gap", 500, {"kind": "unused"})["volumes"][0]
    gap["placements"] = [{"offset": 400, "byte_count": 500}]
    image["volumes"].append(gap)
    writer.snapshot(0, {}, images=[image, writer.image("b", 0, {"kind": "zero"})])
    assert run(work, "restore", "latest", "--image", "a", str(work / "a")) == 0
    assert (work / "a").read_bytes() == chunk[600:] + bytes(500) + chunk[:600]
    assert run(work, "restore", "latest", "--image", "b", str(work / "b")) == 0
    assert (work / "b").read_bytes() == b""
    assert run(work, "restore", "latest", str(work / "c")) == 2


@pytest.mark.parametrize("changes", [
    {"format": 2}, {"required_features": {"read": ["new"], "write": [], "prune": []}}, {"snapshot_id": "00" * 16},
    {"ordinal": -1}, {"ordinal": 1.0}, {"keyring": 9}, {"start_time": "yesterday"},
    {"images": [Writer.image("a", 9, {"kind": "zero"})] * 2}, {"images": [Writer.image("a", 9, {"kind": "map"})]},
    {"images": [Writer.image("a", 1 << 57, {"kind": "zero"})]},
    {"images": [Writer.image("a", 9, {"kind": "node", "id": "00" * 32})]},
    {"images": [Writer.image("a", 0, {"kind": "unused"})]},
    {"images": [{**Writer.image("a", 9, {"kind": "zero"}), "byte_count": 8}]},
    {"images": [{**Writer.image("a", 9, {"kind": "zero"}), "byte_count": 10}]},
])
def test_wrong_manifests(work: Path, changes: dict[str, Any]) -> None:
    writer = Writer(work / "r")
    writer.snapshot(9, {"kind": "zero"}, **changes)
    assert run(work, "check", "--jobs", "1") == 1


def test_marks(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    snapshot_id = writer.snapshot(9, {"kind": "zero"}, slot=writer.backup)

    def listed() -> list[dict[str, Any]]:
        capsys.readouterr()
        assert run(work, "list") == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    writer.mark(snapshot_id, 0, "forget")
    writer.mark(snapshot_id, 1, "protect")
    assert [(row["forgotten"], row["protected"]) for row in listed()] == [(True, True)]
    assert run(work, "restore", "latest", str(work / "out")) == 2
    writer.mark(snapshot_id, 2, "undelete")
    assert [(row["forgotten"], row["protected"]) for row in listed()] == [(False, True)]
    writer.mark(snapshot_id, 3, "forget", writer.backup)
    assert [(row["forgotten"], row["protected"]) for row in listed()] == [(False, True)]
    assert run(work, "list") == 0
    assert f"{snapshot_id.hex()}.3" in capsys.readouterr().err
    writer.mark(snapshot_id, 4, "final")
    assert listed() == []
    writer.mark(snapshot_id, 5, "undelete")
    assert run(work, "list") == 1


def test_lost_marks(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    snapshot_id = writer.snapshot(9, {"kind": "zero"})
    writer.mark(snapshot_id, 0, "forget")
    name = f"marks/{snapshot_id.hex()}.0"
    for content in (b"damaged", None):
        if content is None:
            (work / "r" / name).unlink()
            writer.mark(snapshot_id, 1, "protect")
        else:
            (work / "r" / name).write_bytes(content)
        capsys.readouterr()
        assert run(work, "list") == (1 if content else 0)
        out, err = capsys.readouterr()
        assert not json.loads(out)["forgotten"] and name in err
        assert run(work, "check", "--jobs", "1") == (1 if content else 0)
    writer.mark(snapshot_id, 2, "final")
    assert run(work, "check", "--jobs", "1") == 0


def test_names_that_no_object_has_are_ignored(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    snapshot_id, _ = fill(writer)
    writer.mark(snapshot_id, 0, "protect")
    for name in ("keyring/007", "keyring/00", "keyring/" + 19 * "1", "keyring/x", f"marks/{snapshot_id.hex()}.00", f"marks/{snapshot_id.hex()}.01",
                 f"marks/{snapshot_id.hex()}..1", f"sessions/{snapshot_id.hex()}.00", "index/readme", "snapshots/readme"):
        writer.put(name, b"not an object")
    assert run(work, "check", "--jobs", "1") == 0
    capsys.readouterr()
    assert run(work, "list") == 0
    assert json.loads(capsys.readouterr().out)["protected"]


def test_own_snapshots_only(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    writer.backup.capabilities = ["write", "forget_own"]
    writer.write_keyring()
    own = writer.snapshot(9, {"kind": "zero"}, slot=writer.backup)
    writer.mark(own, 0, "forget", writer.backup)
    other = writer.snapshot(9, {"kind": "zero"})
    writer.mark(other, 0, "forget", writer.backup)
    assert run(work, "list") == 0
    out, err = capsys.readouterr()
    assert {row["snapshot_id"]: row["forgotten"] for row in map(json.loads, out.splitlines())} == {own.hex(): True, other.hex(): False}
    assert f"{other.hex()}.0" in err


def test_retired_slot(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    kept = writer.snapshot(9, {"kind": "zero"}, slot=writer.backup)
    gone = writer.snapshot(9, {"kind": "zero"}, slot=writer.backup)
    writer.retire(writer.backup, [kept])
    assert run(work, "list") == 0
    out, err = capsys.readouterr()
    assert kept.hex() in out and gone.hex() not in out and gone.hex() in err
    assert run(work, "list", key="backup") == 2


def test_abort_record(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    name = "snapshots/" + "ab" * 16
    body = {"session_id": "ab" * 16, "reason": "gone", "time": "2026-03-01T12:00:00Z"}
    writer.put(name, writer.document(14, name, body))
    assert run(work, "list") == 0
    assert capsys.readouterr().out == ""
    writer.put(name, writer.document(14, name, body, writer.backup))
    assert run(work, "list") == 0
    assert capsys.readouterr() == ("", "")
    session = {"kind": "backup", "host": "h", "machine_id": "m", "process_space": "s", "process_id": 1, "tool": "t", "start_time": "2026-03-01T12:00:00Z"}
    for slot, warns in ((writer.backup, False), (writer.full, True)):
        registered = "sessions/" + "ab" * 16
        writer.put(registered, writer.document(9, registered, session, slot))
        assert run(work, "list") == 0
        out, err = capsys.readouterr()
        assert out == "" and ("capability prune" in err) == warns


def test_capabilities_are_exact(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    writer.snapshot(9, {"kind": "zero"})
    writer.full.capabilities = ["prune"]
    writer.write_keyring()
    assert run(work, "list") == 0
    out, err = capsys.readouterr()
    assert out == "" and "capability write" in err


def test_heads(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    writer.snapshot(9, {"kind": "zero"}, heads=[{"snapshot_id": "ab" * 16, "digest": "00" * 32}])
    assert run(work, "check", "--jobs", "1") == 1
    assert "gone without a final mark" in capsys.readouterr().err
    writer.mark(bytes.fromhex("ab" * 16), 0, "final")
    assert run(work, "check", "--jobs", "1") == 0


def test_documents_are_bound_to_their_names(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    name = "snapshots/" + writer.snapshot(9, {"kind": "zero"}).hex()
    writer.put("snapshots/" + "cd" * 16, writer.read(name))
    assert run(work, "list") == 1
    assert "cdcd" in capsys.readouterr().err


def test_keyrings(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    writer.write_keyring(previous="00" * 32)
    assert run(work, "list") == 0
    assert run(work, "check") == 1
    writer.write_keyring(number=7)
    assert run(work, "list") == 1
    writer.write_keyring(required_features={"read": ["new"], "write": [], "prune": []})
    assert run(work, "list") == 1
    assert "keyring/3: needs features" in capsys.readouterr().err


def test_key_object_of_another_digest_does_not_open(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    digest = writer.full.key_digest
    writer.add_key(writer.full, 2, KEY_SECRET)
    writer.full.key_digest = digest
    assert run(work, "list") == 1
    assert "digest" in capsys.readouterr().err


def test_argon2_bounds_are_checked_first(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    name = f"keys/{writer.full.id.hex()}"
    data = bytearray(writer.read(name))
    data[48:64] = bytes([1, 0, 0, 0]) + (17).to_bytes(4, "little") + (1 << 40).to_bytes(8, "little")
    writer.put(name, bytes(data))
    writer.full.key_digest = hashlib.sha256(data).hexdigest()
    writer.write_keyring()
    assert run(work, "list") == 1
    assert "17 Argon2id operations" in capsys.readouterr().err


def test_object_over_its_limit(work: Path, capsys: Capture) -> None:
    writer = Writer(work / "r")
    with open(writer.path / "config", "ab") as file:
        file.truncate(65537)
    assert run(work, "list") == 1
    assert "limit of 65536" in capsys.readouterr().err


@pytest.mark.parametrize("text", [
    '{"a":1,"a":2}', "[" * 33, '{"a":' * 33 + "1" + "}" * 33, "[]", '{"a":NaN}', '{"a":1', "\xff",
])
def test_wrong_json(text: str) -> None:
    with pytest.raises(FormatError):
        members.parse("name", text.encode("latin-1"))


def test_json_depth() -> None:
    members.parse("name", b'{"a":' * 32 + b'"[[]]"' + b"}" * 32)


@pytest.mark.parametrize("offset, value", [
    (0, 3), (1, 1), (4, 0), (15, 1), (16, 1), (20, 0xFF), (24, 0), (24, 49), (25, 0xFF), (31, 0xFF), (39, 0xFF), (40, 2), (41, 0), (42, 1),
    (63, 9)])
def test_directories_of_nonsense(work: Path, offset: int, value: int) -> None:
    """A wrong field is refused before it leads anywhere."""
    writer = Writer(work / "r")
    writer.pack(2, [[b"abc"]])
    body = bytearray(writer.index_bodies[0][1])
    assert packs.parse_directory("name", bytes(body)).chunk_id(0) == writer.chunk_id(2, b"abc")
    body[offset] = value
    with pytest.raises(FormatError):
        packs.parse_directory("name", bytes(body))
