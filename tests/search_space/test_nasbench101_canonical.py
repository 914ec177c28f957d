import itertools

from hypothesis import given
import numpy as np
import pytest
from scipy.stats import chisquare

from .toy import ABSENT
from .toy import CELLS
from .toy import draw_raw
from .toy import relabel
from .toy import sample_cells
from .toy import seeds
from .toy import to_spec
from .toy import vertices


N_BY_VERTICES = {2: 1, 3: 6, 4: 84, 5: 2441, 6: 62010}


# -- Canonical form


@given(vertices, seeds)
def test_canonicalize_is_idempotent(n_vertices: int, seed: int) -> None:
    space = CELLS[n_vertices]
    once, valid = space.canonicalize(draw_raw(n_vertices, 20, seed, n_ops=4))
    twice, still_valid = space.canonicalize(once)
    np.testing.assert_array_equal(twice, once)
    np.testing.assert_array_equal(still_valid, valid)


@given(vertices, seeds)
def test_canonical_tokens_ignore_the_vertex_order(n_vertices: int, seed: int) -> None:
    space, tokens = CELLS[n_vertices], sample_cells(n_vertices, 5, seed)
    rng = np.random.default_rng(seed)
    relabeled = [relabel(spec, rng) for spec in space.tokens_to_architectures(tokens)]
    again, valid = space.canonicalize(space.architectures_to_tokens(relabeled))
    assert valid.all()
    np.testing.assert_array_equal(again, tokens)


@given(vertices, seeds)
def test_canonicalize_agrees_with_model_spec(n_vertices: int, seed: int) -> None:
    raw = draw_raw(n_vertices, 20, seed)
    canonical, valid = CELLS[n_vertices].canonicalize(raw)
    specs = [to_spec(n_vertices, row) for row in raw]
    assert valid.tolist() == [spec is not None for spec in specs]
    for row, spec in zip(canonical, specs, strict=True):
        if spec is not None:
            (other,) = CELLS[n_vertices].tokens_to_architectures(row[None])
            assert other.hash() == spec.hash()


def test_absent_is_valid_for_unconnected_vertices_only() -> None:
    connected = np.array([[1, 0, 1, ABSENT]])  # input -> 1 -> output
    unconnected = np.array([[0, 1, 0, ABSENT], [1, 1, 0, ABSENT], [0, 1, 1, ABSENT]])
    assert not CELLS[3].canonicalize(connected)[1].any()
    tokens, valid = CELLS[3].canonicalize(unconnected)
    assert valid.all()
    assert tokens.tolist() == [[0, 1, 0, ABSENT]] * 3


def test_a_cell_has_one_form_in_spaces_of_all_sizes() -> None:
    specs = CELLS[4].tokens_to_architectures(CELLS[4].enumerate_tokens())
    for n_vertices in (5, 7):
        space = CELLS[n_vertices]
        assert [space.canonical(spec) for spec in specs] == specs


def test_canonical_tokens_are_equal_if_and_only_if_hashes_are() -> None:
    """Every writing on 4 vertices: 64 graphs with 9 labelings."""
    writings = itertools.product(*[range(2)] * 6, *[range(3)] * 2)
    raw = np.array(list(writings))
    canonical, valid = CELLS[4].canonicalize(raw)
    assert valid.sum() > 91
    pairs = {
        (tuple(row), to_spec(4, writing).hash())
        for row, writing in zip(canonical[valid].tolist(), raw[valid], strict=True)
    }
    assert len(pairs) == len({row for row, _ in pairs}) == len({digest for _, digest in pairs})
    assert len(pairs) == 91


def test_distinct_canonical_tokens_have_distinct_hashes() -> None:
    specs = CELLS[5].tokens_to_architectures(CELLS[5].enumerate_tokens())
    assert len({spec.hash() for spec in specs}) == len(specs) == 1 + 6 + 84 + 2441


def check_counts(n_vertices: int) -> None:
    space = CELLS[n_vertices]
    tokens = space.enumerate_tokens()
    sizes = [len(spec.ops) for spec in space.tokens_to_architectures(tokens)]
    by_size = {v: sizes.count(v) for v in range(2, n_vertices + 1)}
    assert by_size == {v: N_BY_VERTICES[v] for v in range(2, n_vertices + 1)}
    assert len(np.unique(tokens, axis=0)) == len(tokens) == space.size
    canonical, valid = space.canonicalize(tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, tokens)


@pytest.mark.parametrize("n_vertices", [2, 3, 4, 5])
def test_published_counts(n_vertices: int) -> None:
    check_counts(n_vertices)


@pytest.mark.slow
def test_published_counts_of_six_vertices() -> None:
    check_counts(6)


def test_the_whole_space_has_its_published_size_and_is_not_enumerated() -> None:
    assert CELLS[7].size == 423_624
    with pytest.raises(ValueError, match="too large"):
        CELLS[7].enumerate_tokens()


# -- Samples


@given(vertices, seeds)
def test_samples_are_canonical_and_valid(n_vertices: int, seed: int) -> None:
    tokens = sample_cells(n_vertices, 20, seed)
    canonical, valid = CELLS[n_vertices].canonicalize(tokens)
    assert valid.all()
    np.testing.assert_array_equal(canonical, tokens)


def test_samples_are_uniform_over_the_unique_cells() -> None:
    rows = [tuple(row) for row in CELLS[4].enumerate_tokens().tolist()]
    drawn = [tuple(row) for row in sample_cells(4, 91 * 200, seed=0).tolist()]
    counts = [drawn.count(row) for row in rows]
    assert sum(counts) == len(drawn)
    assert chisquare(counts).pvalue > 0.001


def test_sizes_of_samples_are_those_of_the_unique_cells() -> None:
    n_vertices = 2 + (sample_cells(7, 30_000, seed=0)[:, -5:] != ABSENT).sum(axis=1)
    counts = [np.count_nonzero(n_vertices <= 5), *np.bincount(n_vertices, minlength=8)[6:]]
    shares = np.array([1 + 6 + 84 + 2441, 62010, 359082]) / 423_624
    assert chisquare(counts, shares * len(n_vertices)).pvalue > 0.001


def test_written_samples_are_as_frequent_as_ways_to_write_them() -> None:
    edges = np.array(list(itertools.product(range(2), repeat=6)))
    ops = np.array(list(itertools.product(range(3), repeat=2)))
    written = np.concatenate([edges.repeat(9, axis=0), np.tile(ops, (64, 1))], axis=1)
    canonical, valid = CELLS[4].canonicalize(written)
    cells, n_writings = np.unique(canonical[valid], axis=0, return_counts=True)
    drawn = CELLS[4].sample_written_tokens(20_000, np.random.default_rng(0))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, cells)
    assert chisquare(counts, n_writings / n_writings.sum() * len(drawn)).pvalue > 0.001
    assert CELLS[2].sample_written_tokens(5, np.random.default_rng(0)).shape == (5, 1)


def test_samples_depend_on_the_generator_alone() -> None:
    np.testing.assert_array_equal(sample_cells(7, 30, seed=3), sample_cells(7, 30, seed=3))
    assert not np.array_equal(sample_cells(7, 30, seed=3), sample_cells(7, 30, seed=4))
    specs = CELLS[7].sample(np.random.default_rng(3), 30)
    assert specs == CELLS[7].tokens_to_architectures(sample_cells(7, 30, seed=3))
    assert CELLS[7].sample_tokens(0, np.random.default_rng(0)).shape == (0, 26)
