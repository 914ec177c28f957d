"""What a search prints at its end."""

from collections import Counter
from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from optuna_dnas.sampler import SOURCE_KEY
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


_MAX_PARETO_ROWS = 12


def report(study: optuna.Study, space: NASBench101Space, storage: str) -> str:
    """The best architecture, or the Pareto front; where trials came from; where the study is."""
    trials = study.get_trials(deepcopy=False)
    n_evaluated = sum(t.state == TrialState.COMPLETE for t in trials)
    parts = ["", _best(study, space), _sources(trials)]
    parts.append(f"{n_evaluated} architectures evaluated, study {study.study_name!r} in {storage}")
    return "\n\n".join(parts).lstrip("\n")


def _best(study: optuna.Study, space: NASBench101Space) -> str:
    names = study.metric_names or [f"value {k}" for k in range(len(study.directions))]
    try:
        best = study.best_trials
    except ValueError:
        best = []
    if not best:
        return "No architecture that is within the limits has been evaluated."
    if len(names) == 1:
        return _architecture(best[0], space, names)
    lines = ["Pareto front: " + ", ".join(names)]
    ordered = sorted(best, key=lambda t: t.values)
    for trial in ordered[:_MAX_PARETO_ROWS]:
        values = "  ".join(f"{value:12.6g}" for value in trial.values)
        lines.append(f"{values}  trial {trial.number}  {trial.user_attrs['architecture_hash']}")
    if len(ordered) > _MAX_PARETO_ROWS:
        lines.append(f"and {len(ordered) - _MAX_PARETO_ROWS} more")
    return "\n".join(lines)


def _architecture(trial: FrozenTrial, space: NASBench101Space, names: Sequence[str]) -> str:
    spec = ModelSpec.parse(trial.user_attrs["architecture"])
    lines = [f"Best architecture: trial {trial.number}", space.draw(spec), ""]
    metrics = dict(zip(names, trial.values, strict=True))
    # The study's metric comes first, then what the objective kept beside it.
    for name in ("validation_accuracy", "test_accuracy", "train_accuracy", "training_time"):
        if name in trial.user_attrs:
            metrics[name] = trial.user_attrs[name]
    lines += [f"{name:<20} {_format(name, value)}" for name, value in metrics.items()]
    cost = space.cost(spec)
    lines += [
        f"{'multiply-adds':<20} {cost.flops:,}",
        f"{'parameters':<20} {cost.params:,}",
        f"{'hash':<20} {spec.hash()}",
    ]
    return "\n".join(lines)


def _format(name: str, value: float) -> str:
    return f"{100 * value:.3f} %" if name.endswith("accuracy") else f"{value:,.0f}"


def _sources(trials: Sequence[FrozenTrial]) -> str:
    counts = Counter(t.user_attrs.get(SOURCE_KEY, "independent") for t in trials)
    n = sum(counts.values())
    shares = ", ".join(f"{s} {k} ({100 * k / n:.0f} %)" for s, k in counts.most_common())
    return f"Trials by source: {shares}"
