"""The cells of NAS-Bench-201.

Dong & Yang, *NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search*, 2020.

N: cells, T = 6: tokens, one an edge, E: edges, O: operations, S: sets of operations.
"""

from functools import cache
import itertools

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._architecture import Architecture
from optuna_dnas.search_space._declared import ArchitectureSpace
from optuna_dnas.search_space._parts import Choice
from optuna_dnas.search_space._parts import Repeat


NONE, SKIP = "none", "skip_connect"
NASBENCH201_OPS = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
# In the order of the usual string: by the node that an edge leads to, and the one it comes from.
_EDGES = tuple((i, j) for j in range(1, 4) for i in range(j))
_N_NODES = 4


class NASBench201Space(ArchitectureSpace):
    """Directed acyclic graphs of 4 nodes, with one of 5 operations on each of the 6 edges.

    Optuna parameters: ``edges_0`` to ``edges_5``, in the order of the usual string,
    ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``. 15,625 cells, of which 4,930 compute different
    functions: nothing comes through "none", "skip_connect" changes nothing, and the order of what
    a node adds up does not matter. (The paper counts 6,466; it keeps terms that are zero, and sums
    within sums.)
    """

    def __init__(self) -> None:
        super().__init__(edges=Repeat(Choice(*NASBENCH201_OPS), depth=len(_EDGES)))

    def to_string(self, architecture: Architecture) -> str:
        """As files and papers write a cell."""
        of_edge = dict(zip(_EDGES, architecture.edges, strict=True))
        nodes = (
            "".join(f"|{of_edge[i, j]}~{i}" for i in range(j)) + "|" for j in range(1, _N_NODES)
        )
        return "+".join(nodes)

    def parse(self, text: str) -> Architecture:
        """The inverse of `to_string`.

        Raises:
            OutOfDomainError: The text is no cell.
        """
        words = [word for word in text.replace("+", "|").split("|") if word]
        ops = tuple(word.partition("~")[0] for word in words)
        architecture = Architecture(edges=ops)
        is_known = len(ops) == len(_EDGES) and set(ops) <= set(NASBENCH201_OPS)
        if not is_known or self.to_string(architecture) != text:
            raise OutOfDomainError(f"This is no cell of NAS-Bench-201: {text!r}.")
        return architecture

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        cells, representative, _ = _equivalences()
        return cells[representative[canonical @ _PLACES]], valid

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) -> (N, F): how many edges have each operation, and paths.

        For each set of operations: how many paths from the input to the output have no others, and
        the lengths of the shortest and the longest of them; what Kadlecova et al., *Surprisingly
        Strong Performance Prediction with Neural Graph Features*, 2024, found to predict accuracy.
        """
        _, _, described = _equivalences()
        rows: FloatArray = described[np.asarray(tokens, dtype=np.int64) @ _PLACES]
        return rows


_PLACES = len(NASBENCH201_OPS) ** np.arange(len(_EDGES))[::-1]


@cache
def _equivalences() -> tuple[IntArray, IntArray, FloatArray]:
    """(N, T) all cells, (N,) the first one equivalent to each, and (N, F) their descriptors."""
    n_ops = len(NASBENCH201_OPS)
    cells = np.array(list(itertools.product(range(n_ops), repeat=len(_EDGES))), dtype=np.int64)
    first: dict[str, int] = {}
    functions = [_function(cell) for cell in cells.tolist()]
    representative = np.array([first.setdefault(text, n) for n, text in enumerate(functions)])
    return cells, representative, _describe(cells)


def _function(cell: list[int]) -> str:
    """The output of a cell as a formula of its input; equal functions have equal formulas."""
    # A node is a sum, whose terms are sorted. No terms: zero, which every operation keeps.
    nodes: list[list[str]] = [["x"]]
    for j in range(1, _N_NODES):
        terms: list[str] = []
        for i in range(j):
            op = NASBENCH201_OPS[cell[_EDGES.index((i, j))]]
            if op == SKIP:
                terms += nodes[i]
            elif op != NONE and nodes[i]:
                terms.append(f"{op}({' + '.join(nodes[i])})")
        nodes.append(sorted(terms))
    return " + ".join(nodes[-1])


def _describe(cells: IntArray) -> FloatArray:
    """(N, E) -> (N, F), see `NASBench201Space.descriptors`."""
    n_ops = len(NASBENCH201_OPS)
    columns = [(cells == op).sum(axis=1) for op in range(n_ops)]
    paths = [
        [_EDGES.index(edge) for edge in itertools.pairwise((0, *between, _N_NODES - 1))]
        for n in range(_N_NODES - 1)
        for between in itertools.combinations(range(1, _N_NODES - 1), n)
    ]
    for size in range(1, n_ops):
        for ops in itertools.combinations(range(1, n_ops), size):
            exists = np.stack([np.isin(cells[:, path], ops).all(axis=1) for path in paths], axis=1)
            lengths = np.array([len(path) for path in paths])
            columns.append(exists.sum(axis=1))
            columns.append(np.where(exists, lengths, _N_NODES).min(axis=1))
            columns.append(np.where(exists, lengths, 0).max(axis=1))
    return np.stack(columns, axis=1).astype(float)
