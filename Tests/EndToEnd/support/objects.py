"""The objects of a repository as files, and what can happen to them."""

from pathlib import Path


def object_names(folder: Path) -> list[str]:
    """All but the reserve, which is no object."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [name for name in names if name != "reserve"]


def kind_of(name: str) -> str:
    return name.split("/")[0]


def names_of_kind(folder: Path, kind: str) -> list[str]:
    return [name for name in object_names(folder) if kind_of(name) == kind]


def flip(path: Path, offset: int, mask: int) -> None:
    """Changes the bits of `mask` in one byte; the same again undoes it."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))
