"""Writing an image to a file."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from . import maps, packs
from .errors import FormatError, UsageError
from .manifest import Image, Manifest, Placement
from .repository import Repository


def choose_image(manifest: Manifest, name: str | None) -> Image:
    images = [image for image in manifest.images if name is None or image.name == name]
    if len(images) != 1:
        known = ", ".join(image.name for image in manifest.images)
        raise UsageError(f"{len(images)} images fit; the snapshot has: {known}")
    return images[0]


def place(placements: list[Placement], offset: int, byte_count: int) -> Iterator[tuple[int, int]]:
    """Where bytes of a volume stand in the image, as (offset, count)."""
    for placement in placements:
        if offset < placement.byte_count:
            count = min(byte_count, placement.byte_count - offset)
            if count <= 0:
                return
            yield placement.offset + offset, count
            offset, byte_count = offset + count, byte_count - count
        offset -= placement.byte_count


def restore_image(repository: Repository, image: Image, target: str) -> None:
    """The file appears under its name only when whole. It is new, so what reads as zeros need not be written."""
    partial = target + ".partial"
    for path in (target, partial):
        if os.path.lexists(path):
            raise UsageError(f"{path} exists; a new file is needed")
    file = open(partial, "xb")
    try:
        with file:
            file.truncate(image.byte_count)
            for volume in image.volumes:
                unreadable = 0
                for extent in maps.walk(volume.root, volume.byte_count, repository.map_chunk):
                    if extent.kind == maps.DATA:
                        _write(file, volume.placements, extent.offset, data_of(repository, extent))
                    elif extent.kind == maps.UNREADABLE:
                        unreadable += extent.byte_count
                if unreadable:
                    repository.warning(f"{unreadable} bytes of image {image.name} could not be read at backup; "
                                       "they are zeros now")
        os.rename(partial, target)
    except BaseException:
        os.unlink(partial)
        raise


def data_of(repository: Repository, extent: maps.Extent) -> bytes:
    chunk, _ = repository.chunk(extent.chunk_id, packs.DATA)
    if extent.chunk_offset + extent.byte_count > len(chunk):
        raise FormatError(f"chunk {extent.chunk_id.hex()}", "has fewer bytes than a band map takes from it")
    return chunk[extent.chunk_offset:extent.chunk_offset + extent.byte_count]


def _write(file: BinaryIO, placements: list[Placement], offset: int, data: bytes) -> None:
    done = 0
    for start, count in place(placements, offset, len(data)):
        file.seek(start)
        file.write(data[done:done + count])
        done += count
