"""Band maps and map trees: what a volume holds, from its root down."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from . import limits
from .cursor import Cursor
from .errors import FormatError
from .members import Members

DATA, ZERO, UNUSED, EXCLUDED, UNREADABLE, MAP, NODE = range(1, 8)
UNIFORM_NAMES = {"zero": ZERO, "unused": UNUSED, "excluded": EXCLUDED, "unreadable": UNREADABLE}
FAN = 256

Fetch = Callable[[bytes], tuple[bytes, int]]
"""Gives a map chunk by its id, verified, and the member epoch of its pack."""


class Root(NamedTuple):
    kind: int
    id: bytes


class Extent(NamedTuple):
    offset: int
    byte_count: int
    kind: int
    chunk_id: bytes
    chunk_offset: int
    fingerprint: bytes
    epoch: int


def parse_root(json: Members, byte_count: int) -> Root:
    kind = json.text("kind", ("map", "node", *UNIFORM_NAMES))
    if byte_count == 0 and kind != "zero":
        raise json.wrong("kind", "is not zero, although there are no bytes")
    if kind in UNIFORM_NAMES:
        return Root(UNIFORM_NAMES[kind], b"")
    due = "map" if depth(byte_count) == 0 else "node"
    if kind != due:
        raise json.wrong("kind", f"is {kind}, but {byte_count} bytes need a {due}")
    return Root(MAP if kind == "map" else NODE, json.hex("id", 32))


def depth(byte_count: int) -> int:
    bands = -(-byte_count // limits.BAND)
    d = 0
    while FAN ** d < bands:
        d += 1
    return d


def parse_band_map(name: str, data: bytes, byte_count: int, offset: int, epoch: int) -> Iterator[Extent]:
    cursor = Cursor(name, data)
    if cursor.take(2) != b"\x01\x00":
        raise FormatError(name, "is no band map")
    flags, count = cursor.integer(2), cursor.integer(4)
    if flags > 1:
        raise FormatError(name, f"has reserved flags in {flags:#x}")
    if not 1 <= count <= limits.BAND_ENTRIES:
        raise FormatError(name, f"has {count} entries")
    kinds = cursor.take(count)
    if not set(kinds) <= {DATA, *UNIFORM_NAMES.values()}:
        raise FormatError(name, "has an entry of a kind that no band map has")
    counts = struct.unpack(f"<{count}I", cursor.take(4 * count))
    if not all(counts) or sum(counts) != byte_count:
        raise FormatError(name, f"its entries sum to {sum(counts)} bytes, the band has {byte_count}, or one is empty")
    data_count = kinds.count(DATA)
    ids = cursor.take(32 * data_count)
    fingerprints = cursor.take(16 * data_count)
    offsets = struct.unpack(f"<{data_count}I", cursor.take(4 * data_count) if flags else bytes(4 * data_count))
    cursor.end()
    i = 0
    for kind, entry in zip(kinds, counts):
        if kind == DATA:
            yield Extent(offset, entry, kind, ids[32 * i:32 * i + 32], offsets[i], fingerprints[16 * i:16 * i + 16], epoch)
            i += 1
        else:
            yield Extent(offset, entry, kind, b"", 0, b"", epoch)
        offset += entry


def parse_node(name: str, data: bytes, level: int, group_count: int) -> list[Root]:
    cursor = Cursor(name, data)
    if cursor.take(2) != bytes([2, level]):
        raise FormatError(name, f"is no node of level {level}")
    cursor.reserved(2)
    count = cursor.integer(4)
    if count != group_count:
        raise FormatError(name, f"has {count} slots, due are {group_count}")
    kinds = cursor.take(count)
    below = MAP if level == 1 else NODE
    if not set(kinds) <= {below, *UNIFORM_NAMES.values()}:
        raise FormatError(name, "has a slot of a kind that its level forbids")
    slots = [Root(kind, cursor.take(32) if kind == below else b"") for kind in kinds]
    cursor.end()
    return slots


Skip = Callable[[bytes, int, int], bool]
"""Tells by id, level and covered bytes whether a subtree need not be walked."""


def walk(root: Root, byte_count: int, fetch: Fetch, skip: Skip | None = None) -> Iterator[Extent]:
    """The extents of a volume, in order."""
    return _walk(root, depth(byte_count), 0, byte_count, fetch, skip)


def _walk(slot: Root, level: int, offset: int, byte_count: int, fetch: Fetch, skip: Skip | None) -> Iterator[Extent]:
    """`level` is that of the node the slot stands for; at 0 it stands for a band."""
    if slot.kind not in (MAP, NODE):
        if byte_count:
            yield Extent(offset, byte_count, slot.kind, b"", 0, b"", 0)
        return
    if skip and skip(slot.id, level, byte_count):
        return
    data, epoch = fetch(slot.id)
    name = f"map chunk {slot.id.hex()}"
    if slot.kind == MAP:
        yield from parse_band_map(name, data, byte_count, offset, epoch)
        return
    group = FAN ** (level - 1) * limits.BAND
    for i, child in enumerate(parse_node(name, data, level, -(-byte_count // group))):
        yield from _walk(child, level - 1, offset + i * group, min(group, byte_count - i * group), fetch, skip)
