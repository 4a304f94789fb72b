"""Manifests: what a snapshot holds."""

import hashlib
from typing import NamedTuple

from . import header, limits, members, records, storage
from .documents import Authority, Document, require
from .errors import FormatError, MissingObject
from .maps import Root, parse_root
from .members import Members


class Placement(NamedTuple):
    offset: int
    byte_count: int


class Volume(NamedTuple):
    placements: list[Placement]
    byte_count: int
    root: Root


class Image(NamedTuple):
    name: str
    byte_count: int
    volumes: list[Volume]


class Attachment(NamedTuple):
    kind: str
    name: str
    byte_count: int
    root: Root


class Manifest(NamedTuple):
    snapshot_id: bytes
    digest: bytes
    slot_id: bytes
    slot_label: str
    host: str
    start_time: str
    end_time: str
    complete: bool
    ordinal: int
    keyring: int
    heads: dict[bytes, bytes]
    tags: tuple[str, ...]
    description: str
    images: list[Image]
    attachments: list[Attachment]


def load(folder: storage.Folder, authority: Authority, name: str) -> Manifest | None:
    """The manifest of that name, or None where an abort record took its place."""
    snapshot_id = bytes.fromhex(name.split("/")[1])
    data = folder.read(name, limits.MANIFEST)
    document = authority.open(name, data, (header.MANIFEST, header.ABORT), snapshot_id)
    json = members.parse(name, document.body)
    if document.type == header.ABORT:
        if len(data) > limits.RECORD:
            raise FormatError(name, "is an abort record of more bytes than allowed")
        if json.hex("session_id", 16) != snapshot_id:
            raise json.wrong("session_id", "is not as in the name")
        json.text("reason")
        json.time("time")
        # A slot may end its own session. Whose a session was can be told only while its object is there.
        try:
            own = records.load_session(folder, authority, f"sessions/{snapshot_id.hex()}") == document.slot.id
        except MissingObject:
            own = True
        if not own:
            require(document, "prune")
        return None
    if document.slot.id in authority.keyring.slots:
        require(document, "write")
    return _parse(document, json, snapshot_id, hashlib.sha256(data).digest())


def _parse(document: Document, json: Members, snapshot_id: bytes, digest: bytes) -> Manifest:
    if json.integer("format") != 1:
        raise json.wrong("format", f"is {json.integer('format')}; this program reads format 1")
    json.known_features()
    if json.hex("snapshot_id", 16) != snapshot_id:
        raise json.wrong("snapshot_id", "is not as in the name")
    json.hex_or_null("parent", 16)
    images = [_parse_image(item) for item in json.objects("images", limits.IMAGES)]
    if len({image.name for image in images}) != len(images):
        raise json.wrong("images", "has a name twice")
    attachments: list[Attachment] = []
    for item in json.objects("attachments", limits.ATTACHMENTS):
        byte_count = item.integer("byte_count", limits.IMAGE)
        attachments.append(Attachment(item.text("kind"), item.text("name"), byte_count,
                                      parse_root(item.object("root"), byte_count)))
    for key in ("machine_id", "tool"):
        json.text(key)
    for key in ("image", "read", "unreadable", "taken", "audited", "new", "stored"):
        json.object("counters").integer(f"{key}_byte_count")
    for key in ("chunk_count", "new_chunk_count"):
        json.object("counters").integer(key)
    seen = json.object("seen")
    seen.integer("count")
    seen.hex("digest", 32)
    heads = {head.hex("snapshot_id", 16): head.hex("digest", 32) for head in json.objects("heads")}
    return Manifest(snapshot_id, digest, document.slot.id, document.slot.label, json.text("host"),
                    json.time("start_time"), json.time("end_time"), json.boolean("complete"), json.integer("ordinal"),
                    json.integer("keyring"), heads, json.texts("tags"), json.text("description"), images, attachments)


def _parse_image(json: Members) -> Image:
    byte_count = json.integer("byte_count", limits.IMAGE)
    source = json.object("source")
    source.text("kind", ("file", "device", "stream", "nbd"))
    source.text("path")
    for key in ("serial_number", "world_wide_name", "model"):
        source.text_or_null(key)
    for key in ("logical_sector_byte_count", "physical_sector_byte_count"):
        json.integer(key)
    json.any("label")
    json.any("change_tracker")
    volumes = [_parse_volume(item) for item in json.objects("volumes", limits.VOLUMES)]
    if not volumes:
        raise json.wrong("volumes", "is empty")
    end = 0
    for placement in sorted(place for volume in volumes for place in volume.placements):
        if placement.offset != end:
            raise json.wrong("volumes", f"do not cover the image exactly at byte {end}")
        end += placement.byte_count
    if end != byte_count:
        raise json.wrong("volumes", f"cover {end} bytes of {byte_count}")
    return Image(json.text("name"), byte_count, volumes)


def _parse_volume(json: Members) -> Volume:
    if json.integer("band_byte_count") != limits.BAND:
        raise json.wrong("band_byte_count", f"is not {limits.BAND}")
    json.text("kind")
    if json.any("partition") is not None:
        json.integer("partition")
    json.object("chunker").integer("average_byte_count", limits.CHUNK)
    json.any("file_system")
    placements = [Placement(item.integer("offset", limits.IMAGE), item.integer("byte_count", limits.IMAGE))
                  for item in json.objects("placements", limits.PLACEMENTS)]
    if not placements:
        raise json.wrong("placements", "is empty")
    byte_count = sum(placement.byte_count for placement in placements)
    if byte_count > limits.IMAGE:
        raise json.wrong("placements", "sum to more than a volume may have")
    return Volume(placements, byte_count, parse_root(json.object("root"), byte_count))
