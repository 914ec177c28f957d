"""Notes on the best trials: what they are, and why they matter."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from optuna_dnas._typing import IntArray
from optuna_dnas.dashboard._format import read_note
from optuna_dnas.dashboard._format import write_note
from optuna_dnas.interpret import Evaluated
from optuna_dnas.sampler import PREDICTION_KEY
from optuna_dnas.strategies import non_dominated
from optuna_dnas.visualization import quantity


# How a note of ours begins: no other one is touched.
_TITLES = ("**Best architecture of the study**", "**Architecture on the Pareto front**")


def publish_notes(study: Study, attrs: Mapping[str, Any], data: Evaluated) -> None:
    """Write notes on the best trials, and take them from those that no longer are."""
    notes = {row: _note(data, row) for row in _best(data).tolist()}
    for row, trial in enumerate(data.trials):
        known, wanted = read_note(attrs, trial), notes.get(row, "")
        is_ours = not known or known.startswith(_TITLES)
        if is_ours and known != wanted:
            write_note(study, attrs, trial, wanted)


def _best(data: Evaluated) -> IntArray:
    """Rows: the best one, or the Pareto front, of those within all limits."""
    rows = np.flatnonzero(data.is_feasible)
    if len(data.signs) == 1:
        return data.ranking(0)[:1] if len(rows) else rows
    return rows[non_dominated(data.losses[rows])]


def _note(data: Evaluated, row: int) -> str:
    """Markdown."""
    trial = data.trials[row]
    title = _TITLES[len(data.signs) > 1]
    lines = [
        f"{title}, found by *{data.sources[row]}*",
        "",
        *(f"- {name}: {text}" for name, text in _facts(data, row).items()),
        "",
        "```",
        _architecture(trial),
        "```",
    ]
    return "\n".join(lines)


def _facts(data: Evaluated, row: int) -> dict[str, str]:
    predictions = data.trials[row].user_attrs.get(PREDICTION_KEY, [])
    facts = {}
    for k, name in enumerate(data.metric_names):
        label = quantity(name, data.units)
        facts[label.title] = f"**{label.number(data.values[row, k])}**"
        if k < len(predictions):
            facts[label.title] += f", predicted {label.number(predictions[k])}"
    for name, cost in zip(data.cost_names, data.costs[row].tolist(), strict=True):
        label = quantity(name, data.units)
        facts.setdefault(label.title, label.number(cost))
    limits = ", ".join(sorted(data.trials[row].constraints))
    return facts | ({"within the limits": limits} if limits else {})


def _architecture(trial: FrozenTrial) -> str:
    text = trial.user_attrs.get("architecture")
    if isinstance(text, str):
        return text
    return "\n".join(f"{name} = {value}" for name, value in trial.params.items())
