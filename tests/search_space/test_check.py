"""Each mistake in a space of one's own is named; the spaces of the package have none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import check_space
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import ProductSpace
from optuna_dnas.search_space import Repeat
from optuna_dnas.search_space import SearchSpace


LAYERS = Repeat({"width": Choice(8, 16), "skip": Choice(False, True)}, depth=(1, 4))
FLAT = FlatSpace(
    {
        "x": FloatDistribution(1e-3, 1.0, log=True),
        "op": CategoricalDistribution("abc"),
        "n": IntDistribution(2, 8, step=2),
    }
)


class Correct(ArchitectureSpace):
    """Three operations, whose order does not matter."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ops=Repeat(Choice("a", "b", "c"), depth=3), layers=LAYERS, **options)

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        canonical[:, :3] = np.sort(canonical[:, :3], axis=1)
        return canonical, valid


@pytest.mark.parametrize(
    "space",
    [
        NASBench101Space(max_vertices=5),
        NASBench101Space(),
        MobileNetSpace(),
        MobileNetSpace(MobileNetShape.small(image_size=8)),
        FLAT,
        ProductSpace(NASBench101Space(max_vertices=4), FLAT),
        ArchitectureSpace(layers=LAYERS),
        Correct(),
        Correct(cost=lambda a: Cost(flops=len(a.layers), params=1)),
    ],
    ids=lambda space: type(space).__name__,
)
def test_correct_spaces_pass(space: SearchSpace[Any]) -> None:
    for seed in range(3):
        check_space(space, seed=seed)


class Rolled(ArchitectureSpace):
    """Another form each time."""

    def __init__(self) -> None:
        super().__init__(ops=Repeat(Choice("a", "b", "c"), depth=3))

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        return np.roll(canonical, 1, axis=1), valid


class ValidTogether(Correct):
    """One invalid row makes all of them invalid."""

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        return canonical, np.full(len(tokens), valid.all())


class Forgetful(Correct):
    """Canonicalizes its argument."""

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        canonical, valid = super().canonicalize(tokens)
        tokens[:] = canonical
        return canonical, valid


class AllInvalid(Correct):
    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        return np.sort(rng.integers(0, 2, (n, 12)), axis=1)

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        return super().canonicalize(tokens)[0], np.zeros(len(tokens), dtype=bool)


class NoMask(Correct):
    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((n, 12), dtype=np.int64)

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, Any]:
        return super().canonicalize(tokens)[0], np.ones(len(tokens))


class MutatesInPlace(Correct):
    def mutate_tokens(
        self, tokens: TokenArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> IntArray:
        tokens[:, 0] = 1
        return tokens


class FewMutations(Correct):
    def mutate_tokens(
        self, tokens: TokenArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> IntArray:
        return super().mutate_tokens(tokens, rng, reach=reach)[:3]


class MutatesTooFar(Correct):
    def mutate_tokens(
        self, tokens: TokenArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> IntArray:
        return super().mutate_tokens(tokens, rng, reach=reach) + 5


class WideNumbers(Correct):
    @property
    def numbers_of_choices(self) -> FloatArray:  # type: ignore[override]
        return np.full(self.vocabulary.legal.shape, 2.0)


class OneNumber(Correct):
    def descriptors(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens.sum(axis=1), dtype=float)


class Standardized(Correct):
    """By the batch."""

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        return np.asarray(tokens[:, :2] - tokens[:, :2].mean(axis=0))


class Infinite(Correct):
    def descriptors(self, tokens: TokenArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(tokens[:, :2].astype(float)))


class OtherCost(Correct):
    """The cost of one is not that of many."""

    cost_names = ("flops", "params")

    def token_costs(self, tokens: TokenArray) -> FloatArray:
        return np.ones((len(tokens), 2))

    def cost(self, architecture: Architecture) -> Cost:
        return Cost(flops=1, params=2)


class Transposed(Correct):
    cost_names = ("flops", "params")

    def token_costs(self, tokens: TokenArray) -> FloatArray:
        return np.ones((2, len(tokens)))


class Nameless(Correct):
    cost_names = ()

    def token_costs(self, tokens: TokenArray) -> FloatArray:
        return np.ones((len(tokens), 1))


class OneHash(Correct):
    def hash(self, architecture: Architecture) -> str:
        return "architecture"


class HashAsWritten(Correct):
    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        return super().sample_tokens(n, rng)

    def hash(self, architecture: Architecture) -> str:
        return str(id(architecture))


class LostParameter(Correct):
    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        params = super().tokens_to_params(tokens)
        for of_row in params:
            of_row.pop("ops_1")
        return params


class OtherValue(Correct):
    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        return [p | {"ops_1": "conv"} for p in super().tokens_to_params(tokens)]


class WrongOrder(Correct):
    def architecture_to_params(self, architecture: Architecture) -> dict[str, Any]:
        return super().architecture_to_params(architecture) | {"n_layers": 1}


class NoText(Correct):
    def draw(self, architecture: Architecture) -> Any:
        return architecture


class Unseeded(Correct):
    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        return super().sample_tokens(n, np.random.default_rng())


class AsksForAnother(Correct):
    def suggest(self, trial: Any) -> Architecture:
        first = super().suggest(trial)
        return Architecture(**(dict(first) | {"ops": ("a", "a", "a")}))


def _fail(architecture: Mapping[str, Any]) -> Cost:
    raise ZeroDivisionError("no layers")


def _of_other_names(architecture: Mapping[str, Any]) -> Cost:
    return Cost(**{architecture["ops"][0]: 1})


@pytest.mark.parametrize(
    ("space", "method", "law"),
    [
        (Rolled(), "canonicalize", "must leave sampled tokens as they are"),
        (ValidTogether(), "canonicalize", "must treat each row alone"),
        (Forgetful(), "canonicalize", "must not change its argument"),
        (AllInvalid(), "canonicalize", "must find sampled tokens valid"),
        (NoMask(), "canonicalize", "64 booleans"),
        (MutatesInPlace(), "mutate_tokens", "must not change its argument"),
        (FewMutations(), "mutate_tokens", r"must return shape \(64, 12\), but returned \(3, 12\)"),
        (MutatesTooFar(), "mutate_tokens", "has no choice"),
        (WideNumbers(), "numbers_of_choices", r"must be numbers in \[0, 1\]"),
        (OneNumber(), "descriptors", "a row an architecture"),
        (Standardized(), "descriptors", "must treat each row alone"),
        (Infinite(), "descriptors", "must return finite numbers"),
        (OtherCost(), "cost", "must be what `token_costs` says"),
        (Transposed(), "token_costs", r"of shape \(64, 2\)"),
        (Nameless(), "cost_names", r"must name the costs of `token_costs`, .*, but is \(\)"),
        (Correct(cost=_fail), "cost", "failed: ZeroDivisionError: no layers"),
        (Correct(cost=lambda a: Cost(flops=-1, params=1)), "cost", "`flops` .* not negative"),
        (Correct(cost=lambda a: {"flops": 1}), "cost", "must return a `Cost`, but returned {'fl"),
        (Correct(cost=_of_other_names), "cost", r"must name \('\w+',\) of all .* returned Cost"),
        (OneHash(), "hash", "must tell apart"),
        (HashAsWritten(), "hash", "must be the same for the canonical form"),
        (LostParameter(), "covers", "must be true"),
        (OtherValue(), "tokens_to_params", "ops_1='conv'"),
        (WrongOrder(), "architecture_to_params", "must be the inverse"),
        (NoText(), "draw", "must be a text"),
        (Unseeded(), "sample_tokens", "from nothing but `rng`"),
        (AsksForAnother(), "suggest", "must make the architecture of a trial's parameters"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SearchSpace) else "",
)
def test_a_mistake_is_named(space: SearchSpace[Any], method: str, law: str) -> None:
    with pytest.raises(InvalidSpaceError, match=law) as raised:
        check_space(space)
    assert raised.value.method == f"{type(space).__name__}.{method}"


def test_the_mistake_of_a_part_is_that_of_the_part() -> None:
    with pytest.raises(InvalidSpaceError) as raised:
        check_space(ProductSpace(Standardized(), FLAT))
    assert raised.value.method == "Standardized.descriptors"
