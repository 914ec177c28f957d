"""One record of the official NASBench-101 file: JSON around a protocol buffer.

A record is ``[hash, epochs, adjacency, operations, metrics]`` of one run. ``adjacency`` is the
text of an (n, n) matrix, row by row; ``metrics`` is a ``ModelMetrics`` message in base64. Source:
``api.py`` and ``lib/model_metrics.proto`` of google-research/nasbench.
"""

import binascii
from collections.abc import Iterator
from functools import lru_cache
import json
import math
import struct
from typing import Any
from typing import NamedTuple

from optuna_dnas.objectives._stored_cell import CELL_STRUCT
from optuna_dnas.objectives._stored_cell import edge_bit
from optuna_dnas.objectives._stored_cell import MAX_VERTICES
from optuna_dnas.objectives._stored_cell import OPS
from optuna_dnas.objectives._stored_cell import ops_to_bytes


# Tags of the messages: field number * 8 + wire type (0 varint, 1 eight bytes, 2 with a length).
_EVALUATION, _TRAINABLE_PARAMETERS = 0x0A, 0x10
_METRIC_TAGS = (0x11, 0x19, 0x21, 0x29)  # in the order of `METRIC_NAMES`
_WIRE_SIZES = {1: 8, 5: 4}
_FIXED = struct.Struct("<9xxdxdxdxd")
_FIXED_TAGS = bytes((0x09, *_METRIC_TAGS))
_FIXED_TAILS = (b"", b"\x32\x00")  # no checkpoint path, or an empty one


class Record(NamedTuple):
    """One run of one cell."""

    cell: bytes  # of `CELL_DTYPE`, it begins with the hash
    epochs: int
    values: tuple[float, ...]  # halfway, then final, in the order of `METRIC_NAMES`


def parse_record(data: bytes) -> Record:
    """``[hash, epochs, adjacency, operations, metrics]``; raise `ValueError` otherwise."""
    fields = json.loads(data.decode())
    if not isinstance(fields, list) or [type(x) for x in fields] != [str, int, str, str, str]:
        raise ValueError("It is not a list of a hash, epochs and three more texts.")
    hexadecimal, epochs, adjacency, operations, metrics = fields
    digest = bytes.fromhex(hexadecimal)
    if len(hexadecimal) != 32 or len(digest) != 16:
        raise ValueError(f"A hash has 32 digits, but got {hexadecimal!r}.")
    if not 0 < epochs < 1 << 16:
        raise ValueError(f"Epochs are positive, but got {epochs}.")
    n_vertices, bits = _parse_adjacency(adjacency)
    n_labels, ops = _parse_operations(operations)
    if n_labels != n_vertices:
        raise ValueError(f"There are {n_vertices} vertices, but {n_labels} operations.")
    # The official writer breaks base64 into lines.
    message = binascii.a2b_base64(metrics.replace("\n", ""), strict_mode=True)
    parameters, values = _parse_metrics(message)
    return Record(CELL_STRUCT.pack(digest, n_vertices, bits, ops, parameters), epochs, values)


@lru_cache(maxsize=1 << 16)
def _parse_adjacency(text: str) -> tuple[int, int]:
    """Row-major (n, n) of 0 and 1 -> n, and the bits of `CELL_DTYPE`."""
    n = math.isqrt(len(text))
    if n * n != len(text) or not 2 <= n <= MAX_VERTICES or not set(text) <= {"0", "1"}:
        raise ValueError(f"An adjacency is a square of 0 and 1, but got {text!r}.")
    edges = [divmod(k, n) for k, edge in enumerate(text) if edge == "1"]
    if any(i >= j for i, j in edges):
        raise ValueError(f"An adjacency is upper triangular, but got {text!r}.")
    return n, sum(1 << edge_bit(i, j) for i, j in edges)


@lru_cache(maxsize=1 << 12)
def _parse_operations(text: str) -> tuple[int, bytes]:
    """Labels with commas between -> how many, and the codes of the interior ones."""
    first, *interior, last = text.split(",") if "," in text else (text, "")
    if (first, last) != ("input", "output") or not set(interior) <= set(OPS):
        raise ValueError(f"Operations are 'input,...,output', but got {text!r}.")
    return len(interior) + 2, ops_to_bytes(interior)


def _parse_metrics(message: bytes) -> tuple[int, tuple[float, ...]]:
    """A ``ModelMetrics`` -> trainable parameters, and 8 values of halfway and final."""
    evaluations, parameters = [], 0
    for tag, value in _fields(message):
        if tag == _EVALUATION:
            evaluations.append(value)
        elif tag == _TRAINABLE_PARAMETERS:
            parameters = value
    if len(evaluations) != 3:
        raise ValueError(f"There are 3 evaluations of a run, but got {len(evaluations)}.")
    if not 0 < parameters < 1 << 31:
        raise ValueError(f"Trainable parameters are positive, but got {parameters}.")
    values = _parse_evaluation(evaluations[1]) + _parse_evaluation(evaluations[2])
    if not all(map(math.isfinite, values)):
        raise ValueError(f"Metrics are finite, but got {values}.")
    return parameters, values


def _parse_evaluation(message: bytes) -> tuple[float, ...]:
    """An ``EvaluationData`` -> its values in the order of `METRIC_NAMES`."""
    # All official records look like this: five doubles, 9 bytes each with their tags.
    if message[:45:9] == _FIXED_TAGS and len(message) >= 45 and message[45:] in _FIXED_TAILS:
        return _FIXED.unpack_from(message)
    doubles = {tag: value for tag, value in _fields(message) if tag in _METRIC_TAGS}
    if len(doubles) < len(_METRIC_TAGS):
        raise ValueError("A metric of an evaluation is missing.")
    return struct.unpack("<4d", b"".join(doubles[tag] for tag in _METRIC_TAGS))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The tags and values of a message: a number, or the bytes of doubles, floats, messages."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        wire_type = tag & 7
        if wire_type == 0:
            value, position = _varint(message, position)
            yield tag, value
            continue
        if wire_type == 2:
            size, position = _varint(message, position)
        elif wire_type in _WIRE_SIZES:
            size = _WIRE_SIZES[wire_type]
        else:
            raise ValueError(f"The message has the unknown wire type {wire_type}.")
        if position + size > end:
            raise ValueError("The message ends within a field.")
        yield tag, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number at a position, 7 bits a byte, and the position after it."""
    number = 0
    for shift, byte in zip(range(0, 70, 7), message[position : position + 10], strict=False):
        number |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return number, position
    raise ValueError("The message has a number without an end.")
