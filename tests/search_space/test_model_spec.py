import copy
import dataclasses
import pickle

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"

INCEPTION = (
    [
        [0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV3, CONV1, POOL, CONV3, CONV3, "output"],
)
"""The example of the published library's documentation."""


@st.composite
def graphs(draw: st.DrawFn, max_vertices: int = 9) -> tuple[np.ndarray, list[str]]:
    """A valid cell as somebody may write it, with vertices that will be pruned."""
    n = draw(st.integers(2, max_vertices))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    matrix = np.zeros((n, n), dtype=int)
    for i, j in draw(st.sets(st.sampled_from(pairs), max_size=8)):
        matrix[i, j] = 1
    if not np.linalg.matrix_power(matrix + np.eye(n, dtype=int), n)[0, -1]:
        matrix[0, -1] = 1
    ops = draw(st.lists(st.sampled_from([CONV3, CONV1, POOL]), min_size=n - 2, max_size=n - 2))
    return matrix, ["input", *ops, "output"]


def is_small_enough(graph: tuple[np.ndarray, list[str]]) -> bool:
    matrix, _ = graph
    reach = np.linalg.matrix_power(matrix + np.eye(len(matrix), dtype=int), len(matrix)) > 0
    return int((reach[0] & reach[:, -1]).sum()) <= 7


def chain(n: int) -> tuple[np.ndarray, list[str]]:
    return np.eye(n, k=1, dtype=int), ["input", *[CONV3] * (n - 2), "output"]


@pytest.mark.parametrize(
    ("graph", "digest"),
    [
        (([[0, 1], [0, 0]], ["input", "output"]), "043721b9c7fe8c5fad811d47d83132ec"),
        (chain(3), "b49ac8c578b4561d79ac7087988f1c61"),
        (INCEPTION, "28cfc7874f6d200472e1a9dcd8650aa0"),
    ],
)
def test_published_hashes(graph: tuple, digest: str) -> None:
    assert ModelSpec(*graph).hash() == digest


def test_published_number_of_parameters() -> None:
    assert NASBench101Space().cost(ModelSpec(*INCEPTION)).params == 2_694_282


@given(graphs().filter(is_small_enough))
def test_pruning_is_idempotent_and_keeps_the_hash(graph: tuple) -> None:
    spec = ModelSpec(*graph)
    again = ModelSpec(spec.matrix, spec.ops)
    assert again == spec
    assert again.hash() == spec.hash()


@given(graphs().filter(is_small_enough))
def test_what_is_left_lies_on_a_path_and_nothing_else_was_removed(graph: tuple) -> None:
    spec = ModelSpec(*graph)
    n = len(spec.matrix)
    reach = np.linalg.matrix_power(spec.matrix + np.eye(n, dtype=int), n) > 0
    assert reach[0].all()
    assert reach[:, -1].all()
    full, ops = graph
    n_full = len(full)
    reach = np.linalg.matrix_power(full + np.eye(n_full, dtype=int), n_full) > 0
    kept = reach[0] & reach[:, -1]
    np.testing.assert_array_equal(spec.matrix, full[np.ix_(kept, kept)])
    assert spec.ops == tuple(op for op, k in zip(ops, kept, strict=True) if k)


@given(graphs().filter(is_small_enough), st.randoms(use_true_random=False))
def test_the_hash_ignores_vertex_order(graph: tuple, random) -> None:
    matrix, ops = graph
    order, waiting = [0], list(range(1, len(ops) - 1))
    while waiting:
        ready = [v for v in waiting if not any(matrix[w, v] for w in waiting)]
        order.append(random.choice(ready))
        waiting.remove(order[-1])
    order.append(len(ops) - 1)
    relabeled = ModelSpec(matrix[np.ix_(order, order)], [ops[v] for v in order])
    assert relabeled.hash() == ModelSpec(matrix, ops).hash()


@given(graphs().filter(is_small_enough))
def test_the_hash_sees_every_op(graph: tuple) -> None:
    spec = ModelSpec(*graph)
    for v in range(1, len(spec.ops) - 1):
        changed = [*spec.ops]
        changed[v] = CONV1 if spec.ops[v] != CONV1 else POOL
        assert ModelSpec(spec.matrix, changed).hash() != spec.hash()


@given(graphs().filter(is_small_enough))
def test_parse_inverts_str(graph: tuple) -> None:
    spec = ModelSpec(*graph)
    assert ModelSpec.parse(str(spec)) == spec
    assert eval(repr(spec)) == spec


def test_the_text_of_a_cell() -> None:
    assert str(ModelSpec(*chain(3))) == "conv3x3-bn-relu|010/001/000"
    assert str(ModelSpec(*chain(2))) == "|01/00"
    assert repr(ModelSpec(*chain(2))) == "ModelSpec.parse('|01/00')"


@given(graphs().filter(is_small_enough))
def test_copies_are_equal_and_have_equal_hashes(graph: tuple) -> None:
    spec = ModelSpec(*graph)
    for clone in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert clone == spec
        assert hash(clone) == hash(spec)
        assert clone.hash() == spec.hash()


def test_isomorphic_cells_in_another_order_are_not_equal() -> None:
    matrix = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    one = ModelSpec(matrix, ["input", CONV3, POOL, "output"])
    other = ModelSpec(matrix, ["input", POOL, CONV3, "output"])
    assert one != other
    assert one.hash() == other.hash()
    assert one != str(one)


def test_a_spec_does_not_change() -> None:
    matrix = np.array([[0, 1], [0, 0]])
    spec = ModelSpec(matrix, ["input", "output"])
    matrix[0, 1] = 0
    assert spec.matrix.tolist() == [[0, 1], [0, 0]]
    with pytest.raises(ValueError, match="read-only"):
        spec.matrix[0, 1] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.ops = ("input", "output")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("matrix", "ops", "message"),
    [
        ([[0, 1, 0], [0, 0, 1]], ["input", CONV3, "output"], r"`matrix` must be .*\(2, 3\)"),
        ([[0]], ["input"], r"`matrix` must be .*\(1, 1\)"),
        ([0, 1], ["input", "output"], r"`matrix` must be .*\(2,\)"),
        ([], [], r"`matrix` must be .*\(0,\)"),
        ([[0, 2], [0, 0]], ["input", "output"], "`matrix` must hold only 0 and 1"),
        ([[0, -1], [0, 0]], ["input", "output"], "`matrix` must hold only 0 and 1"),
        ([[0, 0.5], [0, 0]], ["input", "output"], "`matrix` must hold only 0 and 1"),
        ([[0, 1], [1, 0]], ["input", "output"], "`matrix` must be strictly upper triangular"),
        ([[1, 1], [0, 0]], ["input", "output"], "`matrix` must be strictly upper triangular"),
        ([[0, 1], [0, 0]], ["input", CONV3, "output"], "`ops` must have 2 labels, but got 3"),
        ([[0, 1], [0, 0]], ["output", "input"], "`ops` must begin with 'input'"),
        ([[0, 1], [0, 0]], [CONV3, "output"], "`ops` must begin with 'input'"),
        ([[0, 1], [0, 0]], ["input", CONV3], "`ops` must begin with 'input'"),
        (chain(3)[0], ["input", "conv7x7", "output"], "`ops` must be of .* but got 'conv7x7'"),
        (chain(3)[0], ["input", "output", "output"], "`ops` must be of .* but got 'output'"),
    ],
)
def test_bad_graphs_are_refused(matrix: list, ops: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ModelSpec(matrix, ops)
    assert not isinstance(caught.value, OutOfDomainError)


@pytest.mark.parametrize("text", ["", "01/00", "|0x/00", "a|b|c", "|01/0", f"{CONV3}|01/00"])
def test_bad_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"text of a cell|`matrix`|`ops`|inhomogeneous"):
        ModelSpec.parse(text)


def test_a_cell_must_connect_input_and_output() -> None:
    with pytest.raises(OutOfDomainError, match="not connected"):
        ModelSpec([[0, 0], [0, 0]], ["input", "output"])
    with pytest.raises(OutOfDomainError, match="not connected"):
        ModelSpec([[0, 1, 0], [0, 0, 0], [0, 0, 0]], ["input", CONV3, "output"])


def test_vertices_are_counted_after_pruning() -> None:
    assert len(ModelSpec(*chain(7)).ops) == 7
    with pytest.raises(OutOfDomainError, match="at most 7 vertices, but got 8"):
        ModelSpec(*chain(8))
    wide = np.pad(chain(7)[0], ((0, 2), (0, 2)))
    wide[0, 7], wide[5, 6], wide[5, 8] = 1, 0, 1  # vertices 6 and 7 lead nowhere
    spec = ModelSpec(wide, ["input", *[CONV3] * 5, POOL, POOL, "output"])
    assert spec == ModelSpec(*chain(7))


def test_edges_are_counted_after_pruning() -> None:
    matrix = np.triu(np.ones((5, 5), dtype=int), k=1)  # 10 edges
    ops = ["input", CONV3, CONV1, POOL, "output"]
    with pytest.raises(OutOfDomainError, match="at most 9 edges, but got 10"):
        ModelSpec(matrix, ops)
    matrix[3, 4] = 0  # Vertex 3 goes, and with it 3 of the 9 other edges.
    assert ModelSpec(matrix, ops).matrix.sum() == 6
    matrix[3, 4], matrix[0, 4] = 1, 0
    assert ModelSpec(matrix, ops).matrix.sum() == 9
