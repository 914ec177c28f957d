"""Tables of spaces that the package does not have, declared in a few lines.

They are not a part of this project: `OPTUNA_DNAS_TABLES` names a folder with

- ``nasbench201_cifar10.npz``: of NAS-Bench-201 (Dong & Yang, 2020), ``ops`` (15625, 6), the
  operations of the edges in the order of the usual string, as places in ``op_names``, and
  ``validation_accuracy`` in percent;
- ``gnn_citeseer.npz``: of NAS-Bench-Graph (Qin et al., 2022), ``link_op`` (59049, 5): a place in
  ``links``, which says from where each of four operations takes its input, and four in
  ``op_names``; and ``validation_accuracy``.

A cell that is no network is as bad as the worst one.

The cells of the package's own tables are there, too, as a user would declare them.
"""

from collections.abc import Callable
from collections.abc import Iterator
import functools
import itertools
import os
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection

from benchmarks.options import open_table
from benchmarks.user_studies._case import Case
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Graph
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBENCH201_OPS
from optuna_dnas.search_space import NASBench201Space
from optuna_dnas.search_space import OPS
from optuna_dnas.search_space import Repeat
from optuna_dnas.search_space import SearchSpace


TABLES_VARIABLE = "OPTUNA_DNAS_TABLES"
_MAX_EDGES = 9  # of NASBench-101
_GNN_OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
_GNN_LINKS = (
    *("0-0-0-0", "0-0-0-1", "0-0-1-1", "0-0-1-2", "0-0-1-3"),
    *("0-1-1-1", "0-1-1-2", "0-1-2-2", "0-1-2-3"),
)

Row = tuple[int, ...]
"""An architecture in a table's own parameters."""


class Tabulated(Case):
    """Validation accuracy in percent, as a table has it.

    Args:
        seed: Not used.
        file: The name of the table.
        space: Of its architectures.
        rows: An architecture -> rows that the table may have it under.
    """

    n_trials = 100
    direction = StudyDirection.MAXIMIZE

    def __init__(
        self,
        seed: int,
        *,
        file: str,
        space: SearchSpace[Any],
        rows: Callable[[Architecture], Iterator[Row]],
    ) -> None:
        super().__init__(seed)
        self.space, self._suggest, self._rows = space, space.suggest, rows
        self._values = _values(file)
        self.optimum = max(self._values.values())
        self._worst = min(self._values.values())

    def __call__(self, trial: optuna.Trial) -> float:
        rows = self._rows(self._suggest(trial))
        return next((self._values[row] for row in rows if row in self._values), self._worst)


class Cells(Case):
    """Validation or test accuracy in percent of cells that are declared as graphs.

    Args:
        seed: Not used.
        table: Has the cells.
        metric: Of the table.
        nodes: Of the cells, at most.
    """

    n_trials = 100
    direction = StudyDirection.MAXIMIZE

    def __init__(
        self,
        seed: int,
        *,
        table: Callable[[], DigitsTable | NASBench101Table],
        metric: str,
        nodes: int,
    ) -> None:
        super().__init__(seed)
        graph = Graph(nodes=nodes, op=Choice(*OPS), output="any", max_edges=_MAX_EDGES)
        space = ArchitectureSpace(cell=graph)
        self.space, self._suggest = space, space.suggest
        self._table, self._metric = table(), metric
        values = self._table.mean(metric)
        self.optimum, self._worst = 100 * float(np.nanmax(values)), 100 * float(np.nanmin(values))

    def __call__(self, trial: optuna.Trial) -> float:
        try:
            return 100 * self._query(self._suggest(trial).cell)
        except OutOfDomainError:
            return self._worst

    def _query(self, cell: Architecture) -> float:
        n = len(cell.nodes) + 1
        matrix = np.zeros((n + 1, n + 1), dtype=np.int8)
        for v, node in enumerate(cell.nodes, 1):
            matrix[list(node.inputs), v] = 1
        matrix[list(cell.outputs), n] = 1
        ops = ["input", *(node.op for node in cell.nodes), "output"]
        return float(self._table.query(ModelSpec(matrix, ops)).by_name()[self._metric])


@functools.cache
def _values(file: str) -> dict[Row, float]:
    folder = os.environ.get(TABLES_VARIABLE)
    if folder is None:
        raise FileNotFoundError(f"{TABLES_VARIABLE} must name the folder with {file}.")
    table = np.load(Path(folder) / file, allow_pickle=False)
    values = table["validation_accuracy"].astype(float).tolist()
    if "ops" in table:
        return dict(zip(map(tuple, table["ops"].tolist()), values, strict=True))
    links = table["links"].tolist()
    keys = ((*links[link], *ops) for link, *ops in table["link_op"].tolist())
    return dict(zip(keys, values, strict=True))


def _of_edges(architecture: Architecture) -> Iterator[Row]:
    yield tuple(map(NASBENCH201_OPS.index, architecture.edges))


def _of_cell(architecture: Architecture) -> Iterator[Row]:
    yield tuple(NASBENCH201_OPS.index(op) for node in architecture.cell.nodes for op in node.ops)


def _of_parts(architecture: Architecture) -> Iterator[Row]:
    link = map(int, architecture.link.split("-"))
    yield (*link, *map(_GNN_OPS.index, architecture.ops))


def _of_gnn(architecture: Architecture) -> Iterator[Row]:
    """With the nodes in every order: the table has some of them."""
    nodes = architecture.cell.nodes
    for order in itertools.permutations(range(1, len(nodes) + 1)):
        place = {v: k for k, v in enumerate((0, *order))}
        links = (place[nodes[v - 1].inputs[0]] for v in order)
        yield (*links, *(_GNN_OPS.index(nodes[v - 1].op) for v in order))


TABLES: dict[str, Callable[[int], Case]] = {
    "digits-graph": functools.partial(
        Cells, table=DigitsTable.load, metric="validation_accuracy", nodes=3
    ),
    "nasbench101-graph": functools.partial(
        Cells, table=open_table, metric="test_accuracy", nodes=5
    ),
    "nasbench201-edges": functools.partial(
        Tabulated,
        file="nasbench201_cifar10.npz",
        space=ArchitectureSpace(edges=Repeat(Choice(*NASBENCH201_OPS), depth=6)),
        rows=_of_edges,
    ),
    "nasbench201-graph": functools.partial(
        Tabulated,
        file="nasbench201_cifar10.npz",
        space=ArchitectureSpace(
            cell=Graph(
                nodes=3,
                edge_op=Choice(*NASBENCH201_OPS),
                output="last",
                none="none",
                identity="skip_connect",
            )
        ),
        rows=_of_cell,
    ),
    "nasbench201": functools.partial(
        Tabulated, file="nasbench201_cifar10.npz", space=NASBench201Space(), rows=_of_edges
    ),
    "gnn-parts": functools.partial(
        Tabulated,
        file="gnn_citeseer.npz",
        space=ArchitectureSpace(link=Choice(*_GNN_LINKS), ops=Repeat(Choice(*_GNN_OPS), depth=4)),
        rows=_of_parts,
    ),
    "gnn-graph": functools.partial(
        Tabulated,
        file="gnn_citeseer.npz",
        space=ArchitectureSpace(
            cell=Graph(nodes=4, op=Choice(*_GNN_OPS), inputs=1, identity="skip")
        ),
        rows=_of_gnn,
    ),
}
