"""Sealed and signed documents: opening one, and finding who wrote it."""

import hashlib
from typing import NamedTuple

from . import header
from .errors import FormatError, NotAccepted
from .keys import Config, EpochKeys, Keyring, OpenedSlot, Slot, one_time_key, open_sealed, verify_signature

_LOSES_FORCE = (header.MANIFEST, header.MARK, header.CONDEMNED, header.ABORT)


class Document(NamedTuple):
    name: str
    type: int
    epoch: int
    slot: Slot
    body: bytes


class Authority:
    """The keys to open documents with, and the keyring to judge them by."""

    def __init__(self, config: Config, keyring: Keyring, opened: OpenedSlot) -> None:
        self.config = config
        self.keyring = keyring
        self.opened = opened

    def epoch_keys(self, name: str, epoch: int) -> EpochKeys:
        if epoch not in self.keyring.epochs:
            raise FormatError(name, f"has member epoch {epoch}, which the keyring does not list")
        if epoch not in self.opened.epochs:
            raise FormatError(name, f"has member epoch {epoch}, which this key slot does not have")
        return self.opened.epochs[epoch]

    def open(self, name: str, data: bytes, types: tuple[int, ...], snapshot_id: bytes | None = None) -> Document:
        """A document that is an object. Index objects are named by their digest, so their sealed name is empty."""
        head = header.parse(name, data, types)
        sealed_name = "" if head.type == header.INDEX else name
        associated = header.associated_data(head.type, header.REPOSITORY_SCOPE, head.epoch, self.config.keyspace_id,
                                            self.config.repository_id, sealed_name)
        return self._open(name, sealed_name, head, head.type, data[header.SIZE:], associated,
                          self.config.repository_id, (snapshot_id, data))

    def open_directory(self, name: str, head: header.Header, sealed: bytes) -> Document:
        kind = {header.DATA_PACK: header.DATA_DIRECTORY, header.MAP_PACK: header.MAP_DIRECTORY}[head.type]
        associated = header.associated_data(kind, header.KEYSPACE_SCOPE, head.epoch, self.config.keyspace_id, b"", "")
        return self._open(name, "", head, kind, sealed, associated, self.config.keyspace_id, None)

    def _open(self, name: str, sealed_name: str, head: header.Header, kind: int, sealed: bytes, associated: bytes,
              place: bytes, whole: tuple[bytes | None, bytes] | None) -> Document:
        base = self.epoch_keys(name, head.epoch).metadata_key
        plain = open_sealed(name, one_time_key(base, kind, head.salt), sealed, associated)
        if len(plain) < 80:
            raise FormatError(name, "is too short for a slot id and a signature")
        slot_id, signature, body = plain[:16], plain[16:80], plain[80:]
        retired = self.keyring.retired.get(slot_id)
        slot = retired.slot if retired else self.keyring.slots.get(slot_id)
        if slot is None:
            raise FormatError(name, f"was written by slot {slot_id.hex()}, which the keyring does not know")
        verify_signature(name, slot.public_key, signature, header.signed_message(kind, place, sealed_name, body))
        if retired and kind in _LOSES_FORCE:
            snapshot_id, data = whole if whole else (None, b"")
            listed = retired.manifests.get(snapshot_id) if kind == header.MANIFEST and snapshot_id else None
            if listed is None or listed != hashlib.sha256(data).digest():
                raise NotAccepted(name, f"was written by the retired slot {slot_id.hex()} and is not accepted any more")
        return Document(name, kind, head.epoch, slot, body)


def require(document: Document, *capabilities: str) -> None:
    """A document whose slot has none of the capabilities has no effect."""
    if not document.slot.capabilities & set(capabilities):
        raise NotAccepted(document.name, f"was written by slot {document.slot.id.hex()} without the capability "
                                         f"{' or '.join(capabilities)}")
