"""What figures and reports know of a study."""

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial
from optuna.trial import TrialState
import pytest

from optuna_dnas.controller import IdentityLatent
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from tests.trials import CELLS
from tests.trials import sample_cells
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study
from tests.visualization.studies import SOURCES


def test_cells_are_recognised() -> None:
    study = cell_study(12, metrics=("validation_accuracy", "flops"))
    data = evaluated(study)
    assert isinstance(data.space, NASBench101Space)
    assert data.space.max_vertices == 5
    assert data.metric_names == ("validation_accuracy", "flops")
    assert data.values.tolist() == [trial.values for trial in study.trials]
    assert (data.losses == data.values * [-1, 1]).all()
    assert data.numbers.tolist() == list(range(12))
    assert data.sources == SOURCES * 4
    assert (data.tokens == CELLS.canonicalize(data.tokens)[0]).all()
    assert data.is_feasible.all()


def test_recorded_costs_come_before_those_of_the_space() -> None:
    """The recognised space stands for another network than that of the digits."""
    study = cell_study(5)
    recorded = [[t.user_attrs["flops"], t.user_attrs["params"]] for t in study.trials]
    costs = evaluated(study).costs
    assert costs is not None
    assert costs.tolist() == recorded

    unknown = optuna.create_study()
    for trial in study.trials:
        trial.set_user_attr("flops", None)
        unknown.add_trial(
            create_trial(params=trial.params, distributions=trial.distributions, value=0.0)
        )
    costs = evaluated(unknown).costs
    assert costs.tolist() != recorded


def test_any_other_space_is_flat() -> None:
    data = evaluated(flat_study(6))
    assert isinstance(data.space, FlatSpace)
    assert isinstance(data.latent(), IdentityLatent)
    assert list(data.space.distributions) == ["depth", "kind", "momentum", "rate"]
    assert np.isnan(data.tokens[::2, 2]).all()
    assert not np.isnan(data.tokens[1::2]).any()
    assert (data.cost_names, data.costs.shape) == ((), (6, 0))
    assert data.metric_names == ("value",)
    assert data.sources == ("independent",) * 6


def test_what_is_no_architecture_is_left_out() -> None:
    study = cell_study(3)
    nothing = dict.fromkeys(CELLS.distributions, 0) | {f"op_{v}": "maxpool3x3" for v in (1, 2, 3)}
    others = [
        {"params": nothing, "distributions": CELLS.distributions, "value": 1.0},
        {"params": {"x": 1.0}, "distributions": {"x": FloatDistribution(0, 1)}, "value": 1.0},
        {"state": TrialState.PRUNED},
        {"state": TrialState.FAIL},
    ]
    for other in others:
        study.add_trial(create_trial(**other))
    assert evaluated(study, CELLS).numbers.tolist() == [0, 1, 2]


def test_infinite_values_are_left_out() -> None:
    study = optuna.create_study()
    for value in (1.0, np.inf, 2.0):
        study.add_trial(
            create_trial(
                params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}, value=value
            )
        )
    assert evaluated(study).values[:, 0].tolist() == [1.0, 2.0]


def test_the_best_is_feasible() -> None:
    study = optuna.create_study(direction="maximize")
    for params, value, excess in zip(
        sample_cells(4), (1.0, 4.0, 3.0, 2.0), (0.0, 1.0, -1.0, float("inf")), strict=True
    ):
        study.add_trial(
            create_trial(
                params=params,
                distributions=CELLS.distributions,
                value=value,
                constraints={"latency": excess},
            )
        )
    data = evaluated(study)
    assert data.is_feasible.tolist() == [True, False, True, False]
    assert data.ranking(0).tolist() == [2, 0, 1, 3]
    assert study.best_trial.number == 2


@pytest.mark.parametrize("with_failure", [False, True])
def test_nothing_completed(with_failure: bool) -> None:
    study = optuna.create_study(study_name="empty")
    if with_failure:
        study.add_trial(create_trial(state=TrialState.FAIL))
    for space in (None, CELLS):
        with pytest.raises(ValueError, match="The study 'empty' has no completed trial"):
            evaluated(study, space)
