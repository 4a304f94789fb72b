"""Errors name the object they are about, so that a person can find it in the storage."""


class FormatError(Exception):
    """An object breaks a rule of the format."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class MissingObject(FormatError):
    """An object that should be there is not."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "the object is missing")


class NotAccepted(FormatError):
    """A document of a slot that may not write it, or not any more, which has no effect. That is no damage: retiring a slot does it."""


class UsageError(Exception):
    """The request cannot be met, through no fault of the repository."""
