"""The NASBench-101 cell space."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Token
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cells import ABSENT
from optuna_dnas.search_space._cells import canonical_form
from optuna_dnas.search_space._cells import edge_pairs
from optuna_dnas.search_space._cells import MAX_VERTICES
from optuna_dnas.search_space._cells import OPS
from optuna_dnas.search_space._cells import prune
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._factors import Guidance
from optuna_dnas.search_space._model_spec import ModelSpec
from optuna_dnas.search_space._nasbench101_cost import cost_range
from optuna_dnas.search_space._nasbench101_cost import network_cost
from optuna_dnas.search_space._nasbench101_cost import NetworkShape
from optuna_dnas.search_space._nasbench101_descriptors import describe
from optuna_dnas.search_space._nasbench101_factors import NASBench101Factors
from optuna_dnas.search_space._nasbench101_picture import describe_cell
from optuna_dnas.search_space._nasbench101_picture import draw_cell
from optuna_dnas.search_space._nasbench101_unique import all_unique
from optuna_dnas.search_space._nasbench101_unique import N_UNIQUE_CELLS
from optuna_dnas.search_space._nasbench101_unique import sample_unique
from optuna_dnas.search_space._picture import Picture


class NASBench101Space(SearchSpace[ModelSpec]):
    """Cells of up to 7 vertices and 9 edges with the ops conv3x3, conv1x1 and maxpool3x3.

    Optuna parameters: ``edge_{i}_{j}`` (0 or 1) for vertices i < j, and ``op_{v}`` of interior
    vertices. Tokens: the edges column by column, then the ops, which have one more choice
    ("absent"). Canonical tokens are pruned, and their vertices in canonical order.

    Args:
        max_vertices: V, input and output included.
        network: The network around the cell, for :meth:`cost`.
        limits: What a search may propose; by default any cell. They leave the space as it is.

    Raises:
        ValueError: No cell is within the limits; the message names the one that is too tight.
    """

    search = "declared"
    cost_names = ("flops", "params")

    def __init__(
        self,
        *,
        max_vertices: int = MAX_VERTICES,
        network: NetworkShape | None = None,
        limits: Limits | None = None,
    ) -> None:
        if max_vertices not in N_UNIQUE_CELLS:
            raise ValueError(f"`max_vertices` must be from 2 to 7, but got {max_vertices}.")
        self.max_vertices = max_vertices
        self.network = network or NetworkShape()
        self._pairs = edge_pairs(max_vertices)
        self.limits = CostLimits(limits)
        self._check_limits()

    def __repr__(self) -> str:
        text = f"max_vertices={self.max_vertices}, network={self.network}"
        if self.limits:
            text += f", limits={self.limits}"
        return f"NASBench101Space({text})"

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        edge, op = CategoricalDistribution((0, 1)), CategoricalDistribution(OPS)
        edges: dict[str, BaseDistribution] = {f"edge_{i}_{j}": edge for i, j in self._pairs}
        return edges | {f"op_{v}": op for v in range(1, self.max_vertices - 1)}

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return dict(self._distributions)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        # A step is a vertex: its incoming edges, then its op, which the output has not.
        edges = [Token(f"edge_{i}_{j}", 2, step=j - 1, slot=i) for i, j in self._pairs]
        ops = [
            Token(f"op_{v}", len(OPS) + 1, step=v - 1, slot=self.max_vertices - 1)
            for v in range(1, self.max_vertices - 1)
        ]
        return Vocabulary(edges + ops)

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @cached_property
    def factor_model(self) -> NASBench101Factors:
        return NASBench101Factors(self)

    @property
    def guidance(self) -> Guidance:
        """Operations, depth, edges, the input-output skip and, where cells of fewer vertices are
        common enough to be learned from, the number of vertices.

        The rest of the latents are free. What takes several tokens at once is controlled more
        often. Weights ship for 5 and for 7 vertices.
        """
        shares = {f"operation of vertex {v}": 1.0 for v in range(1, self.max_vertices - 1)}
        shares |= {"depth": 5.0, "number of edges": 2.0, "input-output skip": 3.0}
        if self.max_vertices < MAX_VERTICES:
            return Guidance(shares, latent_dim=10, hidden_dim=96, n_cells=2_500, n_steps=6_000)
        shares["number of vertices"] = 2.0
        return Guidance(shares, latent_dim=24, hidden_dim=128, n_cells=60_000, n_steps=12_000)

    @property
    def size(self) -> float:
        return sum(n for v, n in N_UNIQUE_CELLS.items() if v <= self.max_vertices)

    @property
    def declaration(self) -> dict[str, Any]:
        return {
            "max_vertices": self.max_vertices,
            "network": asdict(self.network),
            "limits": self.limits.by_key,
        }

    @classmethod
    def from_declaration(cls, declaration: Mapping[str, Any]) -> "NASBench101Space":
        """The inverse of :attr:`declaration`, also after JSON."""
        return cls(
            max_vertices=declaration["max_vertices"],
            network=NetworkShape(**declaration["network"]),
            limits=CostLimits().replaced(declaration["limits"]),
        )

    @property
    def cost_range(self) -> tuple[Cost, Cost]:
        return cost_range(self.max_vertices, self.network)

    def params_to_architecture(self, params: Mapping[str, Any]) -> ModelSpec:
        n = self.max_vertices
        matrix = np.zeros((n, n), dtype=np.int8)
        for i, j in self._pairs:
            matrix[i, j] = params[f"edge_{i}_{j}"]
        interior = [params[f"op_{v}"] for v in range(1, n - 1)]
        return ModelSpec(matrix, ["input", *interior, "output"])

    def architecture_to_params(self, architecture: ModelSpec) -> dict[str, Any]:
        return self.tokens_to_params(self._canonical_tokens(architecture))[0]

    def canonical(self, architecture: ModelSpec) -> ModelSpec:
        return self.tokens_to_architectures(self._canonical_tokens(architecture))[0]

    def hash(self, architecture: ModelSpec) -> str:
        return architecture.hash()

    def cost(self, architecture: ModelSpec) -> Cost:
        """Multiply-adds and trainable parameters of the network, exactly.

        They belong to the cell as written: where channels do not divide evenly, the vertex order
        decides which vertex has one more.
        """
        adjacency = architecture.matrix[None].astype(np.int64)
        ops = np.array([[OPS.index(op) for op in architecture.ops[1:-1]]], dtype=np.int64)
        flops, params = network_cost(adjacency, ops, self.network)
        return Cost(flops=int(flops[0]), params=int(params[0]))

    def draw(self, architecture: ModelSpec) -> str:
        """One line a vertex: its op, and where its edges go."""
        return describe_cell(architecture)

    def picture(self, architecture: ModelSpec) -> Picture:
        """The canonical cell as a layered graph."""
        return draw_cell(self.canonical(architecture))

    def sample(self, rng: np.random.Generator, n: int) -> list[ModelSpec]:
        """Cells that are uniform over the unique (non-isomorphic) valid cells of the space."""
        return self.tokens_to_architectures(self.sample_tokens(n, rng))

    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        counts = np.array([N_UNIQUE_CELLS[v] for v in range(2, self.max_vertices + 1)], float)
        n_vertices = 2 + rng.choice(len(counts), size=n, p=counts / counts.sum())
        tokens = np.empty((n, len(self.vocabulary)), dtype=np.int64)
        for v in np.unique(n_vertices):
            rows = np.flatnonzero(n_vertices == v)
            tokens[rows] = self._embed(*sample_unique(int(v), len(rows), rng))
        return tokens

    def sample_written_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        """Cells of uniform edges and ops, by rejection: most have lost vertices by pruning."""
        kept = np.empty((0, len(self.vocabulary)), dtype=np.int64)
        while len(kept) < n:
            edges = rng.integers(0, 2, (2 * n, len(self._pairs)))
            ops = rng.integers(0, len(OPS), (2 * n, self.max_vertices - 2))
            canonical, valid = self.canonicalize(np.concatenate([edges, ops], axis=1))
            kept = np.concatenate([kept, canonical[valid]])
        return kept[:n]

    def enumerate_tokens(self) -> IntArray:
        """(N, T) all unique cells, smallest first; for up to 6 vertices.

        Raises:
            ValueError: The space has 7 vertices, too many cells to enumerate.
        """
        if self.max_vertices == MAX_VERTICES:
            raise ValueError("A space of 7 vertices is too large to enumerate.")
        sizes = range(2, self.max_vertices + 1)
        return np.concatenate([self._embed(*all_unique(v)) for v in sizes])

    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> IntArray:
        indices = {op: k for k, op in enumerate(OPS)}
        edges = [f"edge_{i}_{j}" for i, j in self._pairs]
        ops = [f"op_{v}" for v in range(1, self.max_vertices - 1)]
        rows = [[int(p[e]) for e in edges] + [indices[p[o]] for o in ops] for p in params]
        return np.array(rows, dtype=np.int64).reshape(len(params), len(self.vocabulary))

    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        """An absent vertex is written with the first op: without edges, its op says nothing."""
        n_edges = len(self._pairs)
        names = list(self._distributions)
        params = []
        for row in np.asarray(tokens).tolist():
            ops = [OPS[op % ABSENT] for op in row[n_edges:]]
            params.append(dict(zip(names, row[:n_edges] + ops, strict=True)))
        return params

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        adjacency, ops, valid = prune(*self._split(tokens))
        form = canonical_form(adjacency, ops)
        return self._join(form.adjacency, form.ops), valid

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, int]:
        fixed = {}
        for k, (name, distribution) in enumerate(self._distributions.items()):
            assert isinstance(distribution, CategoricalDistribution)
            if name in params and params[name] in distribution.choices:
                fixed[k] = distribution.choices.index(params[name])
        return fixed

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, 38): see `describe`, and the logarithms of both costs."""
        adjacency, ops, _ = prune(*self._split(tokens))
        costs = np.log(self.token_costs(tokens))
        return np.concatenate([describe(adjacency, ops), costs], axis=1)

    def token_costs(self, tokens: TokenArray) -> FloatArray:
        adjacency, ops, _ = prune(*self._split(tokens))
        cost = network_cost(adjacency, ops, self.network)
        return np.stack([cost.flops, cost.params], axis=1).astype(float)

    def tokens_to_architectures(self, tokens: TokenArray) -> list[ModelSpec]:
        """(N, T) valid tokens -> N cells."""
        adjacency, ops = self._split(tokens)
        # The op that is put for "absent" is pruned away with its vertex.
        labels = [[OPS[o % ABSENT] for o in row] for row in ops.tolist()]
        return [
            ModelSpec(matrix, ["input", *interior, "output"])
            for matrix, interior in zip(adjacency, labels, strict=True)
        ]

    def architectures_to_tokens(self, architectures: Sequence[ModelSpec]) -> IntArray:
        """N cells -> (N, T) tokens in the vertex order of the cells, the output last.

        Raises:
            OutOfDomainError: A cell has more vertices than the space.
        """
        tokens = np.empty((len(architectures), len(self.vocabulary)), dtype=np.int64)
        for row, spec in zip(tokens, architectures, strict=True):
            if len(spec.ops) > self.max_vertices:
                raise OutOfDomainError(
                    f"The space has cells of at most {self.max_vertices} vertices, "
                    f"but got {len(spec.ops)}."
                )
            ops = np.array([[OPS.index(op) for op in spec.ops[1:-1]]], dtype=np.int64)
            row[:] = self._embed(spec.matrix[None].astype(np.int64), ops)[0]
        return tokens

    def _canonical_tokens(self, architecture: ModelSpec) -> IntArray:
        return self.canonicalize(self.architectures_to_tokens([architecture]))[0]

    def _split(self, tokens: TokenArray) -> tuple[IntArray, IntArray]:
        """(N, T) -> adjacency (N, V, V), ops (N, V - 2)."""
        n_edges, n = len(self._pairs), self.max_vertices
        adjacency = np.zeros((len(tokens), n, n), dtype=np.int64)
        rows, columns = np.array(self._pairs).T
        adjacency[:, rows, columns] = tokens[:, :n_edges]
        return adjacency, np.asarray(tokens[:, n_edges:], dtype=np.int64)

    def _join(self, adjacency: IntArray, ops: IntArray) -> IntArray:
        rows, columns = np.array(self._pairs).T
        return np.concatenate([adjacency[:, rows, columns], ops], axis=1)

    def _embed(self, adjacency: IntArray, ops: IntArray) -> IntArray:
        """Cells of fewer vertices -> (N, T) tokens: the output goes to the last slot."""
        v = adjacency.shape[1]
        slots = np.array([*range(v - 1), self.max_vertices - 1])
        wide = np.zeros((len(adjacency), self.max_vertices, self.max_vertices), dtype=np.int64)
        wide[:, slots[:, None], slots] = adjacency
        wide_ops = np.full((len(adjacency), self.max_vertices - 2), ABSENT)
        wide_ops[:, : v - 2] = ops
        return self._join(wide, wide_ops)
