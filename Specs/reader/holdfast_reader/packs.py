"""Packs: directories and segments."""

import struct
from itertools import accumulate
from typing import NamedTuple

import zstandard

from . import header, limits
from .cursor import Cursor
from .documents import Authority
from .errors import FormatError
from .keys import EpochKeys, blake2b, one_time_key, open_sealed

DATA, MAP = 1, 2
FOLDERS = {DATA: "packs", MAP: "maps"}
PACK_TYPES = {DATA: header.DATA_PACK, MAP: header.MAP_PACK}
SEGMENT_TYPES = {DATA: header.DATA_SEGMENT, MAP: header.MAP_SEGMENT}
NO_KEY = 255
OVERHEAD = 32 + 16
PADDING = 16 * limits.KIB
TRAILER = 8
_SEGMENT = struct.Struct("<IIIIBBH16sI")


class Segment(NamedTuple):
    offset: int
    sealed: int
    encoded: int
    decoded: int
    codec: int
    key: int
    digest: bytes
    first_chunk: int
    chunk_count: int


class Directory(NamedTuple):
    """Columns stay as they are stored: a repository has millions of chunks."""
    kind: int
    epoch: int
    pack_byte_count: int
    keys: list[dict[bytes, bytes]]
    segments: list[Segment]
    ids: bytes
    counts: tuple[int, ...]

    def chunk_id(self, chunk: int) -> bytes:
        return self.ids[32 * chunk:32 * chunk + 32]

    def chunk_offsets(self, segment: Segment) -> list[int]:
        counts = self.counts[segment.first_chunk:segment.first_chunk + segment.chunk_count]
        return [0, *accumulate(counts)]


def pack_name(kind: int, pack_id: bytes) -> str:
    return f"{FOLDERS[kind]}/{pack_id.hex()[:2]}/{pack_id.hex()}"


def parse_directory(name: str, body: bytes) -> Directory:
    cursor = Cursor(name, body)
    kind = cursor.integer(1)
    if kind not in FOLDERS:
        raise FormatError(name, f"its directory is of kind {kind}")
    cursor.reserved(3)
    epoch = cursor.integer(4)
    if not epoch:
        raise FormatError(name, "its directory is of member epoch 0")
    pack_byte_count = cursor.integer(8)
    if pack_byte_count > limits.PACK:
        raise FormatError(name, f"its directory tells of {pack_byte_count} bytes, more than the limit of a pack")
    key_count = cursor.integer(4)
    if key_count > (limits.PACK_KEYS if kind == DATA else 0):
        raise FormatError(name, f"its directory has {key_count} keys")
    keys: list[dict[bytes, bytes]] = []
    for _ in range(key_count):
        cursor.take(16)
        recipients = cursor.integer(2)
        if not 1 <= recipients <= limits.KEY_RECIPIENTS:
            raise FormatError(name, f"its directory has a key of {recipients} recipients")
        entries = [(cursor.take(16), cursor.take(80)) for _ in range(recipients)]
        keys.append(dict(entries))
        if len(keys[-1]) != recipients:
            raise FormatError(name, "its directory has a key with a recipient twice")
    segment_count = cursor.integer(4)
    if segment_count > limits.PACK_SEGMENTS:
        raise FormatError(name, f"its directory has {segment_count} segments")
    segments, chunk_count = _parse_segments(name, cursor.take(_SEGMENT.size * segment_count), kind, key_count,
                                            pack_byte_count)
    ids = cursor.take(32 * chunk_count)
    counts = struct.unpack(f"<{chunk_count}I", cursor.take(4 * chunk_count))
    cursor.end()
    if counts and not 1 <= min(counts) <= max(counts) <= limits.CHUNK:
        raise FormatError(name, "its directory has a chunk of a size that is not allowed")
    for number, segment in enumerate(segments):
        if sum(counts[segment.first_chunk:segment.first_chunk + segment.chunk_count]) != segment.decoded:
            raise FormatError(name, f"the chunks of segment {number} do not fill it")
    return Directory(kind, epoch, pack_byte_count, keys, segments, ids, counts)


def _parse_segments(name: str, data: bytes, kind: int, key_count: int, pack_size: int) -> tuple[list[Segment], int]:
    segments: list[Segment] = []
    end, chunks = header.SIZE, 0
    for number, fields in enumerate(_SEGMENT.iter_unpack(data)):
        offset, sealed, encoded, decoded, codec, key, reserved, digest, chunk_count = fields

        def refuse(problem: str) -> FormatError:
            return FormatError(name, f"segment {number} {problem}")

        if reserved:
            raise refuse("has reserved bytes that are not zero")
        if offset != end or offset + sealed > pack_size - TRAILER:
            raise refuse("does not begin at the end of the one before, or leaves the pack")
        if sealed > limits.SEGMENT_SEALED or not 1 <= decoded <= limits.SEGMENT_DECODED:
            raise refuse(f"has {sealed} bytes sealed and {decoded} decoded, which is not allowed")
        small = chunk_count < 4 or decoded < 256 * limits.KIB
        padding = -(encoded + OVERHEAD) % PADDING if small else 0
        if not encoded or sealed != encoded + padding + OVERHEAD:
            raise refuse(f"has {sealed} bytes sealed, which does not fit {encoded} bytes encoded and {padding} of padding")
        if codec > 1 or codec == 0 and encoded != decoded:
            raise refuse(f"has codec {codec} with {encoded} bytes for {decoded}")
        if key != NO_KEY if kind == MAP else key >= key_count:
            raise refuse(f"has key index {key}")
        if not chunk_count or chunks + chunk_count > limits.PACK_CHUNKS:
            raise refuse("has no chunk, or too many")
        segments.append(Segment(offset, sealed, encoded, decoded, codec, key, digest, chunks, chunk_count))
        end, chunks = offset + sealed, chunks + chunk_count
    return segments, chunks


class SegmentOpener:
    """Turns stored segments into chunks. Session keys are kept, as opening one costs more than opening a segment."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._session_keys: dict[bytes, bytes] = {}

    def _key(self, name: str, directory: Directory, segment: Segment, epoch: EpochKeys, salt: bytes) -> bytes:
        kind = SEGMENT_TYPES[directory.kind]
        if directory.kind == MAP:
            return one_time_key(epoch.map_segment_key, kind, salt)
        opened = self._authority.opened
        sealed = directory.keys[segment.key].get(opened.recipient_id)
        if sealed is None:
            raise FormatError(name, f"key {segment.key} of its directory is not sealed to this repository's data key")
        if sealed not in self._session_keys:
            if len(self._session_keys) > 4096:
                self._session_keys.clear()
            self._session_keys[sealed] = opened.open_session_key(name, sealed)
        message = b"holdfast segment key" + bytes([kind]) + epoch.segment_input_key + salt
        return blake2b(self._session_keys[sealed], message)

    def open(self, name: str, directory: Directory, number: int, stored: bytes) -> bytes:
        """The decoded segment. The ids of its chunks are not verified yet."""
        segment = directory.segments[number]
        where = f"{name}, segment {number}"
        keys = self._authority.epoch_keys(name, directory.epoch)
        key = self._key(where, directory, segment, keys, stored[:32])
        associated = header.associated_data(SEGMENT_TYPES[directory.kind], header.KEYSPACE_SCOPE, directory.epoch,
                                            self._authority.config.keyspace_id, b"", "")
        plain = open_sealed(where, key, stored[32:], associated)
        encoded = plain[:segment.encoded]
        if plain.count(0, segment.encoded) != len(plain) - segment.encoded:
            raise FormatError(where, "its padding is not zero")
        return encoded if segment.codec == 0 else decompress(where, encoded, segment.decoded)


def decompress(name: str, frame: bytes, decoded: int) -> bytes:
    """The frame's own sizes are compared before the decoder is let at it."""
    try:
        if frame[:4] != b"\x28\xb5\x2f\xfd":
            raise FormatError(name, "is no Zstandard frame")
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size != decoded:
            raise FormatError(name, f"its frame tells of {parameters.content_size} bytes, the directory of {decoded}")
        if parameters.has_checksum or parameters.dict_id:
            raise FormatError(name, "its frame has a checksum or a dictionary")
        plain = zstandard.ZstdDecompressor().decompress(frame, max_output_size=decoded, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(name, f"cannot be decompressed: {error}") from None
    if len(plain) != decoded:
        raise FormatError(name, f"has {len(plain)} decoded bytes, the directory tells of {decoded}")
    return plain


class WholePack(NamedTuple):
    directory: Directory
    directory_body: bytes


def parse_pack(name: str, data: bytes, kind: int, authority: Authority) -> WholePack:
    """A pack that was read whole, with all that can be verified without opening its segments."""
    head = header.parse(name, data, (PACK_TYPES[kind],))
    if len(data) < header.SIZE + TRAILER or data[-4:] != b"HFPD":
        raise FormatError(name, "does not end with HFPD")
    count = int.from_bytes(data[-8:-4], "little")
    start = len(data) - TRAILER - count
    if count > limits.DIRECTORY or start < header.SIZE:
        raise FormatError(name, f"tells of a directory of {count} bytes")
    document = authority.open_directory(name, head, data[start:-TRAILER])
    directory = parse_directory(name, document.body)
    if directory.kind != kind:
        raise FormatError(name, f"its directory is of kind {directory.kind}")
    if directory.pack_byte_count != len(data):
        raise FormatError(name, f"has {len(data)} bytes, its directory tells of {directory.pack_byte_count}")
    if directory.epoch != head.epoch:
        raise FormatError(name, f"is of member epoch {head.epoch}, its directory of {directory.epoch}")
    end = directory.segments[-1].offset + directory.segments[-1].sealed if directory.segments else header.SIZE
    if end > start:
        raise FormatError(name, "its segments overlap its directory")
    _zeros(name, data, end, start)
    return WholePack(directory, document.body)


def _zeros(name: str, data: bytes, start: int, end: int) -> None:
    if data.count(0, start, end) != end - start:
        raise FormatError(name, f"bytes {start} to {end} belong to nothing and are not zero")
