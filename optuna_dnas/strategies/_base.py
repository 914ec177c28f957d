"""The interface of a sampling strategy."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from optuna_dnas._checks import check_positive
from optuna_dnas._typing import TokenArray
from optuna_dnas.strategies._state import SearchState


@dataclass(frozen=True, kw_only=True)
class SamplingStrategy(abc.ABC):
    """A source of candidates, most of them in latent space.

    Args:
        share: How many candidates, as a share of ``n_candidates``. Shares that add up to more than
            1 make more of them.
    """

    source: ClassVar[str]
    """What a trial keeps as its provenance."""

    in_latent: ClassVar[bool] = True
    """Whether it proposes codes, which are decoded; if not, tokens."""

    share: float

    def __post_init__(self) -> None:
        check_positive(self, "share")

    @property
    def n_elite(self) -> int:
        """How many of the best architectures it looks at."""
        return 1

    @property
    def needs_cost_predictor(self) -> bool:
        """Whether :meth:`propose` looks at the predicted cost."""
        return False

    @abc.abstractmethod
    def propose(self, state: SearchState, n: int, rng: np.random.Generator) -> TokenArray:
        """About ``n`` codes (n, D), or tokens (n, T); none where it has nothing to say."""


@dataclass(frozen=True, kw_only=True)
class EliteStrategy(SamplingStrategy):
    """A source that begins at the best architectures.

    Args:
        share: Its share of all candidates.
        top_k: How many of the best.
    """

    top_k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "top_k")

    @property
    def n_elite(self) -> int:
        return self.top_k
