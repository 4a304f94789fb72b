"""A small writer of repositories, made from the format's pages, to have something to read.

It shares only XXH3 with the reader, which has test vectors of its own.
"""

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

import nacl.pwhash.argon2id
import nacl.utils
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.public import PrivateKey, SealedBox

from holdfast_reader.xxh3 import xxh3_128

BAND = 1 << 24
TIME = "2026-03-01T12:00:00Z"
COUNTERS = ("image_byte_count", "read_byte_count", "unreadable_byte_count", "taken_byte_count",
            "audited_byte_count", "chunk_count", "new_chunk_count",
            "new_byte_count", "stored_byte_count")
KEY_SECRET = bytes(range(32))


def le(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


def b2(key: bytes, message: bytes) -> bytes:
    return hashlib.blake2b(message, key=key, digest_size=32).digest()


def key_line(secret: bytes = KEY_SECRET) -> str:
    return f"HOLDFAST-KEY-1:{secret.hex().upper()}:{hashlib.sha256(secret).hexdigest()[:8].upper()}\n"


def named(name: str) -> bytes:
    return le(len(name), 2) + name.encode()


def padme(size: int) -> int:
    e = size.bit_length() - 1
    s = e.bit_length()
    step = 2 ** max(e - s, 0)
    while size % step:
        size += 1
    return size


class Slot:
    def __init__(self, role: str, capabilities: list[str]) -> None:
        self.id = os.urandom(16)
        self.role = role
        self.capabilities = capabilities
        self.signer = Ed25519PrivateKey.generate()
        self.key_digest = ""

    def json(self) -> dict[str, Any]:
        return {"id": self.id.hex(), "public_key": self.signer.public_key().public_bytes_raw().hex(), "role": self.role,
                "capabilities": self.capabilities, "key_digest": self.key_digest, "label": self.role, "created": TIME}


class Writer:
    """A repository with a slot of role full (key file) and one of role backup (another key file)."""

    def __init__(self, path: Path, password: bytes | None = None) -> None:
        self.path = path
        self.repository_id, self.keyspace_id = os.urandom(16), os.urandom(16)
        self.member_secret = os.urandom(32)
        self.root = Ed25519PrivateKey.generate()
        self.data_key = PrivateKey.generate()
        self.full = Slot("full", ["write", "forget_own", "forget_any", "prune", "restore", "keys"])
        self.backup = Slot("backup", ["write"])
        self.slots = [self.full, self.backup]
        self.retired: list[dict[str, Any]] = []
        self.keyring_number = -1
        self.keyring_digest: str | None = None
        self.index_bodies: list[tuple[bytes, bytes]] = []
        self.add_key(self.full, 1 if password else 2, password or KEY_SECRET)
        self.add_key(self.backup, 2, bytes(32))
        self.write_keyring()
        self.put("config", self.signed(1, "config", {
            "format": 1, "repository_id": self.repository_id.hex(), "keyspace_id": self.keyspace_id.hex(),
            "root_public_key": self.root_public().hex(), "chunker": {"average_byte_count": 32768}, "created": TIME}))

    # Bytes

    def root_public(self) -> bytes:
        return self.root.public_key().public_bytes_raw()

    def subkey(self, number: int) -> bytes:
        return hashlib.blake2b(digest_size=32, key=self.member_secret, salt=le(number, 8), person=b"hfmember").digest()

    def put(self, name: str, data: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def header(self, kind: int, epoch: int = 0, salt: bytes = bytes(32)) -> bytes:
        return b"HOLDFAST" + bytes([kind, 1, 1, 0]) + le(epoch, 4) + salt

    def signed(self, kind: int, name: str, value: dict[str, Any]) -> bytes:
        body = json.dumps(value).encode()
        message = b"holdfast signature v1" + bytes([kind, 1]) + self.repository_id + named(name) + body
        return self.header(kind) + body + self.root.sign(message)

    def associated(self, kind: int, scope: int, name: str) -> bytes:
        repository = self.repository_id if scope == 2 else bytes(16)
        return bytes([1, 1, kind, scope]) + le(1, 4) + self.keyspace_id + repository + named(name)

    def seal(self, kind: int, scope: int, name: str, salt: bytes, body: bytes, slot: Slot) -> bytes:
        place = self.repository_id if scope == 2 else self.keyspace_id
        signature = slot.signer.sign(b"holdfast signature v1" + bytes([kind, 1]) + place + named(name) + body)
        key = b2(self.subkey(6), b"holdfast one-time key" + bytes([kind]) + salt)
        return AESGCM(key).encrypt(bytes(12), slot.id + signature + body, self.associated(kind, scope, name))

    def document(self, kind: int, name: str, value: dict[str, Any] | bytes, slot: Slot | None = None,
                 sealed_name: str | None = None) -> bytes:
        salt = os.urandom(32)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        sealed_name = name if sealed_name is None else sealed_name
        return self.header(kind, 1, salt) + self.seal(kind, 2, sealed_name, salt, body, slot or self.full)

    # Keys

    def add_key(self, slot: Slot, derivation: int, secret: bytes) -> None:
        name = f"keys/{slot.id.hex()}"
        salt, salt2 = os.urandom(32), os.urandom(16)
        operations, memory = (3, 256 << 20) if derivation == 1 else (0, 0)
        if derivation == 1:
            secret = nacl.pwhash.argon2id.kdf(32, secret, salt2, operations, memory)
        k0 = b2(secret, b"holdfast slot key" + salt + salt2)
        start = (self.header(3, 0, salt) + bytes([derivation, 0, 0, 0]) + le(operations, 4) + le(memory, 8) + salt2
                 + b2(k0, b"holdfast slot commitment"))
        payload = (bytes([1, 2 if slot.role == "full" else 1]) + le(1, 2) + self.repository_id + self.keyspace_id + slot.id
                   + self.root_public() + bytes(self.data_key.public_key) + slot.signer.private_bytes_raw()
                   + le(1, 4) + self.member_secret)
        if slot.role == "full":
            payload += bytes(self.data_key) + self.root.private_bytes_raw()
        data = start + AESGCM(b2(k0, b"holdfast slot wrap")).encrypt(bytes(12), payload, start + named(name))
        slot.key_digest = hashlib.sha256(data).hexdigest()
        self.put(name, data)

    def write_keyring(self, **changes: Any) -> None:
        self.keyring_number += 1
        name = f"keyring/{self.keyring_number}"
        data = self.signed(2, name, {
            "number": self.keyring_number, "previous": self.keyring_digest, "repository_id": self.repository_id.hex(),
            "slots": [slot.json() for slot in self.slots], "retired": self.retired, "epochs": [1],
            "required_features": {"read": [], "write": [], "prune": []}, **changes})
        self.keyring_digest = hashlib.sha256(data).hexdigest()
        self.put(name, data)

    def retire(self, slot: Slot, manifests: list[bytes] | None = None) -> None:
        listed = [{"snapshot_id": i.hex(), "digest": hashlib.sha256(self.read(f"snapshots/{i.hex()}")).hexdigest()}
                  for i in manifests or []]
        self.slots.remove(slot)
        self.retired.append({"slot": slot.json(), "manifests": listed})
        self.write_keyring()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    # Packs

    def chunk_id(self, kind: int, plain: bytes) -> bytes:
        return hmac.new(self.subkey(kind), plain, "sha256").digest()

    def keyed_hash(self, subkey: int, data: bytes) -> bytes:
        low, high = xxh3_128(data, nacl.utils.randombytes_deterministic(192, self.subkey(5)))
        return hmac.new(self.subkey(subkey), le(low, 8) + le(high, 8) + le(len(data), 8), "sha256").digest()[:16]

    def pack(self, kind: int, segments: list[list[bytes]], zstd: bool = True, ids: list[bytes] | None = None) -> bytes:
        """Writes a pack and gives its id; `ids` puts wrong chunk ids into the directory."""
        salt = os.urandom(32)
        data = self.header(3 + kind, 1, salt)
        session_key = os.urandom(32)
        table = b""
        for chunks in segments:
            decoded = b"".join(chunks)
            compressor = zstandard.ZstdCompressor(write_content_size=True, write_checksum=False)
            encoded = compressor.compress(decoded) if zstd else decoded
            small = len(chunks) < 4 or len(decoded) < 256 << 10
            padding = bytes(-(len(encoded) + 48) % (16 << 10) if small else 0)
            segment_salt, segment_type = os.urandom(32), 31 + kind
            if kind == 1:
                key = b2(session_key, b"holdfast segment key" + bytes([segment_type]) + self.subkey(8) + segment_salt)
            else:
                key = b2(self.subkey(7), b"holdfast one-time key" + bytes([segment_type]) + segment_salt)
            stored = segment_salt + AESGCM(key).encrypt(bytes(12), encoded + padding, self.associated(segment_type, 1, ""))
            table += (le(len(data), 4) + le(len(stored), 4) + le(len(encoded), 4) + le(len(decoded), 4)
                      + bytes([int(zstd), 0 if kind == 1 else 255, 0, 0]) + self.keyed_hash(10, stored)
                      + le(len(chunks), 4))
            data += stored
        flat = [chunk for chunks in segments for chunk in chunks]
        keys = b""
        if kind == 1:
            recipient = hashlib.blake2b(bytes(self.data_key.public_key), digest_size=32).digest()[:16]
            keys = os.urandom(16) + le(1, 2) + recipient + SealedBox(self.data_key.public_key).encrypt(session_key)
        rest = (le(1 if keys else 0, 4) + keys + le(len(segments), 4) + table
                + b"".join(ids or [self.chunk_id(kind, chunk) for chunk in flat])
                + b"".join(le(len(chunk), 4) for chunk in flat))
        sealed_size = 16 + 64 + 16 + len(rest) + 16
        size = padme(len(data) + sealed_size + 8)
        body = bytes([kind, 0, 0, 0]) + le(1, 4) + le(size, 8) + rest
        sealed = self.seal(33 + kind, 1, "", salt, body, self.full)
        assert len(sealed) == sealed_size
        data += bytes(size - len(data) - sealed_size - 8) + sealed + le(sealed_size, 4) + b"HFPD"
        pack_id = hashlib.sha256(data).digest()
        self.put(f"{'packs' if kind == 1 else 'maps'}/{pack_id.hex()[:2]}/{pack_id.hex()}", data)
        self.index_bodies.append((pack_id, body))
        return pack_id

    def write_index(self) -> None:
        body = le(len(self.index_bodies), 4) + b"".join(i + le(len(b), 4) + b for i, b in self.index_bodies)
        data = self.document(6, "", body)
        self.put(f"index/{hashlib.sha256(data).hexdigest()}", data)
        self.index_bodies = []

    # Maps and manifests

    def band_map(self, entries: list[tuple[int, int, bytes, int]]) -> bytes:
        """Entries are (kind, byte count, chunk, offset in the chunk)."""
        data = [entry for entry in entries if entry[0] == 1]
        offsets = any(entry[3] for entry in data)
        return (bytes([1, 0, int(offsets), 0]) + le(len(entries), 4) + bytes(entry[0] for entry in entries)
                + b"".join(le(entry[1], 4) for entry in entries)
                + b"".join(self.chunk_id(1, entry[2]) for entry in data)
                + b"".join(self.keyed_hash(4, entry[2][entry[3]:entry[3] + entry[1]]) for entry in data)
                + (b"".join(le(entry[3], 4) for entry in data) if offsets else b""))

    def node(self, level: int, slots: list[tuple[int, bytes]]) -> bytes:
        """Slots are (kind, map chunk)."""
        return (bytes([2, level, 0, 0]) + le(len(slots), 4) + bytes(slot[0] for slot in slots)
                + b"".join(self.chunk_id(2, slot[1]) for slot in slots if slot[0] > 5))

    def snapshot(self, byte_count: int, root: dict[str, Any], slot: Slot | None = None, **changes: Any) -> bytes:
        snapshot_id = os.urandom(16)
        name = f"snapshots/{snapshot_id.hex()}"
        self.put(name, self.document(7, name, {
            "format": 1, "snapshot_id": snapshot_id.hex(), "parent": None, "host": "h", "machine_id": "m",
            "start_time": TIME, "end_time": TIME, "tool": "test", "tags": [], "description": "",
            "images": [self.image("disk", byte_count, root)], "attachments": [], "counters": dict.fromkeys(COUNTERS, 0), "complete": True,
            "ordinal": 1, "heads": [], "seen": {"count": 0, "digest": hashlib.sha256(b"").hexdigest()},
            "keyring": self.keyring_number, "required_features": {"read": [], "write": [], "prune": []}, **changes}, slot))
        return snapshot_id

    @staticmethod
    def image(name: str, byte_count: int, root: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "byte_count": byte_count, "label": None, "change_tracker": None,
                "logical_sector_byte_count": 512, "physical_sector_byte_count": 4096,
                "source": {"kind": "file", "path": "/disk", "serial_number": None, "world_wide_name": None, "model": None},
                "volumes": [{"kind": "whole", "partition": None, "placements": [{"offset": 0, "byte_count": byte_count}],
                             "band_byte_count": BAND, "chunker": {"average_byte_count": 32768}, "file_system": None,
                             "root": root}]}

    def mark(self, snapshot_id: bytes, number: int, kind: str, slot: Slot | None = None) -> None:
        name = f"marks/{snapshot_id.hex()}.{number}"
        self.put(name, self.document(8, name, {"kind": kind, "snapshot_id": snapshot_id.hex(), "number": number,
                                               "time": TIME}, slot))
