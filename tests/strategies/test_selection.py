from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
from scipy.stats import kstest
from scipy.stats import rankdata

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.strategies import token_keys
from optuna_dnas.strategies._selection import elite_order
from optuna_dnas.strategies._selection import rank_normalize
from optuna_dnas.strategies._selection import sample_directions
from optuna_dnas.strategies._selection import scalarize
from optuna_dnas.strategies._selection import select_new


CONV3, CONV1, POOL, ABSENT = range(4)
CELLS = NASBench101Space(max_vertices=4)
FLAT = FlatSpace({"x": FloatDistribution(0.0, 1.0), "op": CategoricalDistribution("abc")})
seeds = st.integers(0, 2**32 - 1)

# Tokens: edges 01, 02, 12, 03, 13, 23, then the ops of vertices 1 and 2.
DIAMOND = [1, 1, 0, 0, 1, 1, CONV3, POOL]
SAME_DIAMOND = [1, 1, 0, 0, 1, 1, POOL, CONV3]
CHAIN = [1, 0, 1, 0, 0, 1, CONV3, CONV1]
DANGLING = [1, 0, 0, 0, 1, 1, CONV3, POOL]  # vertex 2 has no input
SKIPPED = [0, 1, 0, 0, 0, 1, CONV1, CONV3]  # the same cell, its vertex in slot 2
BROKEN = [1, 1, 1, 0, 0, 0, CONV3, CONV3]


def hashes(tokens: np.ndarray) -> list[str]:
    return [spec.hash() for spec in CELLS.tokens_to_architectures(tokens)]


# -- Which candidates are new


def test_invalid_and_isomorphic_ones_are_dropped() -> None:
    raw = np.array([BROKEN, DIAMOND, SAME_DIAMOND, CHAIN, DIAMOND, DANGLING, SKIPPED])
    selected = select_new(CELLS, raw, taken=(), fixed={})
    assert selected.rows.tolist() == [1, 3, 5]
    assert hashes(selected.proposed) == hashes(raw[[1, 3, 5]])
    np.testing.assert_array_equal(selected.canonical, CELLS.canonicalize(raw[[1, 3, 5]])[0])
    np.testing.assert_array_equal(selected.proposed, selected.canonical)


def test_taken_ones_are_dropped_in_any_writing() -> None:
    taken = set(token_keys(CELLS.canonicalize(np.array([SAME_DIAMOND, SKIPPED]))[0]))
    raw = np.array([DIAMOND, CHAIN, DANGLING])
    selected = select_new(CELLS, raw, taken=taken, fixed={})
    assert selected.rows.tolist() == [1]


@given(seeds)
def test_what_is_selected_is_what_there_is(seed: int) -> None:
    """Every valid architecture that is not taken, once."""
    rng = np.random.default_rng(seed)
    raw = rng.integers([2] * 6 + [4] * 2, size=(60, 8))
    canonical, valid = CELLS.canonicalize(raw)
    taken = set(token_keys(canonical[valid][:5]))
    selected = select_new(CELLS, raw, taken=taken, fixed={})
    keys = token_keys(selected.canonical)
    assert len(set(keys)) == len(keys)
    assert set(keys) == set(token_keys(canonical[valid])) - taken
    np.testing.assert_array_equal(canonical[selected.rows], selected.canonical)


@given(seeds, st.sets(st.integers(0, 7), min_size=1, max_size=3))
@settings(derandomize=True, deadline=None)
def test_fixed_tokens_are_honoured_where_they_are(seed: int, columns: set[int]) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.integers([2] * 6 + [3] * 2, size=(60, 8))
    fixed = {t: int(raw[0, t]) for t in columns}
    before = raw.copy()
    selected = select_new(CELLS, raw, taken=(), fixed=fixed)
    np.testing.assert_array_equal(raw, before)
    for t, token in fixed.items():
        assert (selected.proposed[:, t] == token).all()
    others = [t for t in range(8) if t not in fixed]
    np.testing.assert_array_equal(selected.proposed[:, others], raw[np.ix_(selected.rows, others)])
    assert hashes(selected.proposed) == hashes(selected.canonical)


def test_a_fixed_vertex_stays_where_it_is() -> None:
    raw = np.array([SAME_DIAMOND])
    assert select_new(CELLS, raw, taken=(), fixed={}).proposed.tolist() == [DIAMOND]
    fixed = select_new(CELLS, raw, taken=(), fixed={6: POOL})
    assert fixed.proposed.tolist() == [SAME_DIAMOND]
    assert fixed.canonical.tolist() == [DIAMOND]


def test_fixed_tokens_may_leave_nothing() -> None:
    nothing = select_new(CELLS, np.array([CHAIN, DIAMOND]), taken=(), fixed={4: 0, 5: 0})
    assert [len(array) for array in nothing] == [0, 0, 0]
    assert nothing.proposed.shape == (0, 8)


def test_flat_candidates_are_snapped() -> None:
    raw = np.array([[0.3, 1.2], [0.3, 0.8], [1.4, 2.0], [0.5, 0.0]])
    selected = select_new(FLAT, raw, taken=(), fixed={})
    np.testing.assert_array_equal(selected.canonical, [[0.3, 1.0], [1.0, 2.0], [0.5, 0.0]])
    fixed = select_new(FLAT, raw, taken=(), fixed={1: 2.0})
    np.testing.assert_array_equal(fixed.canonical, [[0.3, 2.0], [1.0, 2.0], [0.5, 2.0]])


# -- Keys


def test_keys_forgive_the_rounding_of_numbers() -> None:
    keys = token_keys(np.array([[0.1 + 0.2, 0.0], [0.3, -0.0], [0.3001, 0.0], [0.3, 1.0]]))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_keys_survive_parameters() -> None:
    space = FlatSpace(
        {
            "x": FloatDistribution(1e-5, 1e3, log=True),
            "n": IntDistribution(1, 10_000, log=True),
            "y": FloatDistribution(0.0, 1.0, step=0.1),
        }
    )
    tokens = space.sample_tokens(500, np.random.default_rng(0))
    again = space.params_to_tokens(space.tokens_to_params(tokens))
    assert token_keys(again) == token_keys(tokens)
    assert len(set(token_keys(tokens))) == 500


def test_keys_of_inactive_tokens_are_equal() -> None:
    keys = token_keys(np.array([[np.nan, 1.0], [np.nan, 1.0], [0.0, 1.0]]))
    assert keys[0] == keys[1] != keys[2]


def test_keys_are_equal_if_and_only_if_cells_are_isomorphic() -> None:
    ops = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]
    matrix = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    specs = [ModelSpec(matrix, ops), ModelSpec(matrix, [ops[0], ops[2], ops[1], ops[3]])]
    one, other = token_keys(CELLS.canonicalize(CELLS.architectures_to_tokens(specs))[0])
    assert one == other
    assert len(set(token_keys(CELLS.enumerate_tokens()))) == 91


# -- Several objectives


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9), seeds)
def test_one_objective_is_its_own_score(values: list[float], seed: int) -> None:
    column = np.array(values)[:, None]
    directions = sample_directions(5, 1, np.random.default_rng(seed))
    assert directions.tolist() == [[1.0]]
    np.testing.assert_array_equal(scalarize(column, directions[0]), column[:, 0])


@given(st.integers(2, 5), seeds)
def test_directions_are_positive_unit_vectors(n_objectives: int, seed: int) -> None:
    directions = sample_directions(20, n_objectives, np.random.default_rng(seed))
    assert directions.shape == (20, n_objectives)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert (directions > 0).all()


def test_directions_are_uniform() -> None:
    directions = sample_directions(2_000, 2, np.random.default_rng(0))
    angle = np.arctan2(directions[:, 1], directions[:, 0])
    assert kstest(angle / (np.pi / 2), "uniform").pvalue > 0.001


@given(st.integers(2, 4), seeds)
def test_a_dominating_point_has_the_better_score(n_objectives: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    worse = rng.uniform(-0.5, 1.5, (30, n_objectives))
    gain = rng.uniform(0.01, 0.5, worse.shape)
    equal_in_some = gain * rng.integers(0, 2, worse.shape)
    for direction in sample_directions(5, n_objectives, rng):
        assert (scalarize(worse - gain, direction) < scalarize(worse, direction)).all()
        assert (scalarize(worse - equal_in_some, direction) <= scalarize(worse, direction)).all()


@given(st.integers(2, 3), seeds)
def test_the_best_score_is_not_dominated(n_objectives: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((40, n_objectives))
    for direction in sample_directions(5, n_objectives, rng):
        best = values[scalarize(values, direction).argmin()]
        assert not (values < best).all(axis=1).any()


def test_the_score_is_the_hypervolume_scalarisation() -> None:
    values = np.array([[0.1, 0.6], [0.6, 0.1]])
    direction = np.array([0.6, 0.8])
    np.testing.assert_allclose(
        scalarize(values, direction), [-min(1.0 / 0.6, 0.5 / 0.8), -min(0.5 / 0.6, 1.0 / 0.8)]
    )
    # An axis takes the objective that it belongs to.
    assert scalarize(values, np.array([1.0, 0.0])).argmin() == 0
    assert scalarize(values, np.array([0.0, 1.0])).argmin() == 1


@given(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 2.0, np.inf]), min_size=2, max_size=9))
def test_ranks_lie_between_zero_and_one(values: list[float]) -> None:
    column = np.array(values)
    ranks = rank_normalize(np.stack([column, -column], axis=1))
    np.testing.assert_allclose(ranks[:, 0], (rankdata(column) - 1) / (len(values) - 1))
    np.testing.assert_allclose(ranks.sum(axis=1), 1)
    assert ranks.min() >= 0
    assert ranks.max() <= 1


def test_a_single_observation_has_the_best_rank() -> None:
    np.testing.assert_array_equal(rank_normalize(np.array([[5.0, np.inf]])), [[0.0, 0.0]])


# -- Which are the best


def test_elites_are_different_feasible_values_first() -> None:
    scores = np.array([0.2, 0.1, 0.1, 0.3, 0.1, 0.0, 0.2])
    violations = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 1.0])
    # 0.1, 0.2, 0.3, the repeats of 0.1, and what breaks a limit least.
    assert elite_order(scores, violations).tolist() == [1, 0, 3, 2, 4, 6, 5]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20, unique=True))
def test_different_values_are_in_their_order(values: list[float]) -> None:
    scores = np.array(values)
    order = elite_order(scores, np.zeros(len(scores)))
    np.testing.assert_array_equal(order, np.argsort(scores))
