"""Checksums of files that hold JSON, of every byte: also of those that JSON does not heed.

A file has, anywhere, the JSON member ``"checksum": "..."`` of 64 hexadecimal digits: the SHA-256
of the file with zeros in their place.
"""

import hashlib
import re


CHECKSUM = "checksum"
"""The name of the member."""

UNSEALED = "0" * 64
"""Its value before :func:`seal`."""

# In a text within JSON, quotes have backslashes before them: this is no part of one.
_MEMBER = re.compile(rb'"checksum": ?"([0-9a-f]{64})"')


def seal(content: bytes) -> bytes:
    """The file with its checksum, which is `UNSEALED` before."""
    match = _MEMBER.search(content)
    assert match is not None
    digest = hashlib.sha256(content).hexdigest().encode()
    return _with(digest, match, content)


def is_intact(content: bytes) -> bool | None:
    """Whether the checksum is that of the file; `None`: there is none."""
    match = _MEMBER.search(content)
    if match is None:
        return None
    unsealed = _with(UNSEALED.encode(), match, content)
    return hashlib.sha256(unsealed).hexdigest().encode() == match[1]


def _with(digest: bytes, match: re.Match[bytes], content: bytes) -> bytes:
    return content[: match.start(1)] + digest + content[match.end(1) :]
