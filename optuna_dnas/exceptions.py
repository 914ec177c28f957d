"""Errors that users of this package may want to catch."""


class OutOfDomainError(ValueError):
    """An architecture that its search space does not contain."""


class CorruptFileError(ValueError):
    """A file whose content is not what its format promises; the message names the place."""


class InvalidSpaceError(ValueError):
    """A method of a search space that does not return what it promises.

    Args:
        method: ``Class.method``.
        message: What it should return, and did.
    """

    def __init__(self, method: str, message: str) -> None:
        super().__init__(f"`{method}` {message}")
        self.method = method
