"""The index: where each chunk is."""

import hashlib
from collections.abc import Iterator

from . import header, limits, storage
from .cursor import Cursor
from .documents import Authority
from .errors import FormatError
from .packs import Directory, pack_name, parse_directory


class IndexedPack:
    """A pack as the index knows it. Only the digest of its directory is kept, to compare with others."""

    def __init__(self, pack_id: bytes, body: bytes, index_name: str) -> None:
        self.body_digest = hashlib.sha256(body).digest()
        self.directory: Directory = parse_directory(f"{index_name}, pack {pack_id.hex()}", body)
        self.id = pack_id
        self.name = pack_name(self.directory.kind, pack_id)


def parse_index(name: str, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The ids of the packs and their directories, still as bytes."""
    cursor = Cursor(name, body)
    count = cursor.integer(4)
    if count > limits.INDEX_PACKS:
        raise FormatError(name, f"tells of {count} packs")
    for _ in range(count):
        pack_id, size = cursor.take(32), cursor.integer(4)
        if size > limits.DIRECTORY:
            raise FormatError(name, f"has a directory of {size} bytes for pack {pack_id.hex()}")
        yield pack_id, cursor.take(size)
    cursor.end()


class Index:
    """Chunk id to places. A place is one number, since there are many: pack, segment and chunk."""

    def __init__(self) -> None:
        self.packs: list[IndexedPack] = []
        self.pack_numbers: dict[bytes, int] = {}
        self._first: dict[bytes, int] = {}
        self._others: dict[bytes, list[int]] = {}

    def load(self, folder: storage.Folder, authority: Authority, name: str) -> None:
        """The digest is verified at each load, as the name is the only promise which index object this is."""
        data = folder.read(name, limits.INDEX)
        if hashlib.sha256(data).hexdigest() != name.split("/")[-1]:
            raise FormatError(name, "its SHA-256 is not its name")
        document = authority.open(name, data, (header.INDEX,))
        for pack_id, body in parse_index(name, document.body):
            self._add(name, pack_id, body)

    def _add(self, name: str, pack_id: bytes, body: bytes) -> None:
        known = self.pack_numbers.get(pack_id)
        if known is not None:
            if self.packs[known].body_digest != hashlib.sha256(body).digest():
                raise FormatError(name, f"tells of pack {pack_id.hex()} otherwise than another index object")
            return
        pack = IndexedPack(pack_id, body, name)
        number = self.pack_numbers[pack_id] = len(self.packs)
        self.packs.append(pack)
        for segment_number, segment in enumerate(pack.directory.segments):
            for chunk in range(segment.first_chunk, segment.first_chunk + segment.chunk_count):
                place = number << 36 | segment_number << 20 | chunk
                # A chunk of another kind with the same id is as unlikely as a collision, so one table serves both.
                if self._first.setdefault(pack.directory.chunk_id(chunk), place) != place:
                    self._others.setdefault(pack.directory.chunk_id(chunk), []).append(place)

    def places(self, chunk_id: bytes, kind: int) -> list[tuple[IndexedPack, int, int]]:
        first = self._first.get(chunk_id)
        found = [] if first is None else [first, *self._others.get(chunk_id, ())]
        places = [(self.packs[place >> 36], place >> 20 & 0xFFFF, place & 0xFFFFF) for place in found]
        return [place for place in places if place[0].directory.kind == kind]
