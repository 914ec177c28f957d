"""One NASBench-101 cell."""

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib

import numpy as np
import numpy.typing as npt

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._cells import MAX_EDGES
from optuna_dnas.search_space._cells import MAX_VERTICES
from optuna_dnas.search_space._cells import on_path
from optuna_dnas.search_space._cells import OPS


_INPUT, _OUTPUT = "input", "output"


@dataclass(frozen=True, eq=False)
class ModelSpec:
    """A cell: a labelled directed graph, without the vertices that lie on no input-output path.

    ::

        matrix = [[0, 1, 1],      # input -> vertex 1, input -> output
                  [0, 0, 1],      # vertex 1 -> output
                  [0, 0, 0]]
        ops = ["input", "conv3x3-bn-relu", "output"]

    Two specs are equal if they are the same graph in the same vertex order; isomorphic ones have
    the same :meth:`hash`.

    Args:
        matrix: (n, n) upper-triangular adjacency of 0 and 1.
        ops: n labels: ``"input"``, the ops of the interior vertices, ``"output"``.

    Raises:
        OutOfDomainError: Input and output are not connected, or after pruning the cell has more
            than 7 vertices or 9 edges.
        ValueError: The arguments do not describe a graph.
    """

    matrix: npt.NDArray[np.int8]
    ops: tuple[str, ...]

    def __init__(self, matrix: npt.ArrayLike, ops: Sequence[str]) -> None:
        full = np.asarray(matrix)
        _check_graph(full, ops)
        kept = on_path(full[None].astype(np.int64))[0]
        if not kept.any():
            raise OutOfDomainError("The cell's input and output are not connected.")
        pruned = full[np.ix_(kept, kept)].astype(np.int8)
        if len(pruned) > MAX_VERTICES:
            raise OutOfDomainError(f"A cell has at most 7 vertices, but got {len(pruned)}.")
        if pruned.sum() > MAX_EDGES:
            raise OutOfDomainError(f"A cell has at most 9 edges, but got {pruned.sum()}.")
        pruned.flags.writeable = False
        object.__setattr__(self, "matrix", pruned)
        object.__setattr__(self, "ops", tuple(op for op, k in zip(ops, kept, strict=True) if k))

    @classmethod
    def parse(cls, text: str) -> "ModelSpec":
        """The inverse of ``str(spec)``."""
        try:
            ops, rows = text.split("|")
            matrix = [[int(edge) for edge in row] for row in rows.split("/")]
        except ValueError:
            raise ValueError(f"Not the text of a cell: {text!r}.") from None
        return cls(matrix, [_INPUT, *(op for op in ops.split(",") if op), _OUTPUT])

    def __str__(self) -> str:
        """For example ``conv3x3-bn-relu|011/001/000``."""
        rows = "/".join("".join(str(edge) for edge in row) for row in self.matrix)
        return f"{','.join(self.ops[1:-1])}|{rows}"

    def __repr__(self) -> str:
        return f"ModelSpec.parse({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSpec) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def hash(self) -> str:
        """The graph hash of the published table, 32 hexadecimal digits.

        Labels are refined by md5 over the sorted labels of predecessors and successors, n times
        (``graph_util.hash_module`` of google-research/nasbench).
        """
        matrix = self.matrix
        n = len(matrix)
        labels = [-1, *(OPS.index(op) for op in self.ops[1:-1]), -2]
        out_degree, in_degree = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
        hashes = [_md5(str(x)) for x in zip(out_degree, in_degree, labels, strict=True)]
        predecessors = [np.flatnonzero(matrix[:, v]).tolist() for v in range(n)]
        successors = [np.flatnonzero(matrix[v]).tolist() for v in range(n)]
        for _ in range(n):
            hashes = [
                _md5(
                    "".join(sorted(hashes[w] for w in predecessors[v]))
                    + "|"
                    + "".join(sorted(hashes[w] for w in successors[v]))
                    + "|"
                    + hashes[v]
                )
                for v in range(n)
            ]
        return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _check_graph(matrix: np.ndarray, ops: Sequence[str]) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"`matrix` must be (n, n) with n >= 2, but got shape {matrix.shape}.")
    if not np.isin(matrix, (0, 1)).all():
        raise ValueError("`matrix` must hold only 0 and 1.")
    if np.tril(matrix).any():
        raise ValueError("`matrix` must be strictly upper triangular.")
    if len(ops) != len(matrix):
        raise ValueError(f"`ops` must have {len(matrix)} labels, but got {len(ops)}.")
    if ops[0] != _INPUT or ops[-1] != _OUTPUT:
        raise ValueError(f"`ops` must begin with 'input' and end with 'output', but got {ops}.")
    for op in ops[1:-1]:
        if op not in OPS:
            raise ValueError(f"`ops` must be of {OPS}, but got {op!r}.")
