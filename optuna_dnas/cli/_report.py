"""What a search prints at its end."""

from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas._optuna_compat import SOURCE_KEY
from optuna_dnas._trials import is_feasible
from optuna_dnas._trials import signs_of
from optuna_dnas.cli._ground_truth import GroundTruth
from optuna_dnas.cli._storages import without_secrets
from optuna_dnas.objectives import ArchitectureObjective
from optuna_dnas.objectives import LATENCY
from optuna_dnas.objectives import SHARE
from optuna_dnas.search_space import cost_title
from optuna_dnas.strategies import non_dominated


_MAX_PARETO_ROWS = 12


def report(
    study: optuna.Study,
    objective: ArchitectureObjective[Any],
    parse: Callable[[str], Any],
    storage: str,
    *,
    truth: GroundTruth | None = None,
) -> str:
    """The best architecture, or the Pareto front; where trials came from; where the study is.

    Args:
        study: Its trials keep what the objective has told them.
        objective: Knows the space and the limits.
        parse: Makes an architecture of its text.
        storage: Of the study.
        truth: What all cells of the space are worth, where that is known.
    """
    trials = study.get_trials(deepcopy=False)
    parts = ["", _best(study, objective, parse, truth)]
    parts += [*_limits(objective), *_latency(objective)]
    parts.append(_sources(trials))
    parts.append(f"{_counts(trials)}, study {study.study_name!r} in {without_secrets(storage)}")
    return "\n\n".join(parts).lstrip("\n")


def _best(
    study: optuna.Study,
    objective: ArchitectureObjective[Any],
    parse: Callable[[str], Any],
    truth: GroundTruth | None,
) -> str:
    names = study.metric_names or [f"value {k}" for k in range(len(study.directions))]
    best = _best_trials(study)
    if not best:
        return "No architecture that is within the limits has been evaluated."
    if len(names) == 1:
        architecture = parse(best[0].user_attrs["architecture"])
        return _architecture(best[0], architecture, objective, names[0], truth)
    return _front(best, names, parse, truth)


def _best_trials(study: optuna.Study) -> list[FrozenTrial]:
    """`Study.best_trials`, of those that have an architecture: any program may add others."""
    rivals = [
        trial
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        if "architecture" in trial.user_attrs and is_feasible(trial)
    ]
    signs = signs_of(study.directions)
    losses = np.array([trial.values for trial in rivals]).reshape(-1, len(signs)) * signs
    return [rivals[row] for row in non_dominated(losses)]


def _front(
    best: Sequence[FrozenTrial],
    names: Sequence[str],
    parse: Callable[[str], Any],
    truth: GroundTruth | None,
) -> str:
    # A limit makes it worth knowing, too.
    kept = [n for n in (LATENCY.name,) if n not in names and n in best[0].user_attrs]
    lines = ["Pareto front: " + ", ".join([*names, *kept])]
    ordered = sorted(best, key=lambda t: t.values)
    for trial in ordered[:_MAX_PARETO_ROWS]:
        numbers = [*trial.values, *(trial.user_attrs[name] for name in kept)]
        values = "  ".join(f"{number:12.6g}" for number in numbers)
        lines.append(f"{values}  trial {trial.number}  {trial.user_attrs['architecture_hash']}")
    if len(ordered) > _MAX_PARETO_ROWS:
        lines.append(f"and {len(ordered) - _MAX_PARETO_ROWS} more")
    if truth is not None:
        share = truth.front_share(parse(trial.user_attrs["architecture"]) for trial in best)
        lines.append(
            f"{share.n_on_front} of these {share.n_cells} cells are on the true Pareto front, "
            f"which has {share.n_front}."
        )
    return "\n".join(lines)


def _architecture(
    trial: FrozenTrial,
    architecture: Any,
    objective: ArchitectureObjective[Any],
    metric: str,
    truth: GroundTruth | None,
) -> str:
    # The study's metric comes first, then what the objective kept beside it.
    cost = dict(objective.space.cost(architecture) or {})
    units = {m.name: m.unit for m in objective.offered if m.name not in cost}
    known = {name: trial.user_attrs[name] for name in units if name in trial.user_attrs}
    metrics = {metric: trial.values[0]} | known
    rows = {name: _format(units.get(name, ""), value) for name, value in metrics.items()}
    if truth is not None:
        standing = truth.standing(architecture)
        rows["rank"] = f"{standing.rank:,} of {standing.n_cells:,}"
        rows["regret"] = _format(units.get(metric, ""), standing.regret).replace(
            "%", "percentage points"
        )
    rows |= {cost_title(name): f"{amount:,}" for name, amount in cost.items()}
    rows["hash"] = trial.user_attrs["architecture_hash"]
    lines = [f"Best architecture: trial {trial.number}", objective.space.draw(architecture), ""]
    return "\n".join(lines + [f"{name:<20} {text}" for name, text in rows.items()])


def _format(unit: str, value: float) -> str:
    if unit == SHARE:
        return f"{100 * value:.3f} %"
    return (f"{value:.3g}" if 0 < value < 100 else f"{value:,.0f}") + f" {unit}".rstrip()


def _limits(objective: ArchitectureObjective[Any]) -> list[str]:
    units = {f"{side}_{m.name}": m.unit for m in objective.offered for side in ("max", "min")}
    limits = [
        f"{key} {bound:,.12g} {units[key]}".rstrip() for key, bound in objective.limits.items()
    ]
    return [f"Limits: {', '.join(limits)}"] if limits else []


def _latency(objective: ArchitectureObjective[Any]) -> list[str]:
    conditions = objective.latency_conditions
    if not conditions:
        return []
    return [
        "Latency: milliseconds of an inference of a batch of "
        f"{conditions['latency_batch_size']} on {conditions['latency_device']}"
    ]


def _sources(trials: Sequence[FrozenTrial]) -> str:
    counts = Counter(t.user_attrs.get(SOURCE_KEY, "independent") for t in trials)
    n = sum(counts.values())
    shares = ", ".join(f"{s} {k} ({100 * k / n:.0f} %)" for s, k in counts.most_common())
    return f"Trials by source: {shares}"


def _counts(trials: Sequence[FrozenTrial]) -> str:
    counts = Counter(t.state for t in trials)
    text = f"{counts[TrialState.COMPLETE]} architectures evaluated"
    n_pruned = counts[TrialState.PRUNED]
    n_slow = sum(
        t.state == TrialState.PRUNED and t.constraints.get("max_latency", 0) > 0 for t in trials
    )
    text += f", {n_pruned} pruned" if n_pruned else ""
    return f"{text}, {n_slow} of them as too slow" if n_slow else text
