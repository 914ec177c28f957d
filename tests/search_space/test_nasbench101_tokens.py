import re

from hypothesis import given
import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FixedTrial
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import recognize

from .toy import CELLS
from .toy import CONV1
from .toy import draw_raw
from .toy import OPS
from .toy import POOL
from .toy import relabel
from .toy import sample_cells
from .toy import seeds
from .toy import vertices


# -- Parameters, tokens, architectures


@given(vertices, seeds)
def test_params_to_tokens_to_params(n_vertices: int, seed: int) -> None:
    space = CELLS[n_vertices]
    params = space.tokens_to_params(draw_raw(n_vertices, 3, seed))
    assert space.tokens_to_params(space.params_to_tokens(params)) == params
    specs = space.sample(np.random.default_rng(seed), 3)
    canonical = [space.architecture_to_params(spec) for spec in specs]
    tokens, valid = space.canonicalize(space.params_to_tokens(canonical))
    assert valid.all()
    assert space.tokens_to_params(tokens) == canonical


@given(vertices, seeds)
def test_tokens_to_architecture_to_tokens(n_vertices: int, seed: int) -> None:
    space, tokens = CELLS[n_vertices], sample_cells(n_vertices, 5, seed)
    specs = space.tokens_to_architectures(tokens)
    np.testing.assert_array_equal(space.architectures_to_tokens(specs), tokens)


@given(vertices, seeds)
def test_architecture_to_params_to_architecture(n_vertices: int, seed: int) -> None:
    space = CELLS[n_vertices]
    rng = np.random.default_rng(seed)
    for spec in space.sample(rng, 3):
        params = space.architecture_to_params(relabel(spec, rng))
        assert params.keys() == space.distributions.keys()
        assert all(type(value) in (int, str) for value in params.values())
        assert space.params_to_architecture(params) == space.canonical(spec) == spec


def test_parameters_are_named_by_edges_and_vertices() -> None:
    spec = ModelSpec([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", POOL, "output"])
    assert CELLS[3].architecture_to_params(spec) == {
        "edge_0_1": 1,
        "edge_0_2": 1,
        "edge_1_2": 1,
        "op_1": POOL,
    }


def test_a_cell_may_be_too_large_for_the_space() -> None:
    spec = CELLS[5].tokens_to_architectures(CELLS[5].enumerate_tokens()[-1:])[0]
    assert len(spec.ops) == 5
    with pytest.raises(OutOfDomainError, match="at most 4 vertices, but got 5"):
        CELLS[4].architectures_to_tokens([spec])


@pytest.mark.parametrize("max_vertices", [1, 8, 0])
def test_bad_sizes_are_refused(max_vertices: int) -> None:
    with pytest.raises(ValueError, match=f"`max_vertices`.*{max_vertices}"):
        NASBench101Space(max_vertices=max_vertices)


def test_the_vocabulary_is_that_of_the_tokens() -> None:
    for n_vertices, space in CELLS.items():
        space.vocabulary.check(sample_cells(n_vertices, 50, seed=0))
        names = [token.name for token in space.vocabulary.tokens]
        assert names == list(space.distributions)
    assert len(CELLS[7].vocabulary) == 26
    assert CELLS[7].vocabulary.n_steps == 6


# -- Recognition, pictures, trials


@pytest.mark.parametrize("n_vertices", list(CELLS))
def test_a_space_is_recognised_by_its_parameters(n_vertices: int) -> None:
    distributions = CELLS[n_vertices].distributions
    found = recognize(dict(reversed(distributions.items())))
    assert isinstance(found, NASBench101Space)
    assert found.max_vertices == n_vertices
    for name in distributions:
        assert recognize({n: d for n, d in distributions.items() if n != name}) is None
    assert recognize(distributions | {"width": CategoricalDistribution((1, 2))}) is None
    first = next(iter(distributions))
    assert recognize(distributions | {first: CategoricalDistribution((0, 1, 2))}) is None


@given(vertices, seeds)
def test_a_picture_shows_every_op_and_every_edge(n_vertices: int, seed: int) -> None:
    (spec,) = CELLS[n_vertices].sample(np.random.default_rng(seed), 1)
    lines = CELLS[n_vertices].draw(spec).splitlines()
    last = len(spec.ops) - 1
    matrix = np.zeros_like(spec.matrix)
    ops = []
    for v, line in enumerate(lines):
        found = re.fullmatch(r"(\d)  (\S+) *(?:-> (.+))?", line)
        assert found is not None
        assert int(found[1]) == v
        ops.append(found[2])
        for name in (found[3] or "").split(", "):
            if name:
                matrix[v, last if name == "output" else int(name)] = 1
    assert ModelSpec(matrix, ops) == spec


def test_suggest_asks_a_trial_for_all_parameters() -> None:
    params = {"edge_0_1": 1, "edge_0_2": 0, "edge_1_2": 1, "op_1": CONV1}
    trial = FixedTrial(params)
    assert str(CELLS[3].suggest(trial)) == f"{CONV1}|010/001/000"
    assert trial.params == params
    with pytest.raises(OutOfDomainError, match="not connected"):
        CELLS[3].suggest(FixedTrial(params | {"edge_1_2": 0}))


def test_fixed_tokens_leave_out_what_the_space_does_not_contain() -> None:
    space = CELLS[4]
    fixed = space.fixed_tokens(
        {"edge_0_1": 1, "edge_0_2": 2, "op_1": POOL, "op_2": "conv7x7", "edge_0_9": 1, "x": 3.0}
    )
    names = list(space.distributions)
    assert fixed == {names.index("edge_0_1"): 1, names.index("op_1"): OPS.index(POOL)}
