"""A repository that has been opened: chunks by id, snapshots by name."""

import sys
from collections import OrderedDict
from collections.abc import Callable

from . import limits, manifest, packs, records, storage
from .documents import Authority
from .errors import FormatError, MissingObject, NotAccepted, UsageError
from .index import Index, IndexedPack
from .keys import Credential, newest_keyring, open_slot, parse_config
from .manifest import Manifest
from .records import State

_CACHE_BYTES = 96 * limits.MIB


def warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)


class Repository:
    """Keeps a few decoded segments, since neighbours in a volume are mostly neighbours in a segment."""

    def __init__(self, path: str, credential: Credential, warning: Callable[[str], None] = warn) -> None:
        self.warning = warning
        self.folder = storage.Folder(path)
        config = parse_config(self.folder.read("config", limits.CONFIG))
        keyring = newest_keyring(self.folder, config)
        opened = open_slot(self.folder, config, keyring, credential)
        self.authority = Authority(config, keyring, opened)
        self.index = Index()
        self.opener = packs.SegmentOpener(self.authority)
        self._marks = records.mark_numbers(self.folder)
        self._chains: dict[bytes, records.Chain] = {}
        self.damaged_marks: list[str] = []
        self._segments: OrderedDict[tuple[bytes, int], tuple[bytes, list[int]]] = OrderedDict()
        self._cached = 0

    # Chunks

    def load_index(self) -> None:
        for name in self.folder.names("index", storage.DIGEST):
            self.index.load(self.folder, self.authority, name)

    def _segment(self, pack: IndexedPack, number: int) -> tuple[bytes, list[int]]:
        key = (pack.id, number)
        found = self._segments.get(key)
        if found is not None:
            self._segments.move_to_end(key)
            return found
        segment = pack.directory.segments[number]
        if self.folder.size(pack.name) != pack.directory.pack_byte_count:
            raise FormatError(pack.name, "has not the byte count that the index tells")
        stored = self.folder.read_range(pack.name, segment.offset, segment.sealed)
        plain = self.opener.open(pack.name, pack.directory, number, stored)
        found = self._segments[key] = (plain, pack.directory.chunk_offsets(segment))
        self._cached += len(plain)
        while self._cached > _CACHE_BYTES:
            self._cached -= len(self._segments.popitem(last=False)[1][0])
        return found

    def _chunk_at(self, pack: IndexedPack, number: int, chunk: int, kind: int) -> tuple[bytes, int]:
        plain, offsets = self._segment(pack, number)
        epoch = pack.directory.epoch
        i = chunk - pack.directory.segments[number].first_chunk
        data = plain[offsets[i]:offsets[i + 1]]
        if self.authority.epoch_keys(pack.name, epoch).chunk_id(kind, data) != pack.directory.chunk_id(chunk):
            raise FormatError(pack.name, f"chunk {pack.directory.chunk_id(chunk).hex()} has not the content of its id")
        return data, epoch

    def chunk(self, chunk_id: bytes, kind: int) -> tuple[bytes, int]:
        """A verified chunk and the epoch of its pack. If one place is damaged, another may do."""
        places = self.index.places(chunk_id, kind)
        failure: FormatError | None = None
        for place in places:
            try:
                return self._chunk_at(*place, kind)
            except FormatError as error:
                failure = failure or error
                if len(places) > 1:
                    self.warning(str(error))
        raise failure or FormatError(f"chunk {chunk_id.hex()}", "the index does not know it")

    def map_chunk(self, chunk_id: bytes) -> tuple[bytes, int]:
        return self.chunk(chunk_id, packs.MAP)

    # Snapshots

    def snapshot_names(self) -> list[str]:
        return self.folder.names("snapshots", storage.ID)

    def manifest(self, name: str) -> Manifest | None:
        return manifest.load(self.folder, self.authority, name)

    def state(self, snapshot_id: bytes, owner: bytes | None) -> State:
        if snapshot_id not in self._chains:
            self._chains[snapshot_id] = self._load_chain(snapshot_id)
        return records.apply_marks(snapshot_id, self._chains[snapshot_id], owner, self.warning)

    def _load_chain(self, snapshot_id: bytes) -> records.Chain:
        """A mark that cannot be read matters as long as none follows it."""
        chain: records.Chain = {}
        found = sorted(self._marks.get(snapshot_id, []))
        for number, due in zip(found, [0] + [number + 1 for number in found]):
            if number != due:
                chain[due] = None
                self.warning(str(MissingObject(f"marks/{snapshot_id.hex()}.{due}")))
            try:
                chain[number] = records.load_mark(self.folder, self.authority, snapshot_id, number)
            except NotAccepted as error:
                self.warning(str(error))
            except FormatError as error:
                chain[number] = None
                if number == found[-1]:
                    self.damaged_marks.append(str(error))
                else:
                    self.warning(str(error))
        return chain

    def marked_snapshots(self) -> list[bytes]:
        return sorted(self._marks)

    def snapshot(self, name: str) -> tuple[Manifest, State] | None:
        """None if the session was ended, or the snapshot is gone for ever or not accepted any more.

        The marks come first: after a final one nobody needs the manifest to be in order.
        """
        snapshot_id = bytes.fromhex(name.split("/")[1])
        if self.state(snapshot_id, None).final:
            return None
        try:
            found = self.manifest(name)
        except NotAccepted as error:
            self.warning(str(error))
            return None
        return (found, self.state(snapshot_id, found.slot_id)) if found else None

    def find(self, wanted: str) -> Manifest:
        if wanted == "latest":
            known = [snapshot for name in self.snapshot_names() if (snapshot := self.snapshot(name))]
            kept = [found for found, state in known if not state.forgotten]
            if not kept:
                raise UsageError("there is no snapshot")
            return max(kept, key=lambda found: (found.ordinal, found.snapshot_id))
        names = [name for name in self.snapshot_names() if name.startswith(f"snapshots/{wanted.lower()}")]
        if len(names) != 1:
            raise UsageError(f"{len(names)} snapshots begin with {wanted}")
        snapshot = self.snapshot(names[0])
        if snapshot is None:
            raise UsageError(f"{names[0]} is no snapshot any more")
        return snapshot[0]
