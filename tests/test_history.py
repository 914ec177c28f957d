"""From trials to arrays: every trial once, signs once."""

from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import pytest

from optuna_dnas._history import FinishedTrials
from optuna_dnas._history import History
from optuna_dnas._history import ParameterUnion
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas._optuna_compat import published_params
from tests.trials import CELLS
from tests.trials import FINISHED
from tests.trials import FLAT
from tests.trials import keys_of
from tests.trials import make_cell_trial
from tests.trials import make_flat_trial
from tests.trials import make_trial
from tests.trials import MAXIMIZE
from tests.trials import MINIMIZE
from tests.trials import sample_cells


@st.composite
def interleavings(draw: st.DrawFn) -> list[list[FrozenTrial]]:
    """What successive calls see: trials that start in order and finish in any order."""
    states: list[TrialState] = []
    finish_times: dict[int, int] = {}
    snapshots = []
    for _ in range(draw(st.integers(1, 8))):
        states += draw(
            st.lists(st.sampled_from([TrialState.RUNNING, TrialState.WAITING]), max_size=4)
        )
        unfinished = [k for k, state in enumerate(states) if not state.is_finished()]
        subset = st.lists(st.sampled_from(unfinished), unique=True) if unfinished else st.just([])
        for k in draw(subset):
            states[k] = draw(st.sampled_from(FINISHED))
            finish_times[k] = len(finish_times)
        snapshot = [make_trial(k, state) for k, state in enumerate(states)]
        for k, second in finish_times.items():
            snapshot[k].datetime_complete = datetime(2020, 1, 1) + timedelta(seconds=second)
        snapshots.append(snapshot)
    return snapshots


@given(interleavings())
@settings(derandomize=True, deadline=None, max_examples=200)
def test_each_finished_trial_comes_once_as_soon_as_it_is_finished(
    snapshots: list[list[FrozenTrial]],
) -> None:
    finished = FinishedTrials()
    returned: list[int] = []
    for trials in snapshots:
        new = finished.new(trials)
        times = [t.datetime_complete for t in new]
        assert times == sorted(times)
        returned += [t.number for t in new]
        assert len(returned) == len(set(returned))
        assert set(returned) == {t.number for t in trials if t.state.is_finished()}
        assert finished.new(trials) == []


@given(interleavings())
@settings(derandomize=True, deadline=None, max_examples=50)
def test_only_finished_trials_behind_an_unfinished_one_are_remembered(
    snapshots: list[list[FrozenTrial]],
) -> None:
    finished = FinishedTrials()
    for trials in snapshots:
        finished.new(trials)
        n_settled = next((t.number for t in trials if not t.state.is_finished()), len(trials))
        assert finished._seen == {
            t.number for t in trials if t.state.is_finished() and t.number > n_settled
        }


def test_trials_that_finished_at_one_instant_come_by_number() -> None:
    trials = [make_trial(k) for k in range(4)]
    for trial in trials:
        trial.datetime_complete = datetime(2020, 1, 1)
    assert [t.number for t in FinishedTrials().new(trials)] == [0, 1, 2, 3]


def test_the_union_keeps_the_newest_distribution_of_every_parameter() -> None:
    old, new = FloatDistribution(0.0, 1.0), FloatDistribution(0.0, 2.0)
    kind = CategoricalDistribution(("a", "b"))
    union = ParameterUnion()
    assert union.update([]).distributions == {}
    first = make_trial(0, params={"x": 0.5, "b": "a"}, distributions={"x": old, "b": kind})
    assert union.update([first]).distributions == {"x": old, "b": kind}
    second = make_trial(1, params={"x": 0.5, "a": "a"}, distributions={"x": new, "a": kind})
    running = make_trial(2, TrialState.RUNNING, params={"z": 0.5}, distributions={"z": old})
    known = union.update([first, second, running]).distributions
    assert known == {"a": kind, "b": kind, "x": new}
    assert list(known) == ["a", "b", "x"]
    known.clear()
    again = union.update([first, second, running])
    assert again.distributions == {"a": kind, "b": kind, "x": new}


def test_values_are_minimised_and_signs_flip_back() -> None:
    history = History(FLAT, [MINIMIZE, MAXIMIZE])
    values = [[1.0, 2.0], [-3.0, 4.0], [0.5, -6.0]]
    trials = [
        make_flat_trial(k, {"n": k, "x": 0.5}, values=value) for k, value in enumerate(values)
    ]
    for _ in range(2):  # A second look at the same trials changes nothing.
        history.update(trials)
        np.testing.assert_array_equal(history.observations.values, np.array(values) * [1.0, -1.0])
    assert [history.signed(row) for row in history.observations.values] == values


def test_updates_append_in_the_order_of_finishing() -> None:
    history = History(FLAT, [MINIMIZE])
    trials = [make_flat_trial(k, {"n": k, "x": 0.5}, values=[float(k)]) for k in range(3)]
    running = make_flat_trial(0, {"n": 0, "x": 0.5}, state=TrialState.RUNNING)
    history.update([running, *trials[1:]])
    np.testing.assert_array_equal(history.observations.values[:, 0], [1, 2])
    history.update(trials)
    np.testing.assert_array_equal(history.observations.values[:, 0], [1, 2, 0])
    np.testing.assert_array_equal(
        history.observations.tokens, FLAT.params_to_tokens([trials[k].params for k in (1, 2, 0)])
    )


def test_no_trials_are_no_observations_of_the_right_width() -> None:
    observations = History(CELLS, [MINIMIZE, MAXIMIZE]).observations
    assert observations.tokens.shape == (0, len(CELLS.distributions))
    assert observations.values.shape == (0, 2)
    assert observations.violations.shape == (0,)


def test_what_counts_as_an_observation() -> None:
    """Pruned trials with their last report; without one, as failed ones, as the worst."""
    nan = math.nan
    trials = [
        make_flat_trial(0, {"n": 0, "x": 0.5}, values=[1.0]),
        make_flat_trial(1, {"n": 1, "x": 0.5}, values=[math.inf]),
        make_flat_trial(2, {"n": 2, "x": 0.5}, state=TrialState.FAIL),
        make_flat_trial(3, {"n": 3, "x": 0.5}, state=TrialState.PRUNED),
        make_flat_trial(
            4, {"n": 4, "x": 0.5}, state=TrialState.PRUNED, intermediate_values={3: 7.0, 1: 8.0}
        ),
        make_flat_trial(
            5, {"n": 5, "x": 0.5}, state=TrialState.PRUNED, intermediate_values={0: 9.0, 1: nan}
        ),
    ]
    for direction, sign in ((MINIMIZE, 1), (MAXIMIZE, -1)):
        history = History(FLAT, [direction])
        history.update(trials)
        expected = [sign * 1.0, sign * math.inf, math.inf, math.inf, sign * 7.0, math.inf]
        np.testing.assert_array_equal(history.observations.values[:, 0], expected)
        assert history.taken(trials, but=-1) == keys_of(FLAT, *(t.params for t in trials))


@pytest.mark.parametrize("end", ["fail", "prune", "worst"])
def test_a_failed_trial_has_the_parameters_that_it_did_not_come_to_suggest(end: str) -> None:
    study = optuna.create_study()
    trial = study.ask()
    publish_params(study, study.trials[0], {"n": 3, "x": 0.25})
    trial.suggest_int("n", 0, 9)
    state = {"fail": TrialState.FAIL, "prune": TrialState.PRUNED}.get(end)
    study.tell(trial, math.inf if state is None else None, state)
    history = History(FLAT, [MINIMIZE])
    history.update(study.trials)
    expected = FLAT.params_to_tokens([{"n": trial.params["n"], "x": 0.25}])
    np.testing.assert_array_equal(history.observations.tokens, expected)
    assert history.observations.failed.tolist() == [True]


def test_what_a_successful_trial_did_not_suggest_was_inactive() -> None:
    study = optuna.create_study()
    trial = study.ask()
    publish_params(study, study.trials[0], {"n": 3, "x": 0.25})
    trial.suggest_int("n", 0, 9)
    study.tell(trial, 1.0)
    history = History(FLAT, [MINIMIZE])
    history.update(study.trials)
    assert np.isnan(history.observations.tokens).tolist() == [[False, True]]


def test_a_trial_that_failed_before_it_suggested_anything_says_nothing() -> None:
    study = optuna.create_study()
    trial = study.ask()
    publish_params(study, study.trials[0], {"n": 3, "x": 0.25})
    study.tell(trial, state=TrialState.FAIL)
    history = History(FLAT, [MINIMIZE])
    history.update(study.trials)
    assert len(history.observations.tokens) == 0


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.FAIL])
def test_a_valid_cell_that_failed_is_the_worst(state: TrialState) -> None:
    trial = make_cell_trial(0, sample_cells(1)[0], state=state)
    history = History(CELLS, [MAXIMIZE])
    history.update([trial])
    assert history.observations.values.tolist() == [[math.inf]]
    assert history.observations.failed.tolist() == [True]
    assert history.taken([trial], but=-1) == keys_of(CELLS, trial.params)


def test_an_invalid_cell_is_neither_observed_nor_taken() -> None:
    valid = sample_cells(1)[0]
    invalid = valid | {name: 0 for name in valid if name.startswith("edge")}
    trials = [make_cell_trial(0, invalid), make_cell_trial(1, valid)]
    history = History(CELLS, [MINIMIZE])
    history.update(trials)
    assert len(history.observations.tokens) == 1
    assert history.taken(trials, but=-1) == keys_of(CELLS, valid)


def test_isomorphic_cells_are_taken_together() -> None:
    history = History(CELLS, [MINIMIZE])
    written = {"edge_0_2": 1, "edge_2_4": 1, "op_2": "maxpool3x3"}  # through vertex 2, not 1
    empty = {name: d.choices[0] for name, d in CELLS.distributions.items()}
    trials = [make_cell_trial(0, empty | written)]
    history.update(trials)
    other = empty | {"edge_0_1": 1, "edge_1_4": 1, "op_1": "maxpool3x3"}
    assert history.taken(trials, but=-1) == keys_of(CELLS, other)


def publish(params: Mapping[str, Any]) -> tuple[optuna.Study, FrozenTrial]:
    """A running trial that has published, and not yet suggested anything."""
    study = optuna.create_study()
    trial = study.ask()
    publish_params(study, study.trials[0], params)
    return study, study.trials[trial.number]


def test_what_a_running_trial_has_published_is_taken() -> None:
    mine, other, finished = sample_cells(3)
    running = publish(other)[1]
    running.number = 1
    trials = [make_cell_trial(0, finished), running]
    history = History(CELLS, [MINIMIZE])
    history.update(trials)
    assert history.taken(trials, but=2) == keys_of(CELLS, finished, other)
    assert history.taken(trials, but=1) == keys_of(CELLS, finished)
    assert not keys_of(CELLS, mine) & history.taken(trials, but=2)


def test_suggested_and_enqueued_values_override_published_ones() -> None:
    study, _ = publish({"n": 1, "x": 0.25})
    trial = study.trials[0]
    trial.system_attrs["fixed_params"] = {"n": 2}
    assert published_params(trial) == {"n": 2, "x": 0.25}
    trial.params = {"x": 0.75}
    assert published_params(trial) == {"n": 2, "x": 0.75}


def test_long_proposals_are_published_in_pieces_that_a_database_holds() -> None:
    params = {f"parameter_{k}": "value" * 40 for k in range(40)}
    _, trial = publish(params)
    assert published_params(trial) == params
    pieces = [v for k, v in trial.system_attrs.items() if k.startswith("dnas:relative_params:")]
    assert len(pieces) > 2
    assert max(map(len, pieces)) <= 2045


@pytest.mark.parametrize("n_old", [0, 1, 2, 60])
@pytest.mark.parametrize("n_new", [1, 2, 60])
def test_a_proposal_is_replaced_at_once(
    n_old: int, n_new: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is written, others see the old one, the new one, or none."""
    old = {f"parameter_{k}": "old" * 25 for k in range(n_old)}
    new = {f"parameter_{k}": "new" * 25 for k in range(n_new)}
    study = optuna.create_study()
    study.ask()
    if n_old:
        publish_params(study, study.trials[0], old)
    seen = [published_params(study.trials[0])]
    write = study._storage.set_trial_system_attr

    def watch(trial_id: int, key: str, value: Any) -> None:
        write(trial_id, key, value)
        seen.append(published_params(study.trials[0]))

    monkeypatch.setattr(study._storage, "set_trial_system_attr", watch)
    publish_params(study, study.trials[0], new)
    assert seen[0] == old
    assert seen[-1] == new
    assert all(params in (old, new, {}) for params in seen)


def test_a_proposal_replaces_one_whose_writer_was_killed() -> None:
    study = optuna.create_study()
    trial = study.ask()
    study._storage.set_trial_system_attr(trial._trial_id, "dnas:relative_params:1", '": 3}')
    publish_params(study, study.trials[0], {"n": 1})
    assert published_params(study.trials[0]) == {"n": 1}


def make_running(number: int, age: timedelta, params: Mapping[str, Any]) -> FrozenTrial:
    trial = make_flat_trial(number, params, state=TrialState.RUNNING)
    trial.datetime_start = datetime.now() - age
    return trial


def make_finished(number: int, duration: timedelta, **kwargs: Any) -> FrozenTrial:
    """Two days ago."""
    trial = make_flat_trial(number, {"n": number, "x": 0.5}, **kwargs)
    trial.datetime_start = datetime.now() - timedelta(days=2)
    trial.datetime_complete = trial.datetime_start + duration
    return trial


SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("durations", "age", "is_released"),
    [
        ([], 1_000 * HOUR, False),  # nobody knows how long a trial takes
        ([0 * SECOND], 10 * HOUR, False),  # an imported one: as above
        ([SECOND], 10 * MINUTE, False),  # one of many may be slow
        ([SECOND], HOUR, True),
        ([SECOND, HOUR], 2 * HOUR, False),
        ([HOUR, SECOND], 6 * HOUR, True),
    ],
)
def test_the_architecture_of_a_trial_that_runs_much_too_long_is_not_taken_for_ever(
    durations: list[timedelta], age: timedelta, is_released: bool
) -> None:
    trials = [make_finished(k, duration) for k, duration in enumerate(durations)]
    params = {"n": 9, "x": 0.5}
    trials.append(make_running(len(trials), age, params))
    history = History(FLAT, [MINIMIZE])
    history.update(trials)
    is_taken = keys_of(FLAT, params) <= history.taken(trials, but=-1)
    assert is_taken != is_released


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED])
def test_how_long_a_trial_takes_is_known_from_complete_ones(state: TrialState) -> None:
    params = {"n": 9, "x": 0.5}
    trials = [make_finished(0, SECOND, state=state), make_running(1, HOUR, params)]
    history = History(FLAT, [MINIMIZE])
    history.update(trials)
    assert keys_of(FLAT, params) <= history.taken(trials, but=-1)


def test_a_trial_is_not_older_than_one_before_it() -> None:
    """Clocks of workers differ; their trials are numbered in the order in which they start."""
    other, params = {"n": 8, "x": 0.5}, {"n": 9, "x": 0.5}
    trials = [make_finished(0, SECOND), make_running(1, HOUR, other)]
    mine = make_finished(2, SECOND)
    mine.datetime_start = datetime.now() - MINUTE
    mine.datetime_complete = datetime.now() - MINUTE + SECOND
    trials += [mine, make_running(3, HOUR, params)]
    history = History(FLAT, [MINIMIZE])
    history.update(trials)
    taken = history.taken(trials, but=-1)
    assert not keys_of(FLAT, other) & taken
    assert keys_of(FLAT, params) <= taken


@pytest.mark.parametrize("n_pieces", [0, 1, 2])
def test_half_written_proposals_are_not_read(n_pieces: int) -> None:
    """Another worker sees the first pieces only; what is suggested already counts all the same."""
    study, trial = publish({f"parameter_{k}": "value" * 40 for k in range(40)} | {"n": 1})
    for name in [k for k in trial.system_attrs if k.startswith("dnas:relative_params:")]:
        if int(name.rsplit(":", 1)[1]) >= n_pieces:
            del trial.system_attrs[name]
    assert published_params(trial) == {}
    trial.params = {"n": 3, "x": 0.5}
    history = History(FLAT, [MINIMIZE])
    assert history.taken([trial], but=-1) == keys_of(FLAT, {"n": 3, "x": 0.5})
    assert study.trials[0].params == {}


def test_a_trial_that_has_only_begun_takes_no_cell() -> None:
    cell = sample_cells(1)[0]
    trial = make_cell_trial(0, cell, state=TrialState.RUNNING)
    history = History(CELLS, [MINIMIZE])
    assert history.taken([trial], but=-1) == keys_of(CELLS, cell)
    del trial.params["op_3"]
    assert history.taken([trial], but=-1) == set()


@pytest.mark.parametrize("value", [None, True, 3, -0.5, 1e-300, "ü", (3, 3), object], ids=repr)
def test_any_category_can_be_published(value: Any) -> None:
    """Optuna takes any object for a category while it stays in memory."""
    _, trial = publish({"c": value, "n": 1})
    published = published_params(trial)
    assert published["n"] == 1
    try:
        assert published["c"] == json.loads(json.dumps(value))
    except TypeError:
        assert published["c"] == repr(value)
