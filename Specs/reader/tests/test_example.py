"""The worked example of the format's pages: each vector computed anew, then the repository made from its parts and read."""

import hashlib
import re
from pathlib import Path

import nacl.pwhash.argon2id
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.public import PrivateKey, SealedBox

from holdfast_reader import header
from holdfast_reader.cli import main
from holdfast_reader.keys import Credential, EpochKeys, blake2b, one_time_key

PAGE = Path(__file__).resolve().parents[2] / "format" / "example.md"
BAND = 1 << 24


def blocks() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for kind, name, content in re.findall(r"^```(bytes|line) (.+)\n((?:.*\n)*?)```$", PAGE.read_text(), re.MULTILINE):
        assert name not in found
        if kind == "line":
            found[name] = content.removesuffix("\n").encode()
        else:
            found[name] = bytes.fromhex("".join(line.split("#")[0] for line in content.splitlines()))
    return found


@pytest.fixture(scope="module")
def page() -> dict[str, bytes]:
    return blocks()


def pieces(data: bytes, *sizes: int) -> list[bytes]:
    """Fields of these sizes; the rest is the last one."""
    result, offset = [], 0
    for size in sizes:
        result.append(data[offset:offset + size])
        offset += size
    return [*result, data[offset:]]


def member(page: dict[str, bytes]) -> EpochKeys:
    return EpochKeys(page["secrets"][:32])


def test_keys(page: dict[str, bytes]) -> None:
    secret, slot_seed, root_seed, data_secret, _, key_file, rest = pieces(page["secrets"], *[32] * 6)
    slot_key, root_key, data_key, recipient = pieces(page["public keys"], 32, 32, 32)
    assert rest == b""
    assert Ed25519PrivateKey.from_private_bytes(slot_seed).public_key().public_bytes_raw() == slot_key
    assert Ed25519PrivateKey.from_private_bytes(root_seed).public_key().public_bytes_raw() == root_key
    assert X25519PrivateKey.from_private_bytes(data_secret).public_key().public_bytes_raw() == data_key
    assert hashlib.blake2b(data_key, digest_size=32).digest()[:16] == recipient
    keys = EpochKeys(secret)
    assert page["subkeys"] == b"".join(keys._derive(number) for number in range(1, 11))
    assert page["fingerprint secret"] == keys._fingerprint_secret
    for name in ("key file", "words"):
        assert Credential.from_key_file(page[name]).secret == key_file
    assert nacl.pwhash.argon2id.kdf(32, b"correct horse", bytes(range(0xd0, 0xe0)), 3, 256 << 20) == page["password"]


@pytest.mark.parametrize("name, plain", [
    ("nothing", b""), ("abc", b"abc"), ("noise", bytes((7 * i + 3) % 256 for i in range(1000)))])
def test_digests(page: dict[str, bytes], name: str, plain: bytes) -> None:
    keys = member(page)
    assert page[f"digests of {name}"] == (keys.chunk_id(1, plain) + keys.chunk_id(2, plain) + keys.fingerprint(plain)
                                          + keys.segment_digest(plain))


def sealed_document(page: dict[str, bytes], name: str, kind: int, scope: int, sealed_name: str, body: bytes) -> tuple[bytes, bytes]:
    """The salt, and the sealed document; all that goes into it is compared with the page."""
    repository, keyspace, slot, _ = pieces(page["ids"], 16, 16, 16)
    place = repository if scope == header.REPOSITORY_SCOPE else keyspace
    parts = page[f"sealing of {name}"]
    message = header.signed_message(kind, place, sealed_name, b"")
    start, signature, salt, key, associated = pieces(parts, len(message), 64, 32, 32)
    assert start == message
    assert signature == Ed25519PrivateKey.from_private_bytes(page["secrets"][32:64]).sign(message + body)
    assert key == one_time_key(member(page).metadata_key, kind, salt)
    assert associated == header.associated_data(kind, scope, 1, keyspace, repository, sealed_name)
    return salt, AESGCM(key).encrypt(bytes(12), slot + signature + body, associated)


def made_header(kind: int, epoch: int, salt: bytes) -> bytes:
    return b"HOLDFAST" + bytes([kind, 1, 1, 0]) + epoch.to_bytes(4, "little") + salt


def made_pack(page: dict[str, bytes], name: str, kind: int, chunks: list[bytes]) -> tuple[bytes, bytes]:
    """The pack's id and bytes, put together from its parts."""
    keys = member(page)
    segment = page[f"segment of the {name} pack"]
    salt, key, associated, start, tag = pieces(segment, 32, 32, 42, 32)
    if kind == 1:
        sealed_key = page["directory of the data pack"][20 + 16 + 2 + 16:][:80]
        session = SealedBox(PrivateKey(page["secrets"][96:128])).decrypt(sealed_key)
        assert session == page["secrets"][128:160]
        assert key == blake2b(session, b"holdfast segment key" + b"\x20" + keys.segment_input_key + salt)
    else:
        assert key == one_time_key(keys.map_segment_key, 33, salt)
    plain = b"".join(chunks)
    stored = salt + AESGCM(key).encrypt(bytes(12), plain + bytes(-(len(plain) + 48) % 16384), associated)
    assert stored[32:64] == start and stored[-16:] == tag
    body = page[f"directory of the {name} pack"]
    assert keys.segment_digest(stored) in body
    for chunk in chunks:
        assert keys.chunk_id(kind, chunk) in body
    directory_salt, sealed = sealed_document(page, f"directory of the {name} pack", 33 + kind, header.KEYSPACE_SCOPE, "", body)
    total = int.from_bytes(body[8:16], "little")
    tail = sealed + len(sealed).to_bytes(4, "little") + b"HFPD"
    data = made_header(3 + kind, 1, directory_salt) + stored
    data += bytes(total - len(data) - len(tail)) + tail
    pack_id = hashlib.sha256(data).digest()
    assert page[f"{name} pack"] == data[:48] + tail + pack_id
    return pack_id, data


def test_repository(page: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "r"

    def put(name: str, data: bytes) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)

    for name, kind, chunks in (("data", 1, [page["chunk"]]), ("map", 2, [page["band map"], page["node"]])):
        pack_id, data = made_pack(page, name, kind, chunks)
        put(f"{'packs' if kind == 1 else 'maps'}/{pack_id.hex()[:2]}/{pack_id.hex()}", data)
    snapshot = page["ids"][48:].hex()
    objects = [name for name in page if re.match(r"(config|(keyring|keys|index|snapshots|marks)/.*)$", name)]
    assert len(objects) == 6
    for name in objects:
        put(name, page[name])
    for name, title, kind, sealed_name in (
            (next(name for name in objects if name.startswith("index/")), "index", 6, ""),
            (f"snapshots/{snapshot}", f"snapshots/{snapshot}", 7, f"snapshots/{snapshot}"),
            (f"marks/{snapshot}.0", f"marks/{snapshot}.0", 8, f"marks/{snapshot}.0")):
        salt, sealed = sealed_document(page, title, kind, header.REPOSITORY_SCOPE, sealed_name, page[f"body of {title}"])
        assert page[name] == made_header(kind, 1, salt) + sealed
    for name, kind in (("config", 1), ("keyring/0", 2)):
        assert page[name][48:-64] == page[f"body of {name}"] and page[name][:48] == made_header(kind, 0, bytes(32))

    (tmp_path / "key").write_bytes(page["key file"])
    (tmp_path / "words").write_bytes(page["words"])
    start = ["--repository", str(root), "--key-file"]
    assert main([*start, str(tmp_path / "key"), "check", "--jobs", "1"]) == 0
    assert '"errors": 0' in capsys.readouterr().out
    assert main([*start, str(tmp_path / "words"), "list"]) == 0
    assert '"protected": true' in capsys.readouterr().out
    assert main([*start, str(tmp_path / "key"), "restore", "latest", str(tmp_path / "image")]) == 0
    assert (tmp_path / "image").read_bytes() == bytes(BAND) + page["chunk"]
