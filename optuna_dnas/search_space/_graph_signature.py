"""What graphs compute, as numbers: equal for equal graphs, whatever the order of their nodes.

N: graphs, V: states (inputs and nodes; number V is the output), P: sets of operations. Labels are
those of `_graph`. Numbers are 64 bits of a hash; what is added up has no order. Two graphs that
differ have one number by chance once in 10^19 pairs, or where several rounds of Weisfeiler and
Lehman's refinement do not tell them apart, *A Reduction of a Graph to a Canonical Form*, 1968.
"""

from collections.abc import Sequence
import itertools
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray


NOTHING, IDENTITY = 0, 1
_N_ROUNDS = 2
_INPUT, _OUTPUT = 1_000_001, 1_000_002
_FAR = 99
# Of so few operations, all sets of them; of more, each one alone, and all but each one.
_MAX_OPS_OF_SETS = 4

Hashes = np.ndarray  # of uint64


class Signature(NamedTuple):
    """Of graphs, their nodes and edges."""

    of_graph: Hashes  # (N,)
    of_node: Hashes  # (N, V)
    node_is_alive: BoolArray  # (N, V) on a path from an input to the output
    edge_is_alive: BoolArray  # (N, V, V + 1)
    has_output: BoolArray  # (N,) some input leads to the output

    @classmethod
    def of(cls, edges: IntArray, nodes: IntArray, *, n_inputs: int, adds_up: bool) -> "Signature":
        """(N, V, V + 1) and (N, V) labels.

        Args:
            edges: From, to.
            nodes: Of the inputs, `IDENTITY`.
            n_inputs: How many of the states are inputs, which differ.
            adds_up: Whether the output is a node's sum, else it keeps apart what it takes.
        """
        edge_codes, node_codes = _codes(edges), _codes(nodes)
        for _ in range(_N_ROUNDS):
            flow = _flow(edge_codes, node_codes, n_inputs=n_inputs, adds_up=adds_up)
            is_op = node_codes > IDENTITY
            around = _mix(_mix(node_codes, flow.incoming), flow.returned)
            node_codes = np.where(is_op, around, node_codes)
            edge_around = _mix(
                _mix(edge_codes, flow.outgoing[:, :, None]), flow.needed[:, None, :]
            )
            edge_codes = np.where(edge_codes > IDENTITY, edge_around, edge_codes)
        node_is_alive = (flow.outgoing != 0) & (flow.returned != 0)
        edge_is_alive = (
            (edges != NOTHING) & (flow.outgoing != 0)[:, :, None] & (flow.needed != 0)[:, None, :]
        )
        node_sum = np.where(node_is_alive & is_op, node_codes, 0).sum(axis=1, dtype=np.uint64)
        is_edge_op = edge_is_alive & (edge_codes > IDENTITY)
        edge_sum = np.where(is_edge_op, edge_codes, 0).sum(axis=(1, 2), dtype=np.uint64)
        return cls(
            of_graph=_mix(flow.result, node_sum + edge_sum),
            of_node=_mix(_mix(node_codes, flow.outgoing), flow.returned),
            node_is_alive=node_is_alive,
            edge_is_alive=edge_is_alive,
            has_output=flow.result != 0,
        )


class _Flow(NamedTuple):
    """What arrives where; 0 is nothing."""

    incoming: Hashes  # (N, V) what a node takes
    outgoing: Hashes  # (N, V) what it gives
    returned: Hashes  # (N, V) what becomes of what it gives
    needed: Hashes  # (N, V + 1) what becomes of what it takes
    result: Hashes  # (N,) what the output takes


def _flow(edges: Hashes, nodes: Hashes, *, n_inputs: int, adds_up: bool) -> _Flow:
    n, n_states = nodes.shape
    incoming, outgoing, returned = (np.zeros((n, n_states), dtype=np.uint64) for _ in range(3))
    for v in range(n_states):
        if v < n_inputs:
            incoming[:, v] = outgoing[:, v] = _code(_INPUT + v)
            continue
        incoming[:, v] = _apply(edges[:, :v, v], outgoing[:, :v]).sum(axis=1)
        outgoing[:, v] = _apply(nodes[:, v], incoming[:, v])
    taken = np.where(edges[:, :, -1] != 0, outgoing, 0)
    if not adds_up:
        taken = _apply(np.full_like(taken, _code(_OUTPUT)), taken)
    needed = np.full((n, n_states + 1), _code(_OUTPUT))
    for v in reversed(range(n_states)):
        after = slice(v + 1, None)
        returned[:, v] = _apply(edges[:, v, after], needed[:, after]).sum(axis=1)
        needed[:, v] = _apply(nodes[:, v], returned[:, v])
    return _Flow(incoming, outgoing, returned, needed, taken.sum(axis=1))


def _apply(ops: Hashes, values: Hashes) -> Hashes:
    """Nothing through nothing; the same through the identity; a new number through an op."""
    result = np.where(ops == IDENTITY, values, _mix(ops, values))
    result[(ops == NOTHING) | (values == 0)] = 0
    return result


def _mix(a: Hashes, b: Hashes) -> Hashes:
    """A number of two, in their order: the finalizer of SplitMix64 (Steele et al., 2014)."""
    z: Hashes = a * np.uint64(0xD1342543DE82EF95) + b * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


def _codes(labels: IntArray) -> Hashes:
    """Labels of operations are spread out; the other two stay."""
    of_label = np.arange(int(labels.max(initial=IDENTITY)) + 1, dtype=np.uint64)
    of_label[2:] = _mix(of_label[2:], of_label[2:])
    return of_label[labels]


def _code(number: int) -> np.uint64:
    whole = np.array([number], dtype=np.uint64)
    return np.uint64(_mix(whole, whole)[0])


def describe_paths(
    edges: IntArray, nodes: IntArray, *, n_inputs: int, n_node_ops: int, n_edge_ops: int
) -> FloatArray:
    """(N, V, V + 1) and (N, V) labels of what is alive -> (N, F): see `Graph.descriptors`."""
    columns: list[FloatArray] = [
        (edges[:, :, :-1] != NOTHING).sum(axis=(1, 2)),
        (edges[:, :, -1] != NOTHING).sum(axis=1),
        (nodes[:, n_inputs:] != NOTHING).sum(axis=1),
    ]
    from_input = (edges[:, :n_inputs, :-1] != NOTHING).any(axis=1)
    to_output = edges[:, :, -1] != NOTHING
    for label in range(IDENTITY, 2 + n_node_ops) if n_node_ops else ():
        is_op = nodes == label
        is_op[:, :n_inputs] = False
        columns += [x.sum(axis=1) for x in (is_op, is_op & from_input, is_op & to_output)]
    for label in range(IDENTITY, 2 + n_edge_ops) if n_edge_ops else ():
        is_op = edges[:, :, :-1] == label
        columns += [
            is_op.sum(axis=(1, 2)),
            is_op[:, :n_inputs].sum(axis=(1, 2)),
            (is_op & to_output[:, None, :]).sum(axis=(1, 2)),
        ]
    for node_labels, edge_labels in _sets(n_node_ops, n_edge_ops):
        columns += _paths(
            edges, nodes, n_inputs=n_inputs, allowed_nodes=node_labels, allowed_edges=edge_labels
        )
    return np.stack(columns, axis=1).astype(float)


def _sets(n_node_ops: int, n_edge_ops: int) -> list[tuple[Sequence[int], Sequence[int]]]:
    """The labels that are allowed on nodes and on edges; what changes nothing always is."""
    all_nodes, all_edges = range(2, 2 + n_node_ops), range(2, 2 + n_edge_ops)
    sets: list[tuple[Sequence[int], Sequence[int]]] = []
    if n_node_ops:
        sets += [(of_nodes, all_edges) for of_nodes in _subsets(all_nodes)]
    if n_edge_ops:
        sets += [(all_nodes, of_edges) for of_edges in _subsets(all_edges)]
    return sets


def _subsets(labels: Sequence[int]) -> list[Sequence[int]]:
    if len(labels) <= _MAX_OPS_OF_SETS:
        return [s for n in range(1, len(labels) + 1) for s in itertools.combinations(labels, n)]
    all_but_one = [[label for label in labels if label != left] for left in labels]
    return [*([label] for label in labels), *all_but_one, labels]


def _paths(
    edges: IntArray,
    nodes: IntArray,
    *,
    n_inputs: int,
    allowed_nodes: Sequence[int],
    allowed_edges: Sequence[int],
) -> list[FloatArray]:
    """How many paths there are, and how many operations are on the shortest and the longest."""
    n, n_states = nodes.shape
    node_ok, edge_ok = (
        np.isin(nodes, (IDENTITY, *allowed_nodes)),
        np.isin(edges, (IDENTITY, *allowed_edges)),
    )
    node_length = (nodes > IDENTITY).astype(np.int64)
    edge_length = (edges > IDENTITY).astype(np.int64)
    counts, least, most = (np.zeros((n, n_states + 1), dtype=np.int64) for _ in range(3))
    counts[:, :n_inputs] = 1
    for v in range(n_inputs, n_states + 1):
        ok = edge_ok[:, :v, v] & (counts[:, :v] > 0)
        is_node = v < n_states
        if is_node:
            ok = ok & node_ok[:, [v]]
        own = node_length[:, v] if is_node else 0
        counts[:, v] = np.where(ok, counts[:, :v], 0).sum(axis=1)
        steps = edge_length[:, :v, v]
        least[:, v] = np.where(ok, least[:, :v] + steps, _FAR).min(axis=1) + own
        most[:, v] = np.where(ok, most[:, :v] + steps, -1).max(axis=1) + own
    found = counts[:, -1] > 0
    return [
        np.log1p(counts[:, -1]),
        np.where(found, least[:, -1], n_states),
        np.where(found, most[:, -1], -1).astype(float),
    ]
