"""Moves from the best architectures, in latent space or not, and draws from the whole space."""

from dataclasses import dataclass
import math
from typing import ClassVar

import numpy as np

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.strategies._base import EliteStrategy
from optuna_dnas.strategies._base import SamplingStrategy
from optuna_dnas.strategies._state import SearchState


@dataclass(frozen=True, kw_only=True)
class WholeSpace(SamplingStrategy):
    """Sample the prior (p3 of the paper)."""

    source: ClassVar[str] = "prior"

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> FloatArray:
        return state.latent.sample_prior(n, rng)


@dataclass(frozen=True, kw_only=True)
class Neighbourhood(EliteStrategy):
    """Sample around the best architectures.

    Args:
        share: Its share of all candidates.
        top_k: Around how many of the best.
        limited_reach: How many times as far as usual the farthest ones go where a cost has a
            maximum. Most of what is near then breaks it, and little that is new would be left.
    """

    source: ClassVar[str] = "local"
    top_k: int = 8
    limited_reach: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_reach(self.limited_reach)

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> FloatArray:
        centres = state.elite[: self.top_k]
        reach = 1.0 if state.cost_headroom is None else self.limited_reach
        return state.latent.perturb(centres[rng.integers(0, len(centres), n)], rng, reach=reach)


@dataclass(frozen=True, kw_only=True)
class Mutations(EliteStrategy):
    """Change few tokens of the best architectures, whatever the latent space has for near.

    A code that was learned within seconds does not come back as what it was, and moves of it
    change what should have stayed; an option that the best architectures do not have is out of its
    reach.

    Args:
        share: Its share of all candidates.
        top_k: How many of the best are changed.
        limited_reach: See `Neighbourhood`.
    """

    source: ClassVar[str] = "mutation"
    in_latent: ClassVar[bool] = False
    top_k: int = 8
    limited_reach: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_reach(self.limited_reach)

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> TokenArray:
        parents = state.elite_tokens[: self.top_k]
        reach = 1.0 if state.cost_headroom is None else self.limited_reach
        return state.space.mutate_tokens(
            parents[rng.integers(0, len(parents), n)], rng, reach=reach
        )


@dataclass(frozen=True, kw_only=True)
class LatentGradient(EliteStrategy):
    """Move the best architectures along the predictors' gradient (Eq. 7).

    ``z' = z + eta (dP_a/dz - cost_weight dP_f/dz)``, with P_a maximised. Steps of growing length
    are tried, as SemiNAS does, since a short one often decodes to the same architecture. The
    gradient is scaled to length 1: predictions have no unit that the latent knows.

    Args:
        share: Its share of all candidates.
        top_k: How many of the best are moved.
        max_step: The longest move in latent space.
        cost_weight: How much lower cost counts beside better objectives, where a limit is set:
            every cost that has a maximum, and every constraint that is predicted, counts alike.
    """

    source: ClassVar[str] = "gradient"
    top_k: int = 8
    max_step: float = 2.0
    cost_weight: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "max_step")
        check_not_negative(self, "cost_weight")

    @property
    def needs_cost_predictor(self) -> bool:
        return self.cost_weight > 0

    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> FloatArray:
        centres = state.elite[: self.top_k]  # (K, D)
        slopes = state.fitted.objective_slopes(centres)  # (K, M, D)
        # Objectives and costs are both minimised here: downhill improves both.
        downhill = -_unit(np.einsum("kmd,m->kd", slopes, state.direction))
        rising = state.limited_slopes(centres) if self.cost_weight > 0 else None
        if rising is not None:
            cheaper = -_unit(_unit(rising).sum(axis=1))
            downhill = _unit(downhill + self.cost_weight * cheaper)
        n_steps = -(-n // len(centres))
        steps = self.max_step * np.arange(1, n_steps + 1) / n_steps
        moved = centres + steps[:, None, None] * downhill  # (S, K, D)
        return moved.reshape(-1, centres.shape[1])[:n]


def _check_reach(reach: float) -> None:
    if not 1 <= reach < math.inf:
        raise ValueError(f"`limited_reach` must be finite and at least 1, but got {reach}.")


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: FloatArray = vectors / np.maximum(lengths, 1e-12)
    return scaled
