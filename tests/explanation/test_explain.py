"""What a report says is true."""

import dataclasses
from typing import Any

import optuna
from optuna.trial import create_trial
from optuna.trial import TrialState
import pytest

from optuna_dnas.explanation import Effect
from optuna_dnas.explanation import explain
from optuna_dnas.explanation import Explanation
from optuna_dnas.explanation import FactorFinding
from optuna_dnas.explanation._factors import factor_findings
from optuna_dnas.explanation._words import deciding
from optuna_dnas.explanation._words import summary
from optuna_dnas.interpret import evaluated
from optuna_dnas.search_space import SearchSpace
from tests.explanation.planted import negated
from tests.explanation.planted import planted_cells
from tests.explanation.planted import planted_parameters
from tests.explanation.planted import SPACE
from tests.visualization.studies import cell_study
from tests.visualization.studies import flat_study


PLANTED = {"input-output skip", "number of conv3x3"}


def findings(study: optuna.Study, space: SearchSpace[Any] | None = None) -> list[FactorFinding]:
    data = evaluated(study, space)
    return list(factor_findings(data, 0, int(data.ranking(0)[0])))


@pytest.mark.slow
@pytest.mark.parametrize("is_maximised", [True, False])
def test_what_decides_on_cells_is_what_was_planted(is_maximised: bool) -> None:
    study = planted_cells() if is_maximised else negated(planted_cells())
    found = findings(study, SPACE)
    assert {f.factor.name for f in found if f.is_clear} == PLANTED
    assert {f.factor.name for f in found[:2]} == PLANTED
    by_name = {f.factor.name: f for f in found}
    skip = by_name["input-output skip"]
    assert skip.effect is not None
    assert skip.effect.value == pytest.approx(2.0 if is_maximised else -2.0, abs=0.05)
    assert skip.text == "input-output skip"
    assert skip.is_promising
    convolutions = by_name["number of conv3x3"]
    assert convolutions.effect is not None
    assert (convolutions.effect.value > 0) == is_maximised


def test_what_decides_on_parameters_is_what_was_planted() -> None:
    found = findings(planted_parameters())
    assert {f.factor.name for f in found if f.is_clear} == {"rate", "kind"}
    assert {f.factor.name for f in found[:2]} == {"rate", "kind"}
    assert all(f.effect is not None and f.effect.value < 0 for f in found[:2])


@pytest.mark.slow
def test_sentences_name_it_first() -> None:
    text = deciding(explain(planted_cells(), SPACE))
    assert text.startswith("What decides: ")
    assert "input-output skip (+2" in text
    assert "number of conv3x3: 3 (+1" in text


def test_best_trial_and_counts() -> None:
    study = cell_study(30)
    explanation = explain(study)
    assert explanation.explained == explanation.chosen[0].number == study.best_trial.number
    assert dict(explanation.chosen[0].values)["validation_accuracy"] == study.best_value
    assert dict(explanation.states)["complete"] == explanation.n_architectures == 30
    assert sum(s.n_proposals for s in explanation.course.sources) == 30
    last = explanation.course.periods[-1]
    assert (last.last, last.best) == (29, study.best_value)


def test_periods_add_up_to_sources() -> None:
    course = explain(cell_study(29)).course
    for source in course.sources:
        proposed = sum(dict(p.proposals).get(source.name, 0) for p in course.periods)
        improved = sum(dict(p.improvements).get(source.name, 0) for p in course.periods)
        assert (proposed, improved) == (source.n_proposals, source.n_improvements)


def test_best_so_far_only_improves() -> None:
    bests = [period.best for period in explain(flat_study(20)).course.periods]
    assert bests == sorted(bests, reverse=True)


def test_front_is_drawn_from_cheapest_to_most_expensive() -> None:
    study = cell_study(60, metrics=("flops", "validation_accuracy"))
    explanation = explain(study)
    assert explanation.target == "validation_accuracy"
    assert explanation.n_front == len({t.user_attrs["architecture"] for t in study.best_trials})
    assert 1 < len(explanation.chosen) <= 6
    costs = [dict(chosen.values)["flops"] for chosen in explanation.chosen]
    assert costs == sorted(costs)
    front = {trial.number for trial in study.best_trials}
    assert {chosen.number for chosen in explanation.chosen} <= front
    assert explanation.explained == explanation.chosen[-1].number


def test_limits_are_told() -> None:
    study = cell_study(30, limits={"flops": 200_000})
    explanation = explain(study)
    assert explanation.limits == (("max_flops", 200_000),)
    assert explanation.n_infeasible == sum(t.constraints["max_flops"] > 0 for t in study.trials)
    assert "at most 200,000 multiply-adds" in summary(explanation)[0]
    assert explanation.chosen[0].is_feasible


def test_constraints_of_its_own_are_told() -> None:
    study = optuna.create_study()
    distribution = optuna.distributions.FloatDistribution(0, 1)
    for x in (0.2, 0.4):
        trial = create_trial(
            params={"x": x},
            distributions={"x": distribution},
            value=x,
            constraints={"max_heat": x},
        )
        study.add_trial(trial)
    explanation = explain(study)
    assert explanation.limits == (("max_heat", 0.0),)
    assert "All evaluated architectures break a limit" in summary(explanation)[1]


def test_one_trial_is_enough_to_draw_it() -> None:
    explanation = explain(cell_study(1))
    assert explanation.n_architectures == 1
    assert all(finding.effect is None for finding in explanation.factors)
    assert "cannot be told" in deciding(explanation)


def test_what_failed_or_was_pruned_is_counted() -> None:
    study = flat_study(12)
    study.add_trial(create_trial(state=TrialState.FAIL))
    for _ in range(2):
        study.add_trial(create_trial(state=TrialState.PRUNED))
    explanation = explain(study)
    assert explanation.n_architectures == 12
    assert "(2 more were pruned and 1 more failed)" in summary(explanation)[0]


def with_effects(study: optuna.Study, *effects: tuple[float, float, float]) -> Explanation:
    """An explanation whose first factors have these effects and intervals, the others none."""
    explanation = explain(study)
    factors = [dataclasses.replace(factor, effect=None) for factor in explanation.factors]
    for k, (value, low, high) in enumerate(effects):
        effect = Effect(value=value, low=low, high=high, support=0.9)
        factors[k] = dataclasses.replace(factors[k], effect=effect)
    return dataclasses.replace(explanation, factors=tuple(factors))


@pytest.mark.parametrize(
    ("effect", "is_hint"),
    [
        ((4.0, 0.0, 9.09), True),
        ((-4.0, -9.09, 0.0), False),
        ((4.0, -0.1, 9.09), False),
        ((-1.0, -9.09, 4.0), False),
    ],
)
@pytest.mark.parametrize("is_maximised", [True, False])
def test_only_what_does_no_harm_is_a_hint(
    effect: tuple[float, float, float], is_hint: bool, is_maximised: bool
) -> None:
    study = cell_study(12) if is_maximised else negated(cell_study(12))
    value, low, high = effect if is_maximised else (-effect[0], -effect[2], -effect[1])
    explanation = with_effects(study, (value, low, high))
    text = deciding(explanation)
    assert ("Probably" in text) == is_hint
    assert (explanation.factors[0].text in text) == is_hint


@pytest.mark.parametrize("is_maximised", [True, False])
def test_a_clearly_bad_factor_of_the_best_does_not_decide(is_maximised: bool) -> None:
    study = cell_study(12) if is_maximised else negated(cell_study(12))
    sign = 1 if is_maximised else -1
    bad = sorted((-9.0 * sign, -1.0 * sign))
    good = sorted((1.0 * sign, 3.0 * sign))
    explanation = with_effects(study, (-4.0 * sign, *bad), (2.0 * sign, *good))
    first, second = explanation.factors[:2]
    decides, _, spite = deciding(explanation).partition(" In spite of: ")
    assert decides.startswith(f"What decides: {second.text} (")
    assert first.text not in decides
    assert spite.startswith(f"{first.text} (")
    alone = deciding(with_effects(study, (-4.0 * sign, *bad)))
    assert alone.startswith("No single factor has a clear good effect. In spite of: ")


def test_a_front_is_of_what_was_evaluated() -> None:
    study = cell_study(60, metrics=("flops", "validation_accuracy"))
    text = summary(explain(study))[1]
    n = explain(study).n_front
    assert text.startswith(f"Of the architectures that were evaluated, {n} make up the Pareto")
    limited = cell_study(60, metrics=("flops", "validation_accuracy"), limits={"flops": 200_000})
    assert "evaluated within the limits, " in summary(explain(limited))[1]


def test_nothing_to_explain_is_an_error() -> None:
    with pytest.raises(ValueError, match="no completed trial"):
        explain(optuna.create_study())


def test_explanations_cannot_be_changed() -> None:
    explanation = explain(flat_study(3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.target = "other"  # type: ignore[misc]
