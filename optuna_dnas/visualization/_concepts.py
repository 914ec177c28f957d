"""What the dimensions of a latent are called. N: architectures, D: latent dimensions."""

from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import Latent
from optuna_dnas.interpret import information
from optuna_dnas.search_space import Factor
from optuna_dnas.search_space import SearchSpace


# Of a factor's entropy: what a dimension must know to be called after it, and to be its scale.
_LEAST_KNOWLEDGE = 0.2
_FULL_KNOWLEDGE = 0.9
_N_ARCHITECTURES = 1000  # Random ones, by which that is measured.
_SEED = 0


class Concept(NamedTuple):
    """The factor that a dimension knows most of."""

    factor: Factor
    knowledge: float  # share of the factor's entropy
    ticks: dict[float, str]  # where its values stand among the codes, if it knows them all

    @property
    def text(self) -> str:
        """Its name and, if it is not nearly all of it, how much is known."""
        share = "" if self.knowledge >= _FULL_KNOWLEDGE else f" ({self.knowledge:.0%})"
        return f"{self.factor.name}{share}"


def concepts(space: SearchSpace[Any], latent: Latent) -> list[Concept | None]:
    """D of them; `None`: no factor is known to a fifth.

    Raises:
        TypeError: No factors are known of such a space.
    """
    model = space.factor_model
    tokens = space.sample_tokens(_N_ARCHITECTURES, np.random.default_rng(_SEED))
    codes, values = latent.encode(tokens), model.measure(tokens)
    known = information(codes, values)
    # In nats: there is little to know of a factor that is nearly constant.
    most = model.basic[known.shared[:, model.basic].argmax(axis=1)]
    found: list[Concept | None] = []
    for dimension, best in enumerate(most.tolist()):
        factor, share = model.factors[best], float(known.normalised[dimension, best])
        is_scale = share >= _FULL_KNOWLEDGE
        ticks = _ticks(factor, codes[:, dimension], values[:, best]) if is_scale else {}
        found.append(Concept(factor, share, ticks) if share >= _LEAST_KNOWLEDGE else None)
    return found


def _ticks(factor: Factor, codes: FloatArray, values: FloatArray) -> dict[float, str]:
    levels = np.unique(values[~np.isnan(values)])
    return {float(np.median(codes[values == v])): _short(factor, float(v)) for v in levels}


def _short(factor: Factor, value: float) -> str:
    """A value without the words that all of the factor's values share."""
    if not factor.phrases:
        return f"{value:g}"
    phrases = [phrase.split() for phrase in factor.phrases]
    words = phrases[int(value)]
    first = _n_common(phrases)
    last = _n_common([phrase[first:][::-1] for phrase in phrases])
    return " ".join(words[first : len(words) - last]) or "yes"


def _n_common(phrases: list[list[str]]) -> int:
    """How many words all of them begin with."""
    n = 0
    for words in zip(*phrases, strict=False):
        if len(set(words)) > 1:
            break
        n += 1
    return n
