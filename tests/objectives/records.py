"""Writers of synthetic NASBench-101 files, for tests."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
import itertools
import json
from pathlib import Path
import struct

import google_crc32c
import numpy as np

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives._checksum import CHECKSUM
from optuna_dnas.objectives._checksum import seal
from optuna_dnas.objectives._checksum import UNSEALED
from optuna_dnas.search_space import ModelSpec


OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


def frame(data: bytes, *, length: int | None = None) -> bytes:
    """One TFRecord; ``length`` lies about the data, with a right checksum."""
    header = struct.pack("<Q", len(data) if length is None else length)
    return header + _checksum(header) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) % (1 << 32))


@dataclass
class Run:
    """One run of one cell. Stops are (training time, train, validation, test accuracy)."""

    spec: ModelSpec
    halfway: Sequence[float]
    final: Sequence[float]
    epochs: int = 108
    parameters: int = 1_000_000
    initial: Sequence[float] = field(default=(0.0, 0.1, 0.1, 0.1))

    def encode(self) -> bytes:
        """The record as the official writer makes it, with lines in the base64."""
        metrics = base64.encodebytes(self.message()).decode()
        return encode_fields(self.spec, self.epochs, metrics)

    def message(self) -> bytes:
        parts = [
            length_delimited(1, evaluation(epoch, values))
            for epoch, values in (
                (0.0, self.initial),
                (self.epochs / 2, self.halfway),
                (float(self.epochs), self.final),
            )
        ]
        total_time = double(3, self.final[0] + 20.0)
        return b"".join([*parts, varint(2 << 3), varint(self.parameters), total_time])


def encode_fields(spec: ModelSpec, epochs: object, metrics: object) -> bytes:
    adjacency = "".join(str(edge) for edge in spec.matrix.ravel())
    return json.dumps([spec.hash(), epochs, adjacency, ",".join(spec.ops), metrics]).encode()


def evaluation(epoch: float, values: Sequence[float]) -> bytes:
    return b"".join(double(number, x) for number, x in enumerate((epoch, *values), start=1))


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def length_delimited(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def write_table(path: Path, runs: Iterable[Run]) -> Path:
    path.write_bytes(b"".join(frame(run.encode()) for run in runs))
    return path


def random_specs(rng: np.random.Generator, n: int) -> list[ModelSpec]:
    """``n`` cells of different hashes."""
    specs: dict[str, ModelSpec] = {}
    while len(specs) < n:
        size = int(rng.integers(2, 8))
        matrix = np.triu(rng.integers(2, size=(size, size)), k=1)
        try:
            spec = ModelSpec(matrix, ["input", *rng.choice(OPS, size - 2).tolist(), "output"])
        except OutOfDomainError:
            continue
        specs.setdefault(spec.hash(), spec)
    return list(specs.values())


def random_runs(
    rng: np.random.Generator, specs: Iterable[ModelSpec], *, epochs: Sequence[int], n_repeats: int
) -> list[Run]:
    """All runs, shuffled: a table does not rely on the order of cells."""
    parameters = itertools.count(1_000_000)
    runs = [
        Run(spec, _values(rng), _values(rng), epochs=e, parameters=n)
        for spec, n in zip(specs, parameters, strict=False)
        for e in epochs
        for _ in range(n_repeats)
    ]
    return [runs[i] for i in rng.permutation(len(runs))]


def _values(rng: np.random.Generator) -> tuple[float, ...]:
    return (float(rng.uniform(100, 4000)), *rng.random(3).tolist())


def reseal(store: Path) -> None:
    """Give a store the checksums of its files as they are now."""
    meta = json.loads((store / "meta.json").read_text())
    meta["crc32c"] = {
        path.name: google_crc32c.value(path.read_bytes()) for path in store.glob("*.npy")
    }
    text = json.dumps(meta | {CHECKSUM: UNSEALED})
    (store / "meta.json").write_bytes(seal(text.encode()))
