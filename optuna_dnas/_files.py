"""Files that are written as a whole or not at all, and where those of a user's cache are."""

from functools import lru_cache
import os
from pathlib import Path
import secrets
import stat
import tempfile

import platformdirs


_NAME = "optuna-dnas"


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file: readers, and whoever comes after a crash, see the old one or the new one.

    A new file has the mode that the user's umask gives, a replaced one keeps its mode. A link
    stays a link. What is no regular file, such as ``/dev/stdout``, is written to.

    Raises:
        OSError: The file cannot be written; the one before is still there, as it was.
    """
    # A link would be replaced by a file.
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:
        kept = "; the file before it is kept" if target.is_file() else ""
        reason = f"{error.strerror or error}: it cannot be written{kept}"
        raise OSError(error.errno, reason, os.fspath(path)) from error


def cache_directory() -> Path:
    """Where the user's cache is: nothing in it is lost that cannot be made again.

    Without a home directory, as in a container whose user has no name, it is a folder of the user
    among the temporary ones.
    """
    try:
        folder = Path(platformdirs.user_cache_dir(_NAME))
    except RuntimeError:  # There is no home directory.
        return _temporary_cache()
    # Earlier versions return a literal "~" then.
    return folder if folder.is_absolute() else _temporary_cache()


def _replace(target: Path, content: bytes) -> None:
    # Not the target's name with an addition: that may be too long.
    part = target.with_name(f".{_NAME}-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # Before the new name: a crash must not leave it empty.
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def _temporary_cache() -> Path:
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"{_NAME}-{owner}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        is_ours = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
    except OSError:
        is_ours = False
    # Anybody may have made a folder of that name, to put weights of theirs into it.
    return folder if is_ours and folder.is_dir() else Path(tempfile.mkdtemp(prefix=f"{_NAME}-"))
