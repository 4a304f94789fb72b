"""A storage that is a folder: the name of an object is its path below the folder."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import FormatError, MissingObject

ID = "[0-9a-f]{32}"
DIGEST = "[0-9a-f]{64}"
NUMBER = "(?:0|[1-9][0-9]{0,17})"


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Makes the system's errors name the object."""
    try:
        yield
    except FileNotFoundError:
        raise MissingObject(name) from None
    except OSError as error:
        raise FormatError(name, f"cannot be read: {error.strerror}") from None


class Folder:
    """Access to the objects of a repository, for reading only."""

    def __init__(self, path: str) -> None:
        self.path = path

    def _path(self, name: str) -> str:
        return os.path.join(self.path, *name.split("/"))

    def size(self, name: str) -> int:
        with _naming(name):
            return os.stat(self._path(name)).st_size

    def read(self, name: str, limit: int) -> bytes:
        """The whole object. Its size is known before memory is taken, and one byte more shows whether it grew."""
        size = self.size(name)
        if size > limit:
            raise FormatError(name, f"{size} bytes, more than the limit of {limit}")
        with _naming(name), open(self._path(name), "rb") as file:
            data = file.read(size + 1)
        if len(data) != size:
            raise FormatError(name, f"{len(data)} bytes were read of {size}")
        return data

    def read_range(self, name: str, offset: int, count: int) -> bytes:
        with _naming(name), open(self._path(name), "rb", buffering=0) as file:
            data = os.pread(file.fileno(), count, offset)
        if len(data) != count:
            raise FormatError(name, f"ends before byte {offset + count}")
        return data

    def names(self, folder: str, pattern: str) -> list[str]:
        """The names in a folder whose last part matches. Others may be there, and are no concern of ours."""
        compiled = re.compile(pattern)
        try:
            found = os.listdir(self._path(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(f"{folder}/{part}" for part in found if compiled.fullmatch(part))

    def pack_names(self, folder: str) -> Iterator[str]:
        """The packs in `packs` or `maps`, spread over folders by the first two digits of the id."""
        for part in self.names(folder, "[0-9a-f]{2}"):
            yield from self.names(part, part[-2:] + "[0-9a-f]{62}")
