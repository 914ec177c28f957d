import numpy as np

from optuna_dnas.interpret._pairs import match_partners
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space(max_vertices=5)
MODEL = SPACE.factor_model
NAMES = [MODEL.factors[f].name for f in MODEL.basic]
TOKENS = SPACE.enumerate_tokens()
VALUES = MODEL.measure(TOKENS)[:, MODEL.basic]
ROWS = np.arange(len(TOKENS))


def all_partners(factor: int, n_partners: int = 6):
    return match_partners(TOKENS, VALUES, factor, n_matched=len(TOKENS), n_partners=n_partners)


def test_partners_differ_in_one_factor_and_nothing_else() -> None:
    for factor in range(len(NAMES)):
        indices, exist, _ = all_partners(factor)
        same = _agree(VALUES[indices], VALUES[:, None, None])
        assert np.delete(same, factor, axis=3)[exist].all()


def _agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A factor that does not apply to both is no difference."""
    return (a == b) | np.isnan(a) | np.isnan(b)


def test_a_vertex_that_is_added_brings_an_operation_of_its_own() -> None:
    factor = NAMES.index("number of vertices")
    indices, exist, values = all_partners(factor)
    smaller = np.flatnonzero(VALUES[:, factor] == 4)
    place = int(np.flatnonzero(values == 5)[0])
    found = VALUES[indices[smaller, place, 0]]
    is_larger = found[:, factor] == 5
    assert exist[smaller, place, 0].all()
    assert is_larger.any()
    first, last = NAMES.index("operation of vertex 1"), NAMES.index("operation of vertex 3")
    same = VALUES[smaller][is_larger][:, first : last + 1]
    np.testing.assert_array_equal(found[is_larger][:, first:last], same[:, :-1])
    assert np.isnan(same[:, -1]).all()
    assert not np.isnan(found[is_larger][:, last]).any()


def test_partners_have_the_value_or_the_nearest_one_that_there_is() -> None:
    factor = NAMES.index("number of edges")
    indices, exist, values = all_partners(factor, 500)
    own = VALUES[:, factor]
    others = np.nan_to_num(np.delete(VALUES, factor, axis=1), nan=-1)
    for row in range(0, len(TOKENS), 37):
        alike = (others == others[row]).all(axis=1)
        reachable = np.unique(own[alike])
        for v, value in enumerate(values):
            found = own[indices[row, v][exist[row, v]]]
            between = (np.minimum(own[row], value), np.maximum(own[row], value))
            inside = reachable[(reachable >= between[0]) & (reachable <= between[1])]
            assert (found == inside[np.abs(inside - value).argmin()]).all()


def test_an_architecture_is_its_own_partner_at_its_own_value() -> None:
    factor = NAMES.index("depth")
    indices, exist, values = all_partners(factor)
    own = np.searchsorted(values, VALUES[:, factor])
    np.testing.assert_array_equal(indices[ROWS, own, 0], ROWS)
    np.testing.assert_array_equal(exist[ROWS, own].sum(axis=1), 1)


def test_partners_are_the_nearest() -> None:
    factor = NAMES.index("input-output skip")
    indices, exist, _ = all_partners(factor, 2)
    every, all_exist, _ = all_partners(factor, 200)
    row = int(np.flatnonzero(all_exist.sum(axis=2).min(axis=1) < 2)[0])
    distance = (TOKENS[every] != TOKENS[:, None, None]).sum(axis=3)
    nearest = np.where(all_exist, distance, 99).min(axis=2)
    kept = (TOKENS[indices] != TOKENS[:, None, None]).sum(axis=3)
    np.testing.assert_array_equal(np.where(exist, kept, 99).min(axis=2), nearest)
    assert exist[row].any(axis=1).all()


def test_the_first_architectures_are_matched_among_all() -> None:
    few = match_partners(TOKENS, VALUES, 0, n_matched=10, n_partners=6)
    every = all_partners(0)
    np.testing.assert_array_equal(few.indices, every.indices[:10])
    np.testing.assert_array_equal(few.exist, every.exist[:10])
