"""Marks, sessions and condemned lists."""

from collections.abc import Callable
from typing import NamedTuple

from . import header, limits, members, storage
from .documents import Authority, require
from .errors import FormatError

MARK_KINDS = ("forget", "undelete", "protect", "unprotect", "final")


class State(NamedTuple):
    forgotten: bool = False
    protected: bool = False
    final: bool = False


class Mark(NamedTuple):
    kind: str
    slot_id: bytes
    any_snapshot: bool


Chain = dict[int, Mark | None]
"""The marks of a snapshot by rising number, None for those that cannot be read. Those of slots that may not mark are left out, and have no effect."""


def mark_numbers(folder: storage.Folder) -> dict[bytes, list[int]]:
    numbers: dict[bytes, list[int]] = {}
    for name in folder.names("marks", rf"{storage.ID}\.{storage.NUMBER}"):
        snapshot, number = name.split("/")[1].split(".")
        numbers.setdefault(bytes.fromhex(snapshot), []).append(int(number))
    return numbers


def load_mark(folder: storage.Folder, authority: Authority, snapshot_id: bytes, number: int) -> Mark:
    name = f"marks/{snapshot_id.hex()}.{number}"
    document = authority.open(name, folder.read(name, limits.RECORD), (header.MARK,))
    json = members.parse(name, document.body)
    kind = json.text("kind", MARK_KINDS)
    if json.hex("snapshot_id", 16) != snapshot_id or json.integer("number") != number:
        raise FormatError(name, "tells of another snapshot or number than its name")
    json.time("time")
    require(document, *(("prune",) if kind == "final" else ("forget_own", "forget_any")))
    return Mark(kind, document.slot.id, kind == "final" or "forget_any" in document.slot.capabilities)


def apply_marks(snapshot_id: bytes, chain: Chain, owner: bytes | None, warning: Callable[[str], None]) -> State:
    """The state after all of a chain.

    `owner` is the slot that wrote the snapshot, None if there is no manifest to tell it.
    """
    state = State()
    for number, mark in chain.items():
        name = f"marks/{snapshot_id.hex()}.{number}"
        if state.final:
            raise FormatError(name, "follows a final mark")
        if mark is None:
            state = state._replace(forgotten=False)
            continue
        if not mark.any_snapshot and owner is not None and mark.slot_id != owner:
            warning(f"{name}: marks a snapshot of another slot, without the capability forget_any")
            continue
        if mark.kind == "final":
            state = state._replace(final=True)
        elif mark.kind in ("forget", "undelete"):
            state = state._replace(forgotten=mark.kind == "forget")
        else:
            state = state._replace(protected=mark.kind == "protect")
    return state


def load_session(folder: storage.Folder, authority: Authority, name: str) -> bytes:
    """The slot that registered it; any slot may, retired ones too."""
    document = authority.open(name, folder.read(name, limits.RECORD), (header.SESSION,))
    json = members.parse(name, document.body)
    for key in ("kind", "host", "machine_id", "process_space"):
        json.text(key)
    json.integer("process_id")
    json.time("start_time")
    json.text("tool")
    return document.slot.id


def check_condemned(folder: storage.Folder, authority: Authority, name: str) -> None:
    document = authority.open(name, folder.read(name, limits.CONDEMNED), (header.CONDEMNED,))
    json = members.parse(name, document.body)
    kind = json.text("kind", ("prune", "damaged"))
    json.hexes("packs", 32)
    json.hexes("maps", 32)
    require(document, "prune" if kind == "prune" else "write")
