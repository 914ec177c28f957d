"""An explanation in sentences: plain text, for any medium."""

from collections.abc import Sequence

from optuna_dnas.explanation._effects import Effect
from optuna_dnas.explanation._effects import MIN_TRIALS
from optuna_dnas.explanation._explain import Chosen
from optuna_dnas.explanation._explain import Explanation
from optuna_dnas.explanation._factors import FactorFinding


SOURCE_MEANINGS = {
    "startup": "random, to begin with",
    "dense": "from where the factors of the best architectures lie",
    "local": "near good architectures in latent space",
    "mutation": "good architectures with few parts changed",
    "prior": "from the whole space, so that nothing is overlooked",
    "gradient": "along what the predictor believes to be better",
    "edge": "just within a limit",
    "enqueued": "given by the user",
    "fallback": "random, as the model could not propose anything",
    "independent": "by another sampler",
}

METHOD = (
    "An effect is how much better or worse the trials with this value are than the other trials, "
    "after the influence of the other factors has been taken out, with a 95 % interval from 200 "
    "resamples of the trials. A factor whose interval contains 0 has “no clear effect”: it may "
    "not matter, or it may go together with others too closely to be told apart. “Needed” is the "
    "share of the resamples in which the others could not do without it. Trials far worse than "
    "all others count as no more than bad. These are observations: the trials were chosen by a "
    "search, not drawn at random, so an effect need not be a cause."
)

_UNFINISHED = {"pruned": "were pruned", "fail": "failed", "running": "are running"}
_N_DECIDING = 3
_PROBABLE = 0.5


def summary(of: Explanation) -> tuple[str, ...]:
    """What was searched, what was found, and what decides."""
    return (_searched(of), _found(of), deciding(of))


def deciding(of: Explanation) -> str:
    """The largest clear effects, and if there are few of them the probable ones.

    Only what goes with better values is named as deciding: the best architecture may well have
    something in spite of which it is the best.
    """
    clear = [finding for finding in of.factors if finding.is_clear]
    good = [finding for finding in clear if _is_good(of, finding)][:_N_DECIDING]
    bad = [finding for finding in clear if not _is_good(of, finding)][:_N_DECIDING]
    hints = _hints(of)[: _N_DECIDING - len(good)]
    hint = f" Probably, but not clearly: {_listed(hints)}." if hints else ""
    spite = f" In spite of: {_listed([_with_effect(f, of) for f in bad])}." if bad else ""
    if good:
        named = _listed([_with_effect(finding, of) for finding in good])
        return f"What decides: {named}.{spite}{hint}"
    if all(factor.effect is None for factor in of.factors):
        return (
            f"What decides cannot be told: it takes {MIN_TRIALS} evaluated trials or more that "
            "differ."
        )
    return f"No single factor has a clear good effect.{spite}{hint}"


def helps(of: Explanation, change: float) -> bool:
    """Whether a change of the explained objective is for the better."""
    return (change > 0) == of.is_maximised[of.metric_names.index(of.target)] and change != 0


def difference(of: Explanation, value: float) -> str:
    """Between two values of the explained objective, with its sign."""
    metric = of.label(of.target)
    text = f"{value * metric.scale:+.2f}" if metric.scale != 1 else f"{value:+.3g}"
    return "0" if not float(text) else text.replace("-", "−")


def interval(of: Explanation, effect: Effect) -> str:
    """Its two ends."""
    return f"{difference(of, effect.low)} to {difference(of, effect.high)}"


def share(part: float) -> str:
    """Of 1, in percent."""
    return f"{100 * part:.0f} %"


def unit(of: Explanation) -> str:
    """Of differences; with a blank before it."""
    return " points" if of.label(of.target).scale != 1 else ""


def values_of(of: Explanation, chosen: Chosen) -> str:
    """Objectives and costs."""
    return ", ".join(of.label(name).text(value) for name, value in chosen.values)


def limit(of: Explanation, name: str, bound: float) -> str:
    """A limit in words."""
    side, _, metric = name.partition("_")
    if side not in ("max", "min"):
        return f"the constraint {name}"
    label = of.label(metric)
    side = "at most" if side == "max" else "at least"
    return f"{side} {label.number(bound)} {label.title}"


def _searched(of: Explanation) -> str:
    states = dict(of.states)
    goals = [
        f"the {'highest' if is_maximised else 'lowest'} {of.label(name).title}"
        for name, is_maximised in zip(of.metric_names, of.is_maximised, strict=True)
    ]
    others = [f"{states[s]} more {word}" for s, word in _UNFINISHED.items() if states[s]]
    text = (
        f"The search looked among {of.space} for {_listed(goals)}, and evaluated "
        f"{_count(of.n_architectures, 'different one')} in {_count(states['complete'], 'trial')}"
    )
    text += f" ({_listed(others)})" if others else ""
    limits = _listed([limit(of, name, bound) for name, bound in of.limits])
    return f"{text}, with {limits} allowed." if limits else f"{text}."


def _found(of: Explanation) -> str:
    best = of.chosen[0]
    if not best.is_feasible:
        return (
            f"All evaluated architectures break a limit; the best of them, trial {best.number}, "
            f"has {values_of(of, best)}."
        )
    broken = f" {_count(of.n_infeasible, 'trial')} broke a limit." if of.n_infeasible else ""
    within = " within the limits" if of.limits else ""
    if len(of.metric_names) == 1:
        return f"The best of them is trial {best.number}: {values_of(of, best)}.{broken}"
    if of.n_front == 1:
        return (
            f"Of the architectures that were evaluated{within}, one makes up the Pareto front, "
            f"that of trial {best.number}: {values_of(of, best)}.{broken}"
        )
    shown = f"{len(of.chosen)} of them" if len(of.chosen) < of.n_front else "all"
    return (
        f"Of the architectures that were evaluated{within}, {of.n_front} make up the Pareto "
        "front: no other one of them is at least as good in every objective and better in one "
        f"({shown} are drawn below, from cheapest to most expensive). The best in "
        f"{of.label(of.target).title} is trial {of.explained}.{broken}"
    )


def _is_good(of: Explanation, finding: FactorFinding) -> bool:
    return finding.effect is not None and helps(of, finding.effect.value)


def _hints(of: Explanation) -> list[str]:
    """Good effects that a model mostly needs, though some resamples do without them.

    The interval of such an effect ends at 0. One that reaches beyond it is as likely to be bad.
    """
    probable = [
        (finding, finding.effect)
        for finding in of.factors
        if finding.effect is not None
        and not finding.is_clear
        and finding.effect.support >= _PROBABLE
        and any(helps(of, end) for end in (finding.effect.low, finding.effect.high))
        and not any(helps(of, -end) for end in (finding.effect.low, finding.effect.high))
    ]
    return [
        f"{finding.text} (needed in {share(effect.support)} of the resamples)"
        for finding, effect in sorted(probable, key=lambda pair: -pair[1].support)
    ]


def _with_effect(finding: FactorFinding, of: Explanation) -> str:
    assert finding.effect is not None
    value = difference(of, finding.effect.value)
    return f"{finding.text} ({value}{unit(of)}, 95 % interval {interval(of, finding.effect)})"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _listed(texts: Sequence[str]) -> str:
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
