"""Cells: directed acyclic graphs of operations, as a part of a declaration.

N: graphs, t: tokens of one, V: states (inputs and nodes; number V is the output), F: descriptors.
A label is 0 where there is nothing, 1 for what changes nothing, and 2 + k for operation k.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from functools import lru_cache
import itertools
import math
from typing import Any
from typing import Literal
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._factors import Factor
from optuna_dnas.search_space._factors import LAYERS
from optuna_dnas.search_space._graph_picture import draw_graph
from optuna_dnas.search_space._graph_signature import describe_paths
from optuna_dnas.search_space._graph_signature import IDENTITY
from optuna_dnas.search_space._graph_signature import NOTHING
from optuna_dnas.search_space._graph_signature import Signature
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Leaf
from optuna_dnas.search_space._parts import MAX_VALUES
from optuna_dnas.search_space._parts import Part
from optuna_dnas.search_space._picture import Picture


# All graphs of so few are looked at once, in a second or two; of more, each when it is met.
_MAX_LISTED = 250_000
_CHUNK = 2_000  # whose arrays fit into a cache
_BITS = Choice(False, True)
_LAST_RANK = 1_000
_OPERATION, _CONNECTION = "operation", "connections"  # kinds of factors


@dataclass(frozen=True, kw_only=True)
class Graph(Part):
    """A cell: nodes in their order, each of which takes earlier ones.

    Example::

        Graph(nodes=4, op=Choice("gcn", "gat", "skip"), inputs=1, identity="skip")
        Graph(nodes=5, op=Choice("conv3x3", "maxpool3x3"), output="any", max_edges=9)
        Graph(nodes=3, edge_op=Choice("none", "skip", "conv"), output="last",
              none="none", identity="skip")
        Graph(nodes=4, n_inputs=2, edge_op=Choice("skip", "conv"), inputs=2, output="all")

    A state is an input or a node: states 0 to ``n_inputs - 1`` are the inputs, and the nodes
    follow. A node adds up what it takes. In an architecture, ``cell.nodes[k].inputs`` are the
    states that a node takes, ``op`` is its operation, ``ops`` are those of its edges, and
    ``cell.outputs`` are the states that make up the output.

    Optuna parameters, for state 2 of a part that is called ``cell``: ``cell_2_input`` or
    ``cell_2_inputs`` ("0+1"), or ``cell_2_from_0``, ``cell_2_from_1`` ...; ``cell_2_op``;
    ``cell_2_edge_0`` and so on for the operations of the edges of given ``inputs``.

    Graphs that are equal but for the order of their nodes, for nodes that no path from an input
    to the output visits and, where all of them can be listed, for what changes nothing, are one
    architecture.

    Args:
        nodes: How many there are, at most.
        op: The operations of a node.
        edge_op: The operations of an edge; one of both is needed.
        inputs: How many different earlier states a node takes, or all that there are if there are
            fewer; ``"any"``: each of them, or not (with ``edge_op``, an edge from each).
        n_inputs: Of the cell.
        output: What makes up the output: ``"leaves"``: the nodes that no node takes; ``"all"``
            nodes; the ``"last"`` one; ``"any"``: each state, or not.
        identity: The option that changes nothing.
        none: The option of ``edge_op`` that lets nothing through.
        max_edges: More edges, of those that lead from an input to the output, are not valid. With
            the output's, if that is ``"any"``.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    nodes: int
    op: Choice | None = None
    edge_op: Choice | None = None
    inputs: int | Literal["any"] = "any"
    n_inputs: int = 1
    output: Literal["leaves", "all", "last", "any"] = "leaves"
    identity: Any = None
    none: Any = None
    max_edges: int | None = None

    def __post_init__(self) -> None:
        for name in ("nodes", "n_inputs", *(["max_edges"] if self.max_edges is not None else [])):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be a positive integer, but got {value!r}.")
        if self.inputs != "any" and (type(self.inputs) is not int or self.inputs < 1):
            raise ValueError(
                f'`inputs` must be a positive integer or "any", but got {self.inputs!r}.'
            )
        if self.output not in ("leaves", "all", "last", "any"):
            raise ValueError(
                f'`output` must be one of "leaves", "all", "last", "any", but got {self.output!r}.'
            )
        choices = [choice for choice in (self.op, self.edge_op) if choice is not None]
        if not choices or not all(isinstance(choice, Choice) for choice in choices):
            raise ValueError(
                f"`op` or `edge_op` must be a Choice, but got {self.op!r} and {self.edge_op!r}."
            )
        for name, of in (("identity", choices), ("none", choices[-1:])):
            value = getattr(self, name)
            if value is not None and not any(value in choice.options for choice in of):
                raise ValueError(
                    f"`{name}` must be one of {[c.options for c in of]}, but got {value!r}."
                )
        n_sources = 1 if self.inputs == "any" else math.comb(self._n_states - 1, self.inputs)
        if n_sources > MAX_VALUES:
            raise ValueError(
                f"`inputs` must leave a node at most {MAX_VALUES} ways to take its inputs, but "
                f"the last of {self.nodes} has {n_sources} of {self.inputs}."
            )
        if self.none is not None and self.edge_op is None:
            raise ValueError(f"`none` needs `edge_op`, but got {self.none!r}.")

    # -- Parameters

    def leaves(self, name: str) -> list[Leaf]:
        leaves = []
        for v in range(self.n_inputs, self._n_states):
            for field, choice in self._fields(v).items():
                leaves.append(Leaf(f"{name}_{v}_{field}", choice, name, field, node=v))
        if self.output == "any":
            for u in range(self._n_states):
                field = f"from_{u}"
                leaf = Leaf(f"{name}_output_{field}", _BITS, name, field, node=self._n_states)
                leaves.append(leaf)
        return leaves

    @property
    def _n_states(self) -> int:
        return self.n_inputs + self.nodes

    def _fields(self, v: int) -> dict[str, Choice]:
        """The parameters of a node: what it takes, the operations of its edges, and its own."""
        return self._fields_of[v]

    @cached_property
    def _fields_of(self) -> dict[int, dict[str, Choice]]:
        # Costs ask for them with every candidate.
        return {v: self._make_fields(v) for v in range(self.n_inputs, self._n_states)}

    def _make_fields(self, v: int) -> dict[str, Choice]:
        fields: dict[str, Choice] = {}
        if self.inputs == "any":
            fields |= {f"from_{u}": self.edge_op or _BITS for u in range(v)}
        else:
            sources = self._sources(v)
            if len(sources) > 1:
                options = ["+".join(map(str, chosen)) for chosen in sources]
                fields["input" if self.inputs == 1 else "inputs"] = Choice(*options)
            if self.edge_op is not None:
                fields |= {f"edge_{i}": self.edge_op for i in range(len(sources[0]))}
        if self.op is not None:
            fields["op"] = self.op
        return fields

    def _sources(self, v: int) -> list[tuple[int, ...]]:
        """What a node of a given number of inputs may take: an earlier node's first."""
        assert self.inputs != "any"
        chosen = itertools.combinations(range(v), min(self.inputs, v))
        return sorted(chosen, key=lambda states: states[::-1])

    def build(self, name: str, params: Mapping[str, Any]) -> Architecture:
        """Raise `OutOfDomainError` if no input leads to the output."""
        nodes = []
        for v in range(self.n_inputs, self._n_states):
            values = {field: params[f"{name}_{v}_{field}"] for field in self._fields(v)}
            nodes.append(self._build_node(v, values))
        bits = {u: params.get(f"{name}_output_from_{u}", False) for u in range(self._n_states)}
        outputs = self._outputs(nodes, bits)
        if not outputs:
            raise OutOfDomainError(f"No input of `{name}` leads to its output.")
        return Architecture(nodes=tuple(nodes), outputs=outputs)

    def _build_node(self, v: int, values: Mapping[str, Any]) -> Architecture:
        if self.inputs == "any":
            edges = [values[f"from_{u}"] for u in range(v)]
            inputs = tuple(u for u in range(v) if self.edge_op is not None or edges[u])
        else:
            sources = self._sources(v)
            chosen = values.get("input" if self.inputs == 1 else "inputs")
            inputs = sources[0] if chosen is None else tuple(map(int, chosen.split("+")))
            edges = [values.get(f"edge_{i}") for i in range(len(inputs))]
        node: dict[str, Any] = {} if self.op is None else {"op": values["op"]}
        node["inputs"] = inputs
        if self.edge_op is not None:
            node["ops"] = tuple(edges)
        return Architecture(**node)

    def _outputs(self, nodes: list[Architecture], bits: Mapping[int, bool]) -> tuple[int, ...]:
        """The states that make up the output; of nodes with operations, those that are reached."""
        used: set[int] = set()
        reached = set(range(self.n_inputs))
        for v, node in enumerate(nodes, self.n_inputs):
            taken = {
                u
                for i, u in enumerate(node.inputs)
                if self.edge_op is None or self.none is None or node.ops[i] != self.none
            }
            used |= taken
            if self.edge_op is not None or reached & taken:
                reached.add(v)
        states = {
            "leaves": [v for v in range(self.n_inputs, self._n_states) if v not in used],
            "all": range(self.n_inputs, self._n_states),
            "last": [self._n_states - 1],
            "any": [u for u, bit in bits.items() if bit],
        }[self.output]
        return tuple(u for u in states if u in reached)

    def flatten(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        for v, node in enumerate(value.nodes, self.n_inputs):
            for field in self._fields(v):
                key = f"{name}_{v}_{field}"
                kind, _, place = field.partition("_")
                if kind == "op":
                    yield key, node.op
                elif kind == "edge" or (kind == "from" and self.edge_op is not None):
                    yield key, node.ops[int(place)]
                elif kind == "from":
                    yield key, int(place) in node.inputs
                else:
                    yield key, "+".join(map(str, node.inputs))
        if self.output == "any":
            for u in range(self._n_states):
                yield f"{name}_output_from_{u}", u in value.outputs

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(leaf.value.values) for leaf in self.leaves(""))

    @property
    def n_combinations(self) -> int:
        return math.prod(self._sizes)

    def rows(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*map(range, self._sizes))

    def to_json(self) -> dict[str, Any]:
        choices = {
            key: None if choice is None else choice.to_json()
            for key, choice in (("op", self.op), ("edge_op", self.edge_op))
        }
        names = ("nodes", "inputs", "n_inputs", "output", "identity", "none", "max_edges")
        return {"graph": choices | {key: getattr(self, key) for key in names}}

    def describe(self, name: str, value: Any) -> list[str]:
        lines = []
        for v, node in enumerate(value.nodes, self.n_inputs):
            if self.edge_op is None:
                taken = ", ".join(map(str, node.inputs))
            else:
                pairs = zip(node.ops, node.inputs, strict=True)
                taken = " + ".join(f"{op}({u})" for op, u in pairs if op != self.none) or "nothing"
            lines.append(f"{name} {v}: {taken if self.op is None else f'{node.op}({taken})'}")
        return [*lines, f"{name} output: {', '.join(map(str, value.outputs))}"]

    def picture(self, name: str, value: Any) -> Picture | None:
        """Of what leads from an input to the output; `None` where nothing does."""
        leaves = self.leaves(name)
        params = dict(self.flatten(name, value))
        row = [[leaf.value.values.index(params[leaf.name]) for leaf in leaves]]
        labels = self._alive(self._labels(np.array(row)))
        ops = {
            kind: () if choice is None else choice.options
            for kind, choice in (("node", self.op), ("edge", self.edge_op))
        }
        return draw_graph(
            labels.edges[0],
            labels.nodes[0],
            name=name,
            n_inputs=self.n_inputs,
            node_ops=ops["node"],
            edge_ops=ops["edge"],
            identity=str(self.identity),
        )

    def factors(self, name: str) -> tuple[list[Factor], list[Factor]]:
        basic = []
        for leaf in self.leaves(name):
            place = f"{name} output" if leaf.node == self._n_states else f"{name} {leaf.node}"
            field = str(leaf.field)
            kind, _, number = field.partition("_")
            if kind == "from" and leaf.value == _BITS:
                what = f"edge from {number} to {place}"
                basic.append(Factor(name=what, kind=_CONNECTION, phrases=(f"no {what}", what)))
                continue
            what, kind = {
                "op": (f"operation of {place}", _OPERATION),
                "from": (f"operation from {number} to {place}", _OPERATION),
                "edge": (f"operation of edge {number} to {place}", _OPERATION),
                "input": (f"input of {place}", _CONNECTION),
                "inputs": (f"inputs of {place}", _CONNECTION),
            }[kind]
            phrases = tuple(f"{what} is {option}" for option in leaf.value.values)
            basic.append(Factor(name=what, kind=kind, phrases=phrases))
        derived = [
            ("number of nodes", LAYERS),
            ("depth", LAYERS),
            ("number of edges", _CONNECTION),
            *((f"number of {op}", _OPERATION) for op in self._options),
        ]
        return basic, [
            Factor(name=f"{what} in {name}", kind=kind, is_derived=True) for what, kind in derived
        ]

    def measure(self, tokens: IntArray) -> tuple[FloatArray, FloatArray]:
        """What leads nowhere has no values."""
        labels = self._labels(tokens)
        alive = self._alive(labels)
        basic, _ = super().measure(tokens)
        for t, leaf in enumerate(self.leaves("")):
            if leaf.node is not None and leaf.node < self._n_states:
                basic[alive.nodes[:, leaf.node] == NOTHING, t] = np.nan
        inner = alive.nodes[:, self.n_inputs :]
        counts = [
            (inner != NOTHING).sum(axis=1),
            self._depths(alive).max(axis=1),
            (alive.edges[:, :, :-1] != NOTHING).sum(axis=(1, 2)),
        ]
        for op in self._options:
            n = np.zeros(len(tokens), dtype=np.int64)
            for choice, label_of, where in (
                (self.op, self._label_of_node, inner),
                (self.edge_op, self._label_of_edge, alive.edges[:, :, :-1]),
            ):
                if choice is not None and op in choice.options:
                    label = label_of[choice.options.index(op)]
                    n += (where == label).sum(axis=tuple(range(1, where.ndim)))
            counts.append(n)
        return basic, np.stack(counts, axis=1).astype(float)

    @cached_property
    def _options(self) -> tuple[Any, ...]:
        """All operations but the one that lets nothing through."""
        choices = [choice.options for choice in (self.op, self.edge_op) if choice is not None]
        named = dict.fromkeys(itertools.chain.from_iterable(choices))
        return tuple(op for op in named if op != self.none)

    # -- Tokens

    @property
    def is_movable(self) -> bool:
        return True

    def canonicalize(self, tokens: IntArray) -> tuple[IntArray, BoolArray]:
        """(N, t) tokens -> canonical ones, and (N,) which of them are graphs that may be built."""
        if self.n_combinations <= _MAX_LISTED:
            listed = _listed(self)
            place = listed.class_of[self._index(tokens)]
            return listed.rows[place].astype(np.int64), listed.valid[place]
        return self._sorted(tokens)

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, t) canonical tokens -> (N, F): counts of operations and edges, and paths.

        After Kadlecova et al., *Surprisingly Strong Performance Prediction with Neural Graph
        Features*, 2024: how often each operation occurs, next to the input and to the output, too,
        and of several sets of operations the number, the least and the greatest length of the
        paths on which there are no others.
        """
        if self.n_combinations <= _MAX_LISTED:
            described: FloatArray = _described(self)[_listed(self).class_of[self._index(tokens)]]
            return described.astype(float)
        return self._describe(self._labels(np.asarray(tokens, dtype=np.int64)))

    def _index(self, tokens: TokenArray) -> IntArray:
        """(N,) the place of each among all rows."""
        places = np.cumprod((1, *self._sizes[:0:-1]))[::-1]
        index: IntArray = np.asarray(tokens, dtype=np.int64) @ places
        return index

    @cached_property
    def _label_of_edge(self) -> IntArray:
        if self.edge_op is None:
            return np.array([NOTHING, IDENTITY])  # of a bit
        return _labels_of(self.edge_op, self.identity, self.none)

    @cached_property
    def _label_of_node(self) -> IntArray:
        if self.op is None:
            return np.empty(0, dtype=np.int64)
        return _labels_of(self.op, self.identity, None)

    def _labels(self, tokens: IntArray) -> "_Labels":
        """Edges and nodes as they are written."""
        n, n_states = len(tokens), self._n_states
        edges = np.zeros((n, n_states, n_states + 1), dtype=np.int64)
        nodes = np.ones((n, n_states), dtype=np.int64)
        columns, rows = iter(np.asarray(tokens).T), np.arange(n)
        label_of_edge = self._label_of_edge
        for v in range(self.n_inputs, n_states):
            if self.inputs == "any":
                for u in range(v):
                    column = next(columns)
                    edges[:, u, v] = (
                        column if self.edge_op is None else self._label_of_edge[column]
                    )
            else:
                sources = np.array(self._sources(v))
                chosen = sources[next(columns) if len(sources) > 1 else np.zeros(n, dtype=int)]
                for i in range(sources.shape[1]):
                    label = IDENTITY if self.edge_op is None else label_of_edge[next(columns)]
                    edges[rows, chosen[:, i], v] = label
            if self.op is not None:
                nodes[:, v] = self._label_of_node[next(columns)]
        if self.output == "any":
            for u in range(n_states):
                edges[:, u, n_states] = next(columns)
        else:
            edges[:, self.n_inputs :, n_states] = self._makes_output(edges)
        return _Labels(edges, nodes)

    def _makes_output(self, edges: IntArray) -> BoolArray:
        """(N, nodes) which nodes the output takes."""
        takes = np.ones((len(edges), self.nodes), dtype=bool)
        if self.output == "leaves":
            takes = ~(edges[:, self.n_inputs :, :-1] != NOTHING).any(axis=2)
        elif self.output == "last":
            takes[:, :-1] = False
        return takes

    def _signature(self, labels: "_Labels") -> Signature:
        return Signature.of(
            labels.edges, labels.nodes, n_inputs=self.n_inputs, adds_up=self.output == "last"
        )

    def _alive(self, labels: "_Labels") -> "_Labels":
        """The same without what is on no path from an input to the output."""
        signature = self._signature(labels)
        edges = np.where(signature.edge_is_alive, labels.edges, NOTHING)
        return _Labels(edges, np.where(signature.node_is_alive, labels.nodes, NOTHING))

    def _is_valid(self, labels: "_Labels", signature: Signature) -> BoolArray:
        """(N,) whether there is something to build, within the limit of edges."""
        valid = np.ones(len(labels.edges), dtype=bool)
        if self.edge_op is None:
            valid &= signature.has_output
        if self.max_edges is not None:
            counted = signature.edge_is_alive
            if self.output != "any":
                counted = counted[:, :, :-1]
            valid &= counted.sum(axis=(1, 2)) <= self.max_edges
        return valid

    def _sorted(self, tokens: IntArray) -> tuple[IntArray, BoolArray]:
        """The nodes by depth and by what they compute, and those that do not count last."""
        labels = self._labels(tokens)
        signature = self._signature(labels)
        alive = self._alive(labels)
        order = self._order(alive, signature)
        rows = np.arange(len(tokens))[:, None]
        targets = np.concatenate([order, np.full((len(order), 1), self._n_states)], axis=1)
        edges = alive.edges[rows[:, :, None], order[:, :, None], targets[:, None, :]]
        return (
            self._written(_Labels(edges, alive.nodes[rows, order])),
            self._is_valid(labels, signature),
        )

    def _depths(self, alive: "_Labels") -> IntArray:
        """(N, V) edges of the longest path from an input."""
        depth = np.zeros(alive.nodes.shape, dtype=np.int64)
        for v in range(self.n_inputs, self._n_states):
            exists = alive.edges[:, :v, v] != NOTHING
            depth[:, v] = np.where(exists, depth[:, :v] + 1, 0).max(axis=1)
        return depth

    def _order(self, alive: "_Labels", signature: Signature) -> IntArray:
        """(N, V) the old number of each new state."""
        exists, depth = alive.edges[:, :, :-1] != NOTHING, self._depths(alive)
        depth[:, self.n_inputs :] = np.where(
            signature.node_is_alive[:, self.n_inputs :], depth[:, self.n_inputs :], _LAST_RANK
        )
        depth[:, : self.n_inputs] = np.arange(-self.n_inputs, 0)
        if self.output == "last":
            depth[:, -1] = _LAST_RANK + 1
        order = np.lexsort((signature.of_node, depth), axis=1)
        # What looks alike is told apart by where its inputs are, from the first node on.
        for _ in range(self.nodes - 1):
            place = np.argsort(order, axis=1)
            taken = (exists * (1 << place)[:, :, None]).sum(axis=1)  # (N, V)
            better = np.lexsort((taken, signature.of_node, depth), axis=1)
            if np.array_equal(better, order):
                break
            order = better
        return order

    def _written(self, labels: "_Labels") -> IntArray:
        """(N, t) the tokens of graphs whose nodes are in order; what does not count is first."""
        n = len(labels.edges)
        columns: list[IntArray] = []
        for v in range(self.n_inputs, self._n_states):
            incoming = labels.edges[:, :v, v]  # (N, v)
            if self.inputs == "any":
                written = _option(self._label_of_edge, incoming)
                columns += list(written.T)
            else:
                columns += self._written_sources(v, incoming)
            if self.op is not None:
                columns.append(_option(self._label_of_node, labels.nodes[:, v]))
        if self.output == "any":
            columns += list((labels.edges[:, :, -1] != NOTHING).astype(np.int64).T)
        return np.stack(columns, axis=1) if columns else np.empty((n, 0), dtype=np.int64)

    def _written_sources(self, v: int, incoming: IntArray) -> list[IntArray]:
        sources = self._sources(v)
        n_taken = len(sources[0])
        # Those that are there, and the first of the others for edges that let nothing through.
        taken = np.sort(
            np.argsort(incoming == NOTHING, axis=1, kind="stable")[:, :n_taken], axis=1
        )
        place_of = {sum(1 << u for u in chosen): k for k, chosen in enumerate(sources)}
        masks = (1 << taken).sum(axis=1)
        columns = []
        if len(sources) > 1:
            place = np.zeros(1 << v, dtype=np.int64)
            place[list(place_of)] = list(place_of.values())
            columns.append(place[masks])
        if self.edge_op is not None:
            labels = np.take_along_axis(incoming, taken, axis=1)
            columns += list(_option(self._label_of_edge, labels).T)
        return columns

    def _describe(self, labels: "_Labels") -> FloatArray:
        return describe_paths(
            *self._alive(labels),
            n_inputs=self.n_inputs,
            n_node_ops=0 if self.op is None else len(self.op.options),
            n_edge_ops=0 if self.edge_op is None else len(self.edge_op.options),
        )


class _Labels(NamedTuple):
    edges: IntArray  # (N, V, V + 1) from, to; the last one is the output
    nodes: IntArray  # (N, V)


class _Listed(NamedTuple):
    """All graphs. R: combinations of parameters, C: different graphs."""

    class_of: np.ndarray  # (R,) of int32
    rows: TokenArray  # (C, t)
    valid: BoolArray  # (C,)


@lru_cache(maxsize=8)
def _listed(graph: Graph) -> _Listed:
    n, sizes = graph.n_combinations, graph._sizes
    hashes = np.empty(n, dtype=np.uint64)
    for start in range(0, n, _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, n))
        labels = graph._labels(np.stack(np.unravel_index(chunk, sizes), axis=1))
        hashes[chunk] = graph._signature(labels).of_graph
    _, first, class_of = np.unique(hashes, return_index=True, return_inverse=True)
    rows = np.stack(np.unravel_index(first, sizes), axis=1)
    valid = np.empty(len(rows), dtype=bool)
    for start in range(0, len(rows), _CHUNK):
        labels = graph._labels(rows[start : start + _CHUNK])
        valid[start : start + _CHUNK] = graph._is_valid(labels, graph._signature(labels))
    return _Listed(class_of.astype(np.int32).reshape(-1), rows.astype(np.int16), valid)


@lru_cache(maxsize=8)
def _described(graph: Graph) -> np.ndarray:
    """(C, F) of float32: the descriptors of all different graphs, which only predictors need."""
    rows = _listed(graph).rows.astype(np.int64)
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    parts = [graph._describe(graph._labels(chunk)).astype(np.float32) for chunk in chunks]
    return np.concatenate(parts)


def _labels_of(choice: Choice, identity: Any, none: Any) -> IntArray:
    """(K,) the label of each option."""
    options = choice.options
    labels = np.arange(2, 2 + len(options))
    for value, label in ((identity, IDENTITY), (none, NOTHING)):
        if value is not None and value in options:
            labels[options.index(value)] = label
    return labels


def _option(label_of: IntArray, labels: IntArray) -> IntArray:
    """The options that have these labels; the first one where none has."""
    option = np.zeros(2 + len(label_of), dtype=np.int64)
    option[label_of] = np.arange(len(label_of))
    return option[labels]
