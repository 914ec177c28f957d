"""The factors of the architecture that was chosen. N: trials, F: factors, K: best trials."""

from dataclasses import dataclass

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.config import DNASConfig
from optuna_dnas.explanation._effects import Effect
from optuna_dnas.explanation._effects import effects
from optuna_dnas.interpret import Evaluated
from optuna_dnas.search_space import COST
from optuna_dnas.search_space import Factor
from optuna_dnas.strategies import DenseRegions


_SEED = 0
_MAX_LEVELS = 4
_HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class FactorFinding:
    """What there is to say of a factor.

    Args:
        factor: The concept.
        value: What the chosen architecture has; NaN if the factor does not apply to it.
        promising: What the best architectures have, in words; the most frequent first.
        n_sharing: How many of the best architectures have ``value``.
        n_best: How many these are.
        effect: What goes with ``value``; `None`: all trials have the same value, or there are too
            few of them.
    """

    factor: Factor
    value: float
    promising: tuple[str, ...]
    n_sharing: int
    n_best: int
    effect: Effect | None

    @property
    def text(self) -> str:
        """The value in words."""
        return self.factor.describe(self.value)

    @property
    def is_promising(self) -> bool:
        """Whether at least half of the best architectures agree on the value."""
        return self.n_sharing >= _HALF * self.n_best

    @property
    def is_clear(self) -> bool:
        """Whether the effect is certain."""
        return self.effect is not None and self.effect.is_clear


def factor_findings(data: Evaluated, column: int, chosen: int) -> tuple[FactorFinding, ...]:
    """All factors but costs: those with a clear effect first, the largest effects first.

    Args:
        data: A study.
        column: The objective to explain.
        chosen: Row of the architecture to explain.
    """
    model = data.space.factor_model
    # A cost follows from all the others, and the trials know it better than the space does.
    kept = [f for f, factor in enumerate(model.factors) if factor.kind != COST]
    factors = [model.factors[f] for f in kept]
    values = model.measure(data.tokens)[:, kept]
    found = effects(
        values,
        np.array([factor.is_nominal for factor in factors]),
        data.losses[:, column],
        chosen,
        np.random.default_rng(_SEED),
    )
    best = data.ranking(column)[: top_k(data)]
    sign = float(data.signs[column])
    findings = [
        _finding(factor, x, best, chosen, _in_direction(effect, sign))
        for factor, x, effect in zip(factors, values.T, found, strict=True)
    ]
    return tuple(sorted(findings, key=_order))


def top_k(data: Evaluated) -> int:
    """How many of the best architectures span the regions that a search samples densely."""
    config = DNASConfig()
    search = config.search_in(data.space)
    return next(s.top_k for s in search.strategies if isinstance(s, DenseRegions))


def _finding(
    factor: Factor, x: FloatArray, best: IntArray, chosen: int, effect: Effect | None
) -> FactorFinding:
    value = float(x[chosen])
    is_same = np.isnan(x[best]) if np.isnan(value) else x[best] == value
    return FactorFinding(
        factor=factor,
        value=value,
        promising=_promising(factor, x[best]),
        n_sharing=int(is_same.sum()),
        n_best=len(best),
        effect=effect,
    )


def _promising(factor: Factor, values: FloatArray) -> tuple[str, ...]:
    """The values; of a number that hardly any two share, its range."""
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) > _MAX_LEVELS and not factor.phrases:
        present = levels[~np.isnan(levels)]
        ends = [factor.describe(end) for end in (present.min(), present.max())]
        return (f"{ends[0]} to {ends[1].removeprefix(f'{factor.name}: ')}",)
    order = np.argsort(-counts, kind="stable")
    return tuple(factor.describe(level) for level in levels[order])


def _in_direction(effect: Effect | None, sign: float) -> Effect | None:
    """In the study's direction, of one that was measured on losses."""
    if effect is None:
        return None
    low, high = sorted((effect.low * sign, effect.high * sign))
    return Effect(value=effect.value * sign, low=low, high=high, support=effect.support)


def _order(finding: FactorFinding) -> tuple[bool, float]:
    size = 0.0 if finding.effect is None else abs(finding.effect.value)
    return not finding.is_clear, -size
