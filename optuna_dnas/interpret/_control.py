"""What each latent knows of architectures, and what it does to them.

The two need not agree: a latent may tell the depth of an architecture that is encoded, and yet
its traversal may change something else, or nothing. Such a latent is a *read-out*.

N: architectures, D: latent dimensions, F: factors, S: points of a traversal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna_dnas._typing import FloatArray
from optuna_dnas.interpret._decoding import Decoding
from optuna_dnas.interpret._information import Information
from optuna_dnas.interpret._information import information
from optuna_dnas.interpret._traversal import GRID
from optuna_dnas.interpret._traversal import traverse
from optuna_dnas.search_space import Factor
from optuna_dnas.search_space import FactorModel


_LEAST_KNOWLEDGE = 0.1  # Of a factor's entropy: below, a latent does not know it.
_LEAST_REACH = 0.2  # Of the architectures: below, a latent does not control.


@dataclass(frozen=True, kw_only=True)
class LatentControl:
    """One latent.

    Args:
        latent: Its number.
        knows: The basic factor that it has most information on, in nats: there is little to know
            of one that is nearly constant.
        information: These nats.
        knowledge: The same as a share of the factor's entropy.
        moves: The basic factor that is most often the only one to change in a step of its
            traversal; `None` if that never happens.
        control: Share of the steps in which it is.
        reach: Share of the architectures of which a step changes that factor.
        purity: Share of the steps that change exactly one basic factor; NaN without steps.
        purity_by_kind: Share of the steps that change one kind of factor.
    """

    latent: int
    knows: Factor
    information: float
    knowledge: float
    moves: Factor | None
    control: float
    reach: float
    purity: float
    purity_by_kind: float

    @property
    def controls(self) -> Factor | None:
        """The factor that it moves alone in most steps, in more than a few architectures."""
        is_control = self.control >= 0.5 and self.reach >= _LEAST_REACH
        return self.moves if is_control else None

    @property
    def is_read_out(self) -> bool:
        """Whether it knows a factor and does not control it."""
        return self.knowledge >= _LEAST_KNOWLEDGE and self.controls != self.knows


def latent_controls(
    decoding: Decoding,
    model: FactorModel,
    codes: FloatArray,  # (N, D)
    factors: FloatArray,  # (N, F)
    *,
    n_traversed: int = 200,
    grid: FloatArray = GRID,  # (S,)
) -> list[LatentControl]:
    """Of all D latents, the one with most information on a factor first.

    Args:
        decoding: Of the latents.
        model: Of the architectures' factors.
        codes: Of different random architectures.
        factors: Of the same.
        n_traversed: How many of them to traverse; all serve to estimate information.
        grid: Where a traversal goes.
    """
    known, some = information(codes, factors), codes[:n_traversed]
    dimensions = range(codes.shape[1])
    controls = [_control(decoding, model, some, known, d, grid) for d in dimensions]
    return sorted(controls, key=lambda control: -control.information)


def controller_of(kind: str, controls: Sequence[LatentControl]) -> LatentControl | None:
    """The latent that controls a factor of the kind best; `None` if none controls one."""
    able = [c for c in controls if c.controls is not None and c.controls.kind == kind]
    return max(able, key=lambda control: control.control * control.reach, default=None)


def basic_information(of: Information, model: FactorModel) -> Information:
    """Without the derived factors."""
    return Information(of.shared[:, model.basic], of.entropies[model.basic])


def _control(
    decoding: Decoding,
    model: FactorModel,
    codes: FloatArray,
    known: Information,
    dimension: int,
    grid: FloatArray,
) -> LatentControl:
    basic, steps = model.basic, traverse(decoding, model, codes, dimension, grid)
    alone = steps.alone(basic)
    best, knows = int(alone.argmax()), int(basic[known.shared[dimension, basic].argmax()])
    return LatentControl(
        latent=dimension,
        knows=model.factors[knows],
        information=float(known.shared[dimension, knows]),
        knowledge=float(known.normalised[dimension, knows]),
        moves=model.factors[best] if alone[best] > 0 else None,
        control=float(alone[best]),
        reach=steps.of_factor(best),
        purity=steps.purity(basic),
        purity_by_kind=steps.purity_by_kind(model.factors, basic),
    )
