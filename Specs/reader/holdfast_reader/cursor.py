"""Reading of little-endian fields, which never goes beyond the end."""

from .errors import FormatError


class Cursor:
    """A place in the bytes of a named object."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data
        self.offset = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.offset

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise FormatError(self.name, f"ends at byte {len(self.data)}, {count} bytes are expected at {self.offset}")
        self.offset += count
        return self.data[self.offset - count:self.offset]

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def reserved(self, count: int) -> None:
        if any(self.take(count)):
            raise FormatError(self.name, f"reserved bytes before {self.offset} are not zero")

    def end(self) -> None:
        if self.left:
            raise FormatError(self.name, f"{self.left} bytes too many at its end")
