"""The published searches that DNAS is compared with."""

from collections.abc import Iterable
import math
from typing import Any

import numpy as np
import optuna
from optuna.trial import create_trial
from optuna.trial import TrialState
import pytest
from scipy.stats import spearmanr
import torch

from benchmarks.contenders import CONTENDERS
from benchmarks.peers import BananasSampler
from benchmarks.peers import CellSampler
from benchmarks.peers import History
from benchmarks.peers import LocalSearchSampler
from benchmarks.peers import NASBowlSampler
from benchmarks.peers import RegularizedEvolutionSampler
from benchmarks.peers._base import cell_keys
from benchmarks.peers._mlp_ensemble import predict_by_ensemble
from benchmarks.peers._moves import mutate
from benchmarks.peers._moves import neighbours
from benchmarks.peers._nasbowl import assignment_kernel
from benchmarks.peers._nasbowl import expected_improvements
from benchmarks.peers._nasbowl import to_targets
from benchmarks.peers._path_encoding import encode_paths
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


SPACE = NASBench101Space()
SMALL = NASBench101Space(max_vertices=5)
TINY = NASBench101Space(max_vertices=4)
Params = dict[str, Any]


def make_peers(space: NASBench101Space, seed: int = 0) -> list[CellSampler]:
    return [
        CellSampler(space, seed),
        RegularizedEvolutionSampler(space, seed, population_size=8, tournament_size=4),
        LocalSearchSampler(space, seed, n_initial=3),
        BananasSampler(space, seed),
        NASBowlSampler(space, seed),
    ]


PEERS = pytest.mark.parametrize(
    "k", range(5), ids=["random", "evolution", "local", "bananas", "nas-bowl"]
)


def loss_of(space: NASBench101Space, params: Params) -> float:
    """Millions of parameters: many cells are better than a random one."""
    return space.cost(space.params_to_architecture(params)).params / 1e6


def search(sampler: CellSampler, n_trials: int, study: optuna.Study | None = None) -> list[Params]:
    """The parameters of the next trials; an invalid cell raises."""
    study = study or optuna.create_study(sampler=sampler)
    for _ in range(n_trials):
        trial = study.ask()
        sampler.space.suggest(trial)
        study.tell(trial, loss_of(sampler.space, trial.params))
    return [trial.params for trial in study.trials[-n_trials:]]


def keys_of(space: NASBench101Space, params: Iterable[Params]) -> list[bytes | None]:
    return cell_keys(space, space.params_to_tokens(list(params)))


@PEERS
def test_a_seed_decides_everything(k: int) -> None:
    first, again, other = (search(make_peers(SPACE, s)[k], 32) for s in (0, 0, 1))
    assert first == again != other


@PEERS
@pytest.mark.parametrize("space", [SPACE, SMALL], ids=["7 vertices", "5 vertices"])
def test_proposals_are_valid_and_new(k: int, space: NASBench101Space) -> None:
    keys = keys_of(space, search(make_peers(space)[k], 60))
    assert None not in keys
    assert len(set(keys)) == 60


def test_all_but_the_uniform_search_beat_it() -> None:
    uniform, *others = (
        np.mean(
            [
                min(loss_of(SPACE, p) for p in search(make_peers(SPACE, seed)[k], 50))
                for seed in range(4)
            ]
        )
        for k in range(5)
    )
    assert max(others) < uniform


@PEERS
def test_a_space_is_exhausted_before_a_cell_is_repeated(k: int) -> None:
    """Of the 2,532 cells, some have a value, most failed, and 5 are left."""
    sampler = make_peers(SMALL)[k]
    study = optuna.create_study(sampler=sampler)
    cells = SMALL.tokens_to_params(SMALL.enumerate_tokens())
    done, left = cells[:700] + cells[705:], cells[700:705]
    study.add_trials(
        create_trial(
            params=p,
            distributions=SMALL.distributions,
            value=None if n % 84 else float(n),
            state=TrialState.FAIL if n % 84 else TrialState.COMPLETE,
        )
        for n, p in enumerate(done)
    )
    proposed = keys_of(SMALL, search(sampler, 7, study))
    assert set(proposed[:5]) == set(keys_of(SMALL, left))
    assert None not in proposed


@PEERS
def test_a_cell_without_a_value_is_not_proposed_again(k: int) -> None:
    sampler = make_peers(TINY)[k]
    study = optuna.create_study(sampler=sampler)
    for number in range(60):
        trial = study.ask()
        TINY.suggest(trial)
        if number % 2:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, loss_of(TINY, trial.params))
    assert len(set(keys_of(TINY, (t.params for t in study.trials)))) == 60


@PEERS
def test_the_better_direction_is_the_study_s(k: int) -> None:
    studies = [optuna.create_study(direction=d) for d in ("minimize", "maximize")]
    for study, sign in zip(studies, (1.0, -1.0), strict=True):
        study.sampler = make_peers(SPACE)[k]
        for _ in range(32):
            trial = study.ask()
            SPACE.suggest(trial)
            study.tell(trial, sign * loss_of(SPACE, trial.params))
    first, second = ([t.params for t in study.trials] for study in studies)
    assert first == second


def test_peers_need_a_space_of_cells() -> None:
    with pytest.raises(TypeError, match="NASBench101Space"):
        CellSampler(None, 0)
    with pytest.raises(ValueError, match="no parameter"):
        optuna.create_study(sampler=CellSampler(SPACE, 0)).ask().suggest_float("x", 0.0, 1.0)


def test_every_contender_is_a_sampler() -> None:
    for make in CONTENDERS.values():
        assert isinstance(make(0, SMALL), optuna.samplers.BaseSampler)


@pytest.mark.parametrize(("n_cells", "expected"), [(5, 0), (6, 3), (7, 3), (8, 3), (9, 8)])
def test_evolution_mutates_the_best_of_the_youngest(n_cells: int, expected: int) -> None:
    """Of the 5 youngest, all of which compete; a parent is what most of its mutants agree on."""
    cells = SPACE.sample_tokens(n_cells, np.random.default_rng(0)) % 3
    losses = np.array([0.0, 4.0, 5.0, 1.0, 6.0, 7.0, 3.0, 8.0, 2.0])[:n_cells]
    sampler = RegularizedEvolutionSampler(SPACE, 0, population_size=5, tournament_size=5)
    history = History(cells, losses, frozenset())
    mutants = np.concatenate(list(sampler.propose(history, np.random.default_rng(1))))
    parent = [np.bincount(column).argmax() for column in mutants.T]
    assert parent == cells[expected].tolist()


def test_a_tournament_of_one_is_a_uniform_draw() -> None:
    cells = SPACE.sample_tokens(5, np.random.default_rng(0)) % 3
    sampler = RegularizedEvolutionSampler(SPACE, 0, population_size=5, tournament_size=1)
    history, rng = History(cells, np.arange(5.0), frozenset()), np.random.default_rng(1)
    counts = np.zeros(5)
    for _ in range(200):
        (mutants, *_) = sampler.propose(history, rng)
        parent = [np.bincount(column).argmax() for column in mutants.T]
        counts[np.abs(cells - parent).sum(axis=1).argmin()] += 1
    assert (np.abs(counts - 40) < 4 * math.sqrt(200 * 0.2 * 0.8)).all()


def test_local_search_tries_neighbours_and_begins_anew_at_an_optimum() -> None:
    """Replay: the next cell is a neighbour of the best since the beginning, while one is left."""
    params = search(LocalSearchSampler(TINY, 0, n_initial=1), 80)
    tokens, keys = TINY.params_to_tokens(params), keys_of(TINY, params)
    losses = np.array([loss_of(TINY, p) for p in params])
    beginnings = [0]
    for n in range(1, 80):
        current = beginnings[-1] + losses[beginnings[-1] : n].argmin()
        around = set(cell_keys(TINY, neighbours(TINY, tokens[current]))) - {None, *keys[:n]}
        if around:
            assert keys[n] in around
        else:
            beginnings.append(n)
    assert len(beginnings) > 3


def test_local_search_begins_at_the_best_of_some() -> None:
    params = search(LocalSearchSampler(SPACE, 0, n_initial=10), 11)
    best = min(params[:10], key=lambda p: loss_of(SPACE, p))
    around = cell_keys(SPACE, neighbours(SPACE, SPACE.params_to_tokens([best])[0]))
    assert keys_of(SPACE, params[10:])[0] in around


def test_bananas_asks_mutants_of_the_best_cell_in_rounds() -> None:
    """The second half of a round does not depend on the values of the first."""
    studies = [optuna.create_study(sampler=BananasSampler(SPACE, 0)) for _ in range(2)]
    for study, offset in zip(studies, (0.0, -9.0), strict=True):
        for number in range(21):
            trial = study.ask()
            SPACE.suggest(trial)
            study.tell(trial, loss_of(SPACE, trial.params) + offset * (number >= 10))
    first, second = ([t.params for t in study.trials] for study in studies)
    assert first[:20] == second[:20]


def test_a_mutant_changes_edges_at_their_rate_and_one_op_on_average() -> None:
    cell = SPACE.sample_tokens(1, np.random.default_rng(0))[0] % 3
    mutants = mutate(SPACE, cell, 20_000, np.random.default_rng(1), edge_rate=1 / 7)
    changed = (mutants != cell).mean(axis=0)
    np.testing.assert_allclose(changed[:21], 1 / 7, atol=0.015)
    np.testing.assert_allclose(changed[21:], 1 / 5, atol=0.015)
    assert mutants[:, :21].max() == 1
    for op, column in zip(cell[21:], mutants[:, 21:].T, strict=True):
        counts = np.bincount(column, minlength=3)
        assert len(counts) == 3
        np.testing.assert_allclose(np.delete(counts, op) / 20_000, 0.1, atol=0.015)


def test_neighbours_are_all_single_edits() -> None:
    cell = SPACE.sample_tokens(1, np.random.default_rng(0))[0] % 3
    around = neighbours(SPACE, cell)
    assert len(np.unique(around, axis=0)) == len(around) == 21 + 2 * 5
    assert ((around != cell).sum(axis=1) == 1).all()
    assert around[:, :21].max() == 1
    assert around.max() == 2
    assert around.min() == 0


def test_the_path_encoding_names_short_paths() -> None:
    """Path 0 is the skip; 1 to 3 are the ops; then pairs, the first op varying fastest."""
    base = dict.fromkeys(SPACE.distributions, 0) | {f"op_{v}": "maxpool3x3" for v in range(1, 6)}
    skip = base | {"edge_0_6": 1}
    one = skip | {"edge_0_1": 1, "edge_1_6": 1, "op_1": "conv1x1-bn-relu"}
    two = one | {"edge_1_2": 1, "edge_2_6": 1, "op_2": "conv3x3-bn-relu"}
    long = skip | {f"edge_{v}_{v + 1}": 1 for v in range(6)}
    codes = encode_paths(SPACE, SPACE.params_to_tokens([skip, one, two, long]))
    assert codes.shape == (4, 1 + 3 + 9 + 27)
    paths = [np.flatnonzero(code).tolist() for code in codes]
    assert paths == [[0], [0, 2], [0, 2, 2 + 3 * 1], [0]]


def test_the_path_encoding_ignores_the_order_of_vertices() -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 2, (2_000, 26))
    canonical, valid = SPACE.canonicalize(raw)
    assert valid.sum() > 100
    np.testing.assert_array_equal(
        encode_paths(SPACE, raw[valid]), encode_paths(SPACE, canonical[valid])
    )


def test_the_ensemble_learns_by_heart_and_leaves_no_trace() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(0, 2, (20, 40)).astype(float), rng.normal(size=20)
    state = torch.get_rng_state()
    predicted, again = (predict_by_ensemble(inputs, targets, inputs, seed=0) for _ in range(2))
    assert predicted.shape == (5, 20)
    np.testing.assert_array_equal(predicted, again)
    assert np.abs(np.median(predicted, axis=0) - targets).mean() < 0.2
    assert predicted.std(axis=0).mean() > 0
    assert torch.equal(state, torch.get_rng_state())


# -- NAS-BOWL


def test_the_assignment_kernel_compares_histograms_of_labels() -> None:
    chain, branch = (
        SPACE.architecture_to_params(
            ModelSpec(matrix, ["input", "conv3x3-bn-relu", "conv3x3-bn-relu", "output"])
        )
        for matrix in (
            [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
            [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        )
    )
    tokens = SPACE.params_to_tokens([chain, branch])
    # Vertices agree; with their predecessors, the input and the convolution after it do.
    np.testing.assert_allclose(
        assignment_kernel(SPACE, tokens, n_iterations=1), [[1, 6 / 8], [6 / 8, 1]]
    )


def test_the_assignment_kernel_is_a_kernel_and_knows_isomorphic_cells() -> None:
    rng = np.random.default_rng(0)
    tokens = SPACE.sample_tokens(40, rng)
    kernel = assignment_kernel(SPACE, tokens, n_iterations=2)
    np.testing.assert_allclose(np.diag(kernel), 1)
    np.testing.assert_array_equal(kernel, kernel.T)
    assert np.linalg.eigvalsh(kernel).min() > -1e-9
    drawn = mutate(SPACE, tokens[0], 500, rng, edge_rate=0.1)
    (wanted,) = cell_keys(SPACE, tokens[:1])
    same = [k for k, key in enumerate(cell_keys(SPACE, drawn)) if key == wanted]
    assert len(same) > 5
    again = assignment_kernel(SPACE, np.concatenate([tokens[:1], drawn[same]]), n_iterations=2)
    np.testing.assert_allclose(again, 1)


def test_improvements_are_expected_where_good_cells_are_near() -> None:
    rng = np.random.default_rng(0)
    tokens = SPACE.sample_tokens(150, rng)
    costs = np.array([loss_of(SPACE, p) for p in SPACE.tokens_to_params(tokens)])
    targets = to_targets(costs)
    assert targets.mean() == pytest.approx(0, abs=1e-9)
    assert targets.std() == pytest.approx(1)
    improvements = expected_improvements(SPACE, tokens[:100], targets[:100], tokens[100:])
    assert (improvements >= 0).all()
    assert spearmanr(improvements, targets[100:]).statistic > 0.5


def test_accuracies_are_regressed_on_as_logarithms_of_errors() -> None:
    accuracies = np.array([0.1, 0.9, 0.94])
    expected = -np.log(1 - accuracies)
    targets = to_targets(-accuracies)
    np.testing.assert_allclose(targets, (expected - expected.mean()) / expected.std())
    np.testing.assert_array_equal(to_targets(np.full(3, -0.5)), 0)
