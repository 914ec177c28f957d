from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.objectives._nasbench101_record import parse_record
from optuna_dnas.objectives._stored_cell import CELL_DTYPE
from optuna_dnas.objectives._stored_cell import cell_to_graph
from optuna_dnas.objectives._stored_cell import spec_to_cell
from optuna_dnas.search_space import ModelSpec

from .records import double
from .records import encode_fields
from .records import evaluation
from .records import length_delimited
from .records import random_specs
from .records import Run
from .records import varint


SPEC = ModelSpec([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
RUN = Run(SPEC, halfway=(10.0, 0.5, 0.25, 0.125), final=(20.5, 0.75, 0.7, 0.6), parameters=300)
VALUES = (*RUN.halfway, *RUN.final)
finite = st.floats(allow_nan=False, allow_infinity=False)
four = st.tuples(finite, finite, finite, finite)


def bits(values: tuple[float, ...]) -> bytes:
    """Unlike ``==``, this tells 0.0 from -0.0."""
    return struct.pack(f"<{len(values)}d", *values)


def encode_message(message: bytes) -> bytes:
    return encode_fields(SPEC, 108, base64.b64encode(message).decode())


@given(halfway=four, final=four, parameters=st.integers(1, (1 << 31) - 1))
def test_values_are_read_bit_by_bit(
    halfway: tuple[float, ...], final: tuple[float, ...], parameters: int
) -> None:
    record = parse_record(Run(SPEC, halfway, final, epochs=36, parameters=parameters).encode())

    assert bits(record.values) == bits(halfway + final)
    assert record.epochs == 36
    assert np.frombuffer(record.cell, CELL_DTYPE)[0]["trainable_parameters"] == parameters


def test_graph_is_read() -> None:
    for spec in random_specs(np.random.default_rng(0), 100):
        record = parse_record(Run(spec, RUN.halfway, RUN.final).encode())
        cell = np.frombuffer(record.cell, CELL_DTYPE)[0]

        assert ModelSpec(*cell_to_graph(cell)) == spec
        assert cell["hash"].tobytes().hex() == spec.hash()
        assert spec_to_cell(spec, 1_000_000) == record.cell


@given(
    order=st.permutations(range(5)),
    metric_order=st.permutations(range(6)),
    checkpoint=st.binary(max_size=200),
)
def test_any_order_of_fields_is_the_same_record(
    order: list[int], metric_order: list[int], checkpoint: bytes
) -> None:
    def shuffled(values: tuple[float, ...]) -> bytes:
        fields = [double(number, x) for number, x in enumerate((1.0, *values), start=1)]
        fields.append(length_delimited(6, checkpoint))
        return b"".join(fields[i] for i in metric_order)

    others = [
        varint(2 << 3) + varint(RUN.parameters),
        double(3, 99.0),
        varint(50 << 3) + varint(1 << 60),  # fields that a later version may add
        varint(51 << 3 | 5) + b"abcd",
        length_delimited(52, b"more"),
    ]
    evaluations = map(shuffled, (tuple(RUN.initial), tuple(RUN.halfway), tuple(RUN.final)))
    message = b"".join(others[i] for i in order[:3])
    message += b"".join(length_delimited(1, x) for x in evaluations)
    message += b"".join(others[i] for i in order[3:])

    assert parse_record(encode_message(message)) == parse_record(RUN.encode())


@pytest.mark.parametrize("tail", [b"", b"\x32\x00", b"\x32\x03abc"])
def test_checkpoint_path_changes_nothing(tail: bytes) -> None:
    message = b"".join(
        length_delimited(1, evaluation(1.0, values) + tail)
        for values in (RUN.initial, RUN.halfway, RUN.final)
    )
    message += varint(2 << 3) + varint(RUN.parameters)

    assert parse_record(encode_message(message)) == parse_record(RUN.encode())


def test_every_cut_of_the_message_is_detected() -> None:
    message = RUN.message()
    end_of_needed = len(message) - len(double(3, 0.0))  # The total time is not read.
    for size in range(end_of_needed):
        with pytest.raises(ValueError, match=r"."):
            parse_record(encode_message(message[:size]))


def altered(index: int, value: Any) -> bytes:
    fields = json.loads(RUN.encode())
    fields[index] = value
    return json.dumps(fields).encode()


def message_of(*evaluations: bytes, parameters: int = 300) -> bytes:
    parts = [length_delimited(1, x) for x in evaluations]
    return encode_message(b"".join([*parts, varint(2 << 3), varint(parameters)]))


GOOD = evaluation(1.0, RUN.final)
BAD_RECORDS = {
    "no JSON": b"hello",
    "no UTF-8": b"\xff\xfe",
    "nested too deeply": b"[" * 100_000,
    "an object": b"{}",
    "four fields": json.dumps(json.loads(RUN.encode())[:4]).encode(),
    "a short hash": altered(0, "ab" * 15),
    "a hash with spaces": altered(0, "ab " * 10 + "ab"),
    "a hash of other letters": altered(0, "x" * 32),
    "epochs as text": altered(1, "108"),
    "epochs as bool": altered(1, True),
    "no epochs": altered(1, 0),
    "adjacency not square": altered(2, "01" * 4),
    "adjacency empty": altered(2, ""),
    "one vertex": altered(2, "0"),
    "eight vertices": altered(2, "0" * 64),
    "adjacency of a number": altered(2, "0120" + "0" * 5),
    "adjacency not triangular": altered(2, "011001100"),
    "an unknown operation": altered(3, "input,conv5x5-bn-relu,output"),
    "no input": altered(3, "conv1x1-bn-relu,maxpool3x3,output"),
    "too few operations": altered(3, "input,output"),
    "one operation": altered(3, "input"),
    "broken base64": altered(4, "abc"),
    "base64 with spaces": altered(4, "  " + json.loads(RUN.encode())[4]),
    "not ASCII": altered(4, "\u00e9"),
    "no evaluations": altered(4, ""),
    "two evaluations": message_of(GOOD, GOOD),
    "four evaluations": message_of(GOOD, GOOD, GOOD, GOOD),
    "a metric missing": message_of(GOOD, GOOD[:36], GOOD),
    "a metric cut": message_of(GOOD, GOOD[:40], GOOD),
    "NaN": message_of(GOOD, evaluation(1.0, (1.0, math.nan, 0.5, 0.5)), GOOD),
    "infinity": message_of(GOOD, GOOD, evaluation(1.0, (math.inf, 0.5, 0.5, 0.5))),
    "no parameters": message_of(GOOD, GOOD, GOOD, parameters=0),
    "negative parameters": message_of(GOOD, GOOD, GOOD, parameters=(1 << 64) - 5),
    "a number without an end": encode_message(b"\x10" + b"\xff" * 11),
    "an unknown wire type": encode_message(b"\x0b"),
}


@pytest.mark.parametrize("data", BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_what_the_format_does_not_promise_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse_record(data)
