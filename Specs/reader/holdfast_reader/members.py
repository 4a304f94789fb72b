"""JSON as the format allows it, and typed access to its members."""

import json
import re
from typing import Any

from . import limits
from .errors import FormatError

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Members:
    """A JSON object of a named repository object."""

    def __init__(self, name: str, value: Any, place: str = "") -> None:
        if not isinstance(value, dict):
            raise FormatError(name, f"{place or 'the body'} is no JSON object")
        self.name = name
        self.place = place
        self.value: dict[str, Any] = value

    def _where(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def wrong(self, key: str, problem: str) -> FormatError:
        return FormatError(self.name, f"member {self._where(key)} {problem}")

    def any(self, key: str) -> Any:
        if key not in self.value:
            raise self.wrong(key, "is missing")
        return self.value[key]

    def integer(self, key: str, maximum: int = (1 << 63) - 1) -> int:
        value = self.any(key)
        if type(value) is not int or not 0 <= value <= maximum:
            raise self.wrong(key, f"is no integer from 0 to {maximum}")
        return value

    def text(self, key: str, choices: tuple[str, ...] = ()) -> str:
        value = self.any(key)
        if not isinstance(value, str) or (choices and value not in choices):
            raise self.wrong(key, "is no text" if not choices else f"is none of {', '.join(choices)}")
        return value

    def text_or_null(self, key: str) -> str | None:
        return None if self.any(key) is None else self.text(key)

    def boolean(self, key: str) -> bool:
        value = self.any(key)
        if not isinstance(value, bool):
            raise self.wrong(key, "is neither true nor false")
        return value

    def time(self, key: str) -> str:
        value = self.text(key)
        if not _TIME.fullmatch(value):
            raise self.wrong(key, "is no time in UTC")
        return value

    def hex(self, key: str, count: int) -> bytes:
        return self._bytes(key, self.any(key), count)

    def hex_or_null(self, key: str, count: int) -> bytes | None:
        return None if self.any(key) is None else self.hex(key, count)

    def _bytes(self, key: str, value: Any, count: int) -> bytes:
        if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{2 * count}}}", value):
            raise self.wrong(key, f"is not {count} bytes in lower-case hexadecimal")
        return bytes.fromhex(value)

    def items(self, key: str, maximum: int = 1 << 32) -> list[Any]:
        value = self.any(key)
        if not isinstance(value, list) or len(value) > maximum:
            raise self.wrong(key, f"is no list of at most {maximum} items")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(key, "is no list of texts")
        return tuple(values)

    def hexes(self, key: str, count: int) -> tuple[bytes, ...]:
        return tuple(self._bytes(key, value, count) for value in self.items(key))

    def object(self, key: str) -> "Members":
        return Members(self.name, self.any(key), self._where(key))

    def objects(self, key: str, maximum: int = 1 << 32) -> "list[Members]":
        return [Members(self.name, value, f"{self._where(key)}[{i}]") for i, value in enumerate(self.items(key, maximum))]

    def known_features(self) -> None:
        """Knows no feature, so any under `read` may change what the bytes mean."""
        features = self.object("required_features").texts("read")
        if features:
            raise FormatError(self.name, f"needs features this program does not know: {', '.join(features)}")


def parse(name: str, data: bytes) -> Members:
    """The depth is checked first, because the parser itself uses the stack."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FormatError(name, "is not UTF-8") from None
    depth = 0
    for match in _TOKENS.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            if depth > limits.JSON_DEPTH:
                raise FormatError(name, f"is JSON of more than {limits.JSON_DEPTH} levels")
        elif token in "]}":
            depth -= 1

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise FormatError(name, "has a JSON object with a member twice")
        return result

    def constant(text: str) -> Any:
        raise ValueError(text)

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(name, f"is no valid JSON: {error}") from None
    return Members(name, value)
