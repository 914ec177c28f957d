import itertools
import math

from hypothesis import given
import numpy as np
import pytest

from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import NetworkShape

from .toy import CELLS
from .toy import CONV1
from .toy import CONV3
from .toy import draw_raw
from .toy import OPS
from .toy import POOL
from .toy import relabel
from .toy import sample_cells
from .toy import seeds
from .toy import to_spec
from .toy import vertices


N_DESCRIPTORS = 38
NONE = [0.0] * 4

# Vertices, edges, skip, degree of input and output, longest and shortest path, log of their
# number; conv3x3, conv1x1, maxpool: in all, most, fewest and mean on a path; edges from input,
# conv3x3, conv1x1, maxpool (rows) to conv3x3, conv1x1, maxpool, output (columns).
BY_HAND = {
    "|01/00": (
        [2, 1, 1, 1, 1, 1, 1, 0.0],
        [*NONE, *NONE, *NONE],
        [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ),
    f"{CONV3},{CONV3},{POOL}|01000/00100/00010/00001/00000": (  # a chain
        [5, 4, 0, 1, 1, 4, 4, 0.0],
        [2, 2, 2, 2, *NONE, 1, 1, 1, 1],
        [[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
    ),
    f"{POOL}|011/001/000": (  # a vertex beside the skip
        [3, 3, 1, 2, 2, 2, 1, math.log(2)],
        [*NONE, *NONE, 1, 1, 0, 1 / 2],
        [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
    ),
    f"{CONV3},{CONV1},{CONV3}|01100/00010/00001/00001/00000": (  # two branches
        [5, 5, 0, 2, 2, 3, 2, math.log(2)],
        [2, 2, 0, 1, 1, 1, 0, 1 / 2, *NONE],
        [[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
    ),
    f"{CONV1},{CONV3},{POOL}|01100/00110/00010/00001/00000": (  # branches that meet again
        [5, 6, 0, 2, 1, 4, 3, math.log(3)],
        [1, 1, 0, 2 / 3, 1, 1, 0, 2 / 3, 1, 1, 1, 1],
        [[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1]],
    ),
}


def paths_of(spec: ModelSpec) -> list[tuple[int, ...]]:
    """Every path from the input to the output: of all subsets of vertices, those in a row."""
    last = len(spec.ops) - 1
    between = [
        (0, *chosen, last)
        for n in range(last)
        for chosen in itertools.combinations(range(1, last), n)
    ]
    return [path for path in between if all(spec.matrix[e] for e in itertools.pairwise(path))]


def reference(spec: ModelSpec) -> list[float]:
    """Path by path and edge by edge, and the costs of the cell as written."""
    paths, ops = paths_of(spec), spec.ops
    lengths = [len(path) - 1 for path in paths]
    edges = [(ops[i], ops[j]) for i, j in np.argwhere(spec.matrix)]
    described = [
        len(ops),
        len(edges),
        edges.count(("input", "output")),
        sum(source == "input" for source, _ in edges),
        sum(target == "output" for _, target in edges),
        max(lengths),
        min(lengths),
        math.log(len(paths)),
    ]
    for op in OPS:
        on_paths = [sum(ops[v] == op for v in path) for path in paths]
        described += [ops.count(op), max(on_paths), min(on_paths), np.mean(on_paths)]
    kinds = itertools.product(("input", *OPS), (*OPS, "output"))
    described += [edges.count(kind) for kind in kinds]
    cost = CELLS[7].cost(spec)
    return [*described, math.log(cost.flops), math.log(cost.params)]


def write(spec: ModelSpec, n_vertices: int, rng: np.random.Generator) -> np.ndarray:
    """(T,) the cell in some vertex order, on any of the slots; the others say what they like."""
    spec, n = relabel(spec, rng), len(spec.ops)
    interior = np.sort(rng.permutation(np.arange(1, n_vertices - 1))[: n - 2])
    slots = [0, *interior, n_vertices - 1]
    matrix = np.zeros((n_vertices, n_vertices), dtype=np.int64)
    matrix[np.ix_(slots, slots)] = spec.matrix
    ops = rng.integers(0, len(OPS) + 1, n_vertices - 2)
    ops[interior - 1] = [OPS.index(op) for op in spec.ops[1:-1]]
    edges = [matrix[i, j] for j in range(1, n_vertices) for i in range(j)]
    return np.array([*edges, *ops])


@pytest.mark.parametrize("n_vertices", [5, 6, 7])
@pytest.mark.parametrize("text", list(BY_HAND))
def test_descriptors_by_hand(text: str, n_vertices: int) -> None:
    """In spaces of all sizes: absent vertices do not count."""
    space, spec = CELLS[n_vertices], ModelSpec.parse(text)
    (found,) = space.descriptors(space.architectures_to_tokens([spec]))
    of_graph, of_paths, edge_kinds = BY_HAND[text]
    np.testing.assert_allclose(found[:8], of_graph)
    np.testing.assert_allclose(found[8:20], of_paths)
    np.testing.assert_array_equal(found[20:36].reshape(4, 4), edge_kinds)
    cost = space.cost(spec)
    np.testing.assert_allclose(np.exp(found[36:]), [cost.flops, cost.params])


@given(vertices, seeds)
def test_descriptors_agree_with_all_paths_and_edges(n_vertices: int, seed: int) -> None:
    canonical, raw = sample_cells(n_vertices, 5, seed), draw_raw(n_vertices, 10, seed)
    specs = [to_spec(n_vertices, row) for row in raw]
    written = raw[[spec is not None for spec in specs]]
    cells = CELLS[n_vertices].tokens_to_architectures(canonical)
    cells += [spec for spec in specs if spec is not None]
    found = CELLS[n_vertices].descriptors(np.concatenate([canonical, written]))
    assert found.shape == (len(cells), N_DESCRIPTORS)
    np.testing.assert_allclose(found, [reference(spec) for spec in cells], atol=1e-12)


@given(vertices, seeds)
def test_equivalent_cells_have_equal_descriptors(n_vertices: int, seed: int) -> None:
    # 60 channels are shared evenly by up to five vertices: no order makes one of them wider.
    space = NASBench101Space(max_vertices=n_vertices, network=NetworkShape(stem_channels=60))
    tokens, rng = sample_cells(n_vertices, 5, seed), np.random.default_rng(seed)
    specs = space.tokens_to_architectures(tokens)
    written = np.stack([write(spec, n_vertices, rng) for spec in specs])
    np.testing.assert_array_equal(space.canonicalize(written)[0], tokens)
    np.testing.assert_allclose(space.descriptors(written), space.descriptors(tokens), rtol=1e-12)


def test_every_edge_has_a_kind_and_every_vertex_an_op() -> None:
    tokens = sample_cells(7, 500, seed=0)
    found = CELLS[7].descriptors(tokens)
    np.testing.assert_array_equal(found[:, 20:36].sum(axis=1), found[:, 1])
    np.testing.assert_array_equal(found[:, [8, 12, 16]].sum(axis=1), found[:, 0] - 2)
    most, fewest, mean = (found[:, [8 + k, 12 + k, 16 + k]] for k in (1, 2, 3))
    assert ((fewest <= mean + 1e-12) & (mean <= most + 1e-12)).all()
    np.testing.assert_array_less(most.max(axis=1), found[:, 5])  # ops lie between edges


def test_descriptors_of_every_small_cell_are_finite() -> None:
    tokens = CELLS[5].enumerate_tokens()
    found = CELLS[5].descriptors(tokens)
    assert found.shape == (len(tokens), N_DESCRIPTORS)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()


def test_no_cells_have_no_descriptors() -> None:
    tokens = sample_cells(5, 1, seed=0)
    assert CELLS[5].descriptors(tokens[:0]).shape == (0, N_DESCRIPTORS)
