"""Verifies everything in a repository that this key slot can verify."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple, ParamSpec, TypeVar

from . import keys, limits, maps, packs, records, storage
from .errors import FormatError, NotAccepted
from .keys import Credential
from .manifest import Manifest
from .repository import Repository

P = ParamSpec("P")
T = TypeVar("T")


class Expected(NamedTuple):
    """A fingerprint that a band map gives for a part of a chunk."""
    offset: int
    byte_count: int
    fingerprint: bytes
    epoch: int


class Check:
    """Goes on after an error, since a person wants to know all that is damaged."""

    def __init__(self, repository: Repository, fast: bool = False, jobs: int = 1) -> None:
        self.repository = repository
        self.folder = repository.folder
        self.fast = fast
        self.jobs = jobs
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.counts: dict[str, int] = {}
        self._expected: dict[bytes, list[Expected]] = {}
        self._present: set[str] = set()
        self._walked: set[tuple[bytes, int, int]] = set()
        self._not_accepted: set[bytes] = set()
        repository.warning = self._warn

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def _problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def _count(self, what: str, count: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + count

    def _attempt(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return action(*args, **kwargs)
        except NotAccepted as error:
            self._warn(str(error))
        except FormatError as error:
            self._problem(str(error))
        return None

    def run(self) -> None:
        self._keyrings()
        self._key_slots()
        for name in self.folder.names("index", storage.DIGEST):
            self._attempt(self.repository.index.load, self.folder, self.repository.authority, name)
            self._count("index objects")
        found = {kind: list(self.folder.pack_names(folder)) for kind, folder in packs.FOLDERS.items()}
        self._present = {name for names in found.values() for name in names}
        self._against_index()
        self._packs(found[packs.MAP], packs.MAP)
        self._snapshots()
        self._packs(found[packs.DATA], packs.DATA)
        for name in self.folder.names("sessions", storage.ID):
            self._attempt(records.load_session, self.folder, self.repository.authority, name)
        for name in self.folder.names("condemned", storage.ID):
            self._attempt(records.check_condemned, self.folder, self.repository.authority, name)

    def _keyrings(self) -> None:
        config, newest = self.repository.authority.config, self.repository.authority.keyring
        digest: bytes | None = None
        for number in range(newest.number + 1):
            digest = self._attempt(self._keyring, config, number, digest)
            self._count("keyrings")

    def _keyring(self, config: keys.Config, number: int, previous: bytes | None) -> bytes:
        name = f"keyring/{number}"
        data = self.folder.read(name, limits.KEYRING)
        if keys.parse_keyring(number, data, config).previous != previous:
            raise FormatError(name, "does not name the digest of the keyring before it")
        return hashlib.sha256(data).digest()

    def _key_slots(self) -> None:
        slots = self.repository.authority.keyring.slots
        for slot in slots.values():
            self._attempt(self._key_slot, slot)
            self._count("key slots")
        for name in self.folder.names("keys", storage.ID):
            if bytes.fromhex(name.split("/")[1]) not in slots:
                self._warn(f"{name}: the keyring does not list this slot")

    def _key_slot(self, slot: keys.Slot) -> None:
        name = f"keys/{slot.id.hex()}"
        data = self.folder.read(name, limits.KEY_SLOT)
        if hashlib.sha256(data).digest() != slot.key_digest:
            raise FormatError(name, "its digest is not the one in the keyring")
        keys.try_slot(name, data, Credential(0, b""))

    def _against_index(self) -> None:
        """Packs that only the index knows matter where a snapshot needs them, and are found there."""
        for pack in self.repository.index.packs:
            if pack.name not in self._present:
                self._warn(f"{pack.name}: the index knows this pack, but it is not there")

    # Packs

    def _packs(self, names: list[str], kind: int) -> None:
        if self.jobs > 1 and len(names) > 1:
            global _forked
            _forked = self
            with ProcessPoolExecutor(self.jobs, mp_context=get_context("fork")) as pool:
                for result in pool.map(_pack_in_child, names, [kind] * len(names)):
                    self._take(result)
        else:
            for name in names:
                self._take(self.pack(name, kind))

    def _take(self, result: "PackResult") -> None:
        for text in result.problems:
            self._problem(text)
        for text in result.warnings:
            self._warn(text)
        for what, count in result.counts.items():
            self._count(what, count)

    def pack(self, name: str, kind: int) -> "PackResult":
        result = PackResult([], [], {"packs": 1, "segments": 0, "chunks": 0, "fingerprints": 0})
        try:
            self._pack(name, kind, result)
        except FormatError as error:
            result.problems.append(str(error))
        return result

    def _pack(self, name: str, kind: int, result: "PackResult") -> None:
        authority = self.repository.authority
        data = self.folder.read(name, limits.PACK)
        if hashlib.sha256(data).hexdigest() != name.split("/")[-1]:
            raise FormatError(name, "its SHA-256 is not its name")
        whole = packs.parse_pack(name, data, kind, authority)
        number = self.repository.index.pack_numbers.get(bytes.fromhex(name.split("/")[-1]))
        if number is None:
            result.warnings.append(f"{name}: the index does not know this pack")
        elif self.repository.index.packs[number].body_digest != hashlib.sha256(whole.directory_body).digest():
            result.problems.append(f"{name}: its directory differs from what the index tells")
        epoch = authority.epoch_keys(name, whole.directory.epoch)
        for i, segment in enumerate(whole.directory.segments):
            stored = data[segment.offset:segment.offset + segment.sealed]
            if not self.fast and epoch.segment_digest(stored) != segment.digest:
                result.problems.append(f"{name}, segment {i}: its digest is not the one in the directory")
            result.counts["segments"] += 1
            if kind == packs.DATA and not authority.opened.reads_data:
                continue
            try:
                plain = self.repository.opener.open(name, whole.directory, i, stored)
                self._chunks(name, whole, segment, plain, result)
            except FormatError as error:
                result.problems.append(str(error))

    def _chunks(self, name: str, whole: packs.WholePack, segment: packs.Segment, plain: bytes,
                result: "PackResult") -> None:
        directory, authority = whole.directory, self.repository.authority
        offsets = directory.chunk_offsets(segment)
        for i in range(segment.chunk_count):
            chunk, chunk_id = plain[offsets[i]:offsets[i + 1]], directory.chunk_id(segment.first_chunk + i)
            result.counts["chunks"] += 1
            if authority.epoch_keys(name, directory.epoch).chunk_id(directory.kind, chunk) != chunk_id:
                result.problems.append(f"{name}: chunk {chunk_id.hex()} has not the content of its id")
                continue
            for due in self._expected.get(chunk_id, ()) if directory.kind == packs.DATA and not self.fast else ():
                part = chunk[due.offset:due.offset + due.byte_count]
                result.counts["fingerprints"] += 1
                if authority.epoch_keys(name, due.epoch).fingerprint(part) != due.fingerprint:
                    result.problems.append(f"{name}: chunk {chunk_id.hex()} has another fingerprint than a band map tells")

    # Snapshots

    def _snapshots(self) -> None:
        known: dict[bytes, Manifest] = {}
        named = {bytes.fromhex(name.split("/")[1]) for name in self.repository.snapshot_names()}
        for name in self.repository.snapshot_names():
            snapshot = self._attempt(self.repository.snapshot, name)
            if snapshot:
                known[snapshot[0].snapshot_id] = snapshot[0]
            else:
                self._not_accepted.add(bytes.fromhex(name.split("/")[1]))
        for snapshot_id in self.repository.marked_snapshots():
            if snapshot_id not in named:
                self._attempt(self.repository.state, snapshot_id, None)
        for found in known.values():
            self._snapshot(found, known)
        for text in self.repository.damaged_marks:
            self._problem(text)

    def _snapshot(self, found: Manifest, known: dict[bytes, Manifest]) -> None:
        name = f"snapshots/{found.snapshot_id.hex()}"
        self._count("snapshots")
        if found.keyring > self.repository.authority.keyring.number:
            self._problem(f"{name}: was written with keyring {found.keyring}, which is not there")
        for head, digest in found.heads.items():
            if head in known:
                if known[head].digest != digest:
                    self._problem(f"{name}: tells another digest of snapshot {head.hex()} than it has")
            elif head not in self._not_accepted and not self.repository.state(head, None).final:
                self._problem(f"{name}: tells of snapshot {head.hex()}, which is gone without a final mark")
        for image in found.images:
            for volume in image.volumes:
                self._attempt(self._tree, volume.root, volume.byte_count)
        for attachment in found.attachments:
            self._attempt(self._tree, attachment.root, attachment.byte_count)

    def _tree(self, root: maps.Root, byte_count: int) -> None:
        def skip(chunk_id: bytes, level: int, covered: int) -> bool:
            key = (chunk_id, level, covered)
            if key in self._walked:
                return True
            self._walked.add(key)
            return False

        for extent in maps.walk(root, byte_count, self.repository.map_chunk, skip):
            if extent.kind == maps.DATA:
                self._attempt(self._extent, extent)

    def _extent(self, extent: maps.Extent) -> None:
        due = Expected(extent.chunk_offset, extent.byte_count, extent.fingerprint, extent.epoch)
        known = self._expected.setdefault(extent.chunk_id, [])
        if due in known:
            return
        known.append(due)
        name = f"chunk {extent.chunk_id.hex()}"
        places = self.repository.index.places(extent.chunk_id, packs.DATA)
        if not places:
            raise FormatError(name, "a snapshot needs it, the index does not know it")
        if not any(pack.name in self._present for pack, _, _ in places):
            raise FormatError(places[0][0].name, f"is missing, and a snapshot needs its {name}")
        pack, _, number = places[0]
        if extent.chunk_offset + extent.byte_count > pack.directory.counts[number]:
            raise FormatError(name, "has fewer bytes than a band map takes from it")


class PackResult(NamedTuple):
    problems: list[str]
    warnings: list[str]
    counts: dict[str, int]


_forked: Check | None = None
"""What a forked process works with: too large to be sent to it."""


def _pack_in_child(name: str, kind: int) -> PackResult:
    assert _forked is not None
    return _forked.pack(name, kind)
