"""Errors that users of this package may want to catch."""


class OutOfDomainError(ValueError):
    """An architecture that its search space does not contain."""


class CorruptFileError(ValueError):
    """A file whose content is not what its format promises; the message names the place."""
