"""The 48 plain bytes at the start of every object, and the bytes that bind a sealed thing to its place."""

from typing import NamedTuple

from .cursor import Cursor
from .errors import FormatError

SIZE = 48
MAGIC = b"HOLDFAST"
VERSION = 1
SUITE = 1

CONFIG, KEYRING, KEY_SLOT, DATA_PACK, MAP_PACK, INDEX, MANIFEST, MARK, SESSION, CONDEMNED = range(1, 11)
ABORT = 14
DATA_SEGMENT, MAP_SEGMENT, DATA_DIRECTORY, MAP_DIRECTORY = range(32, 36)

KEYSPACE_SCOPE, REPOSITORY_SCOPE = 1, 2


class Header(NamedTuple):
    type: int
    epoch: int
    salt: bytes


def parse(name: str, data: bytes, types: tuple[int, ...]) -> Header:
    """The version comes first: what another version means by the rest is not known here."""
    cursor = Cursor(name, data)
    if cursor.take(8) != MAGIC:
        raise FormatError(name, "does not begin with HOLDFAST")
    kind, version, suite = cursor.take(3)
    if version != VERSION:
        raise FormatError(name, f"has format version {version}; this program reads version {VERSION}")
    if suite != SUITE:
        raise FormatError(name, f"has suite {suite}; this program knows suite {SUITE}")
    if kind not in types:
        raise FormatError(name, f"has type {kind}, expected is {' or '.join(map(str, types))}")
    cursor.reserved(1)
    epoch = cursor.integer(4)
    salt = cursor.take(32)
    if (epoch == 0) != (kind in (CONFIG, KEYRING, KEY_SLOT)):
        raise FormatError(name, f"has member epoch {epoch}, which its type forbids")
    if kind in (CONFIG, KEYRING) and any(salt):
        raise FormatError(name, "has a salt, which its type forbids")
    return Header(kind, epoch, salt)


def associated_data(kind: int, scope: int, epoch: int, keyspace: bytes, repository: bytes, name: str) -> bytes:
    """Things of the keyspace scope leave the repository out, so that packs can move unopened between repositories."""
    return (bytes([VERSION, SUITE, kind, scope]) + epoch.to_bytes(4, "little") + keyspace
            + (repository if scope == REPOSITORY_SCOPE else bytes(16)) + sized(name))


def signed_message(kind: int, place: bytes, name: str, body: bytes) -> bytes:
    return b"holdfast signature v1" + bytes([kind, VERSION]) + place + sized(name) + body


def sized(name: str) -> bytes:
    encoded = name.encode()
    return len(encoded).to_bytes(2, "little") + encoded
