"""The space of mobile networks in which the paper searches for ImageNet."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
import hashlib
import itertools
import math
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.encoding import Token
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._cost import Cost
from optuna_dnas.search_space._cost import CostLimits
from optuna_dnas.search_space._cost import Limits
from optuna_dnas.search_space._mobilenet_cost import cost_table
from optuna_dnas.search_space._mobilenet_cost import frame_cost
from optuna_dnas.search_space._mobilenet_factors import MobileNetFactors
from optuna_dnas.search_space._mobilenet_picture import describe_network
from optuna_dnas.search_space._mobilenet_picture import draw_network
from optuna_dnas.search_space._mobilenet_shape import MobileNetShape
from optuna_dnas.search_space._mobilenet_spec import MobileNetSpec
from optuna_dnas.search_space._mobilenet_spec import SKIP
from optuna_dnas.search_space._picture import Picture


_MAX_ENUMERATED = 1_000_000


class MobileNetSpace(SearchSpace[MobileNetSpec]):
    """Stages of MBConv layers, each with a kernel size and an expansion ratio, or skipped.

    Optuna parameters: ``layer_{k}``, one of ``"k3e3"``, ``"k3e6"``, ..., and ``"skip"`` for all
    but the first layer of a stage. Tokens: kernel and expansion of each layer, each with one more
    choice ("absent") where the layer may be skipped. Where in its stage a layer is skipped does
    not change the network: in canonical form the skipped ones come last.

    L: searched layers, T = 2 L.

    Args:
        shape: The network around the layers, and their choices; by default the paper's.
        limits: What a search may propose; by default anything. They leave the space as it is.

    Raises:
        ValueError: No network is within the limits; the message names the one that is too tight.
    """

    search = "declared"
    cost_names = ("flops", "params")

    def __init__(
        self, shape: MobileNetShape | None = None, *, limits: Limits | None = None
    ) -> None:
        self.shape = shape or MobileNetShape()
        self.limits = CostLimits(limits)
        self._check_limits()

    def __repr__(self) -> str:
        text = f"{self.shape}"
        if self.limits:
            text += f", limits={self.limits}"
        return f"MobileNetSpace({text})"

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        choices = tuple(map(str, self.shape.choices))
        always, skippable = (CategoricalDistribution(c) for c in (choices, (*choices, SKIP)))
        return {
            f"layer_{k}": skippable if may_skip else always
            for k, may_skip in enumerate(self.shape.may_skip)
        }

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return dict(self._distributions)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        # A step is a stage, its layers side by side: so short a sequence is soon learned.
        kinds = (("kernel", self.shape.kernels), ("expansion", self.shape.expansions))
        places = [n for stage in self.shape.stages for n in range(stage.n_layers)]
        return Vocabulary(
            [
                Token(f"{name}_{k}", len(choices) + (n > 0), step=layer.stage, slot=2 * n + m)
                for k, (layer, n) in enumerate(zip(self.shape.layers, places, strict=True))
                for m, (name, choices) in enumerate(kinds)
            ]
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @cached_property
    def factor_model(self) -> MobileNetFactors:
        return MobileNetFactors(self)

    @property
    def size(self) -> float:
        n = len(self.shape.choices)
        size = math.prod(sum(_depth_counts(s.n_layers, n)) for s in self.shape.stages)
        try:
            return float(size)
        except OverflowError:
            return math.inf

    @property
    def declaration(self) -> dict[str, Any]:
        return {"shape": asdict(self.shape), "limits": self.limits.by_key}

    @classmethod
    def from_declaration(cls, declaration: Mapping[str, Any]) -> "MobileNetSpace":
        """The inverse of :attr:`declaration`, also after JSON."""
        shape = MobileNetShape.from_dict(declaration["shape"])
        return cls(shape, limits=CostLimits().replaced(declaration["limits"]))

    @property
    def cost_range(self) -> tuple[Cost, Cost]:
        may_skip = np.array(self.shape.may_skip)
        choices = self._costs[:, :-1, :-1].reshape(len(may_skip), -1, 2)
        frame = np.array([self._frame.flops, self._frame.params])
        low = frame + choices[~may_skip].min(axis=1).sum(axis=0)
        high = frame + choices.max(axis=1).sum(axis=0)
        cheapest, dearest = (
            dict(zip(self.cost_names, bound.tolist(), strict=True)) for bound in (low, high)
        )
        return Cost(**cheapest), Cost(**dearest)

    def params_to_architecture(self, params: Mapping[str, Any]) -> MobileNetSpec:
        return self._to_spec([params[name] for name in self._distributions])

    def architecture_to_params(self, architecture: MobileNetSpec) -> dict[str, Any]:
        return self.tokens_to_params(self._canonical_tokens(architecture))[0]

    def canonical(self, architecture: MobileNetSpec) -> MobileNetSpec:
        return self.tokens_to_architectures(self._canonical_tokens(architecture))[0]

    def hash(self, architecture: MobileNetSpec) -> str:
        """32 hexadecimal digits."""
        return hashlib.sha256(str(self.canonical(architecture)).encode()).hexdigest()[:32]

    def cost(self, architecture: MobileNetSpec) -> Cost:
        """Multiply-adds and trainable parameters of the network, exactly."""
        flops, params = self.token_costs(self._canonical_tokens(architecture))[0]
        return Cost(flops=int(flops), params=int(params))

    def draw(self, architecture: MobileNetSpec) -> str:
        """One line a stage."""
        return describe_network(self.canonical(architecture), self.shape)

    def picture(self, architecture: MobileNetSpec) -> Picture:
        """One row of blocks a stage."""
        return draw_network(self.canonical(architecture), self.shape)

    def sample(self, rng: np.random.Generator, n: int) -> list[MobileNetSpec]:
        """Networks that are uniform over the different ones of the space."""
        return self.tokens_to_architectures(self.sample_tokens(n, rng))

    def sample_tokens(self, n: int, rng: np.random.Generator) -> IntArray:
        n_choices = len(self.shape.choices)
        choices = rng.integers(0, n_choices, (n, len(self.shape.layers)))
        is_present = []
        for stage in self.shape.stages:
            counts = np.array(_depth_counts(stage.n_layers, n_choices), dtype=float)
            depths = 1 + rng.choice(stage.n_layers, size=n, p=counts / counts.sum())
            is_present.append(np.arange(stage.n_layers) < depths[:, None])
        return self._join(np.where(np.concatenate(is_present, axis=1), choices, n_choices))

    def enumerate_tokens(self) -> IntArray:
        """(N, T) all different networks.

        Raises:
            ValueError: The space is too large.
        """
        if self.size > _MAX_ENUMERATED:
            raise ValueError(f"A space of {self.size:.3g} networks is too large to enumerate.")
        n_choices = len(self.shape.choices)
        stages = [_stage_rows(stage.n_layers, n_choices) for stage in self.shape.stages]
        rows = [sum(parts, ()) for parts in itertools.product(*stages)]
        return self._join(np.array(rows, dtype=np.int64))

    def params_to_tokens(self, params: Sequence[Mapping[str, Any]]) -> IntArray:
        index = {str(choice): n for n, choice in enumerate(self.shape.choices)}
        index[SKIP] = len(index)
        rows = [[index[p[name]] for name in self._distributions] for p in params]
        shape = len(params), len(self.shape.layers)
        return self._join(np.array(rows, dtype=np.int64).reshape(shape))

    def tokens_to_params(self, tokens: TokenArray) -> list[dict[str, Any]]:
        texts = [*map(str, self.shape.choices), SKIP]
        return [
            dict(zip(self._distributions, [texts[c] for c in row], strict=True))
            for row in self._split(tokens).tolist()
        ]

    def canonicalize(self, tokens: TokenArray) -> tuple[IntArray, BoolArray]:
        """Tokens are valid that have both a kernel and an expansion for a layer, or neither."""
        kernels, expansions = tokens[:, ::2], tokens[:, 1::2]
        is_skipped = kernels == len(self.shape.kernels)
        valid: BoolArray = (is_skipped == (expansions == len(self.shape.expansions))).all(axis=1)
        order = np.argsort(self._stage_of + 0.5 * is_skipped, axis=1, kind="stable")
        canonical = np.empty_like(tokens)
        canonical[:, ::2] = np.take_along_axis(kernels, order, axis=1)
        canonical[:, 1::2] = np.take_along_axis(expansions, order, axis=1)
        return canonical, valid

    def fixed_tokens(self, params: Mapping[str, Any]) -> dict[int, int]:
        texts = {str(choice): n for n, choice in enumerate(self.shape.choices)}
        fixed: dict[int, int] = {}
        for k, (name, distribution) in enumerate(self._distributions.items()):
            assert isinstance(distribution, CategoricalDistribution)
            if name in params and params[name] in distribution.choices:
                choice = np.array([[texts.get(params[name], len(texts))]])
                fixed[2 * k], fixed[2 * k + 1] = self._join(choice)[0].tolist()
        return fixed

    def descriptors(self, tokens: TokenArray) -> FloatArray:
        """(N, T) canonical tokens -> (N, F).

        Depth of each stage; how many layers of each kernel size and of each expansion ratio; the
        logarithms of both costs; which kernel size and which expansion ratio each layer has.
        """
        kernels = tokens[:, ::2, None] == np.arange(len(self.shape.kernels))  # (N, L, K)
        expansions = tokens[:, 1::2, None] == np.arange(len(self.shape.expansions))
        first = np.flatnonzero(np.diff(self._stage_of, prepend=-1))
        parts = [
            np.add.reduceat(kernels.any(axis=2).astype(int), first, axis=1),
            kernels.sum(axis=1),
            expansions.sum(axis=1),
            np.log(self.token_costs(tokens)),
            kernels.reshape(len(tokens), -1),
            expansions.reshape(len(tokens), -1),
        ]
        return np.concatenate(parts, axis=1).astype(float)

    def token_costs(self, tokens: TokenArray) -> FloatArray:
        layers = np.arange(len(self.shape.layers))
        costs: IntArray = self._costs[layers, tokens[:, ::2], tokens[:, 1::2]].sum(axis=1)
        frame: FloatArray = np.array([self._frame.flops, self._frame.params], dtype=float)
        return costs + frame

    def tokens_to_architectures(self, tokens: TokenArray) -> list[MobileNetSpec]:
        """(N, T) valid tokens -> N networks."""
        choices = [*self.shape.choices, None]
        return [MobileNetSpec(tuple(choices[c] for c in row)) for row in self._split(tokens)]

    @cached_property
    def _costs(self) -> IntArray:
        return cost_table(self.shape)

    @cached_property
    def _frame(self) -> Cost:
        return frame_cost(self.shape)

    @cached_property
    def _stage_of(self) -> IntArray:
        """(L,)."""
        return np.array([layer.stage for layer in self.shape.layers])

    def _to_spec(self, texts: Sequence[str]) -> MobileNetSpec:
        for (name, distribution), text in zip(self._distributions.items(), texts, strict=True):
            assert isinstance(distribution, CategoricalDistribution)
            if text not in distribution.choices:
                raise OutOfDomainError(
                    f"`{name}` must be one of {distribution.choices}, but got {text!r}."
                )
        return MobileNetSpec.parse(" ".join(texts))

    def _canonical_tokens(self, architecture: MobileNetSpec) -> IntArray:
        self.shape.check(architecture)
        params = dict(zip(self._distributions, str(architecture).split(), strict=True))
        return self.canonicalize(self.params_to_tokens([params]))[0]

    def _join(self, choices: IntArray) -> IntArray:
        """(N, L) choices, the number of choices for a skipped layer -> (N, T) tokens."""
        tokens = np.empty((len(choices), 2 * choices.shape[1]), dtype=np.int64)
        # With so many expansions a kernel, a skipped layer has one kernel more than there are.
        kernels, expansions = np.divmod(choices, len(self.shape.expansions))
        is_skipped = choices == len(self.shape.choices)
        tokens[:, ::2] = kernels
        tokens[:, 1::2] = np.where(is_skipped, len(self.shape.expansions), expansions)
        return tokens

    def _split(self, tokens: TokenArray) -> IntArray:
        """(N, T) tokens -> (N, L) choices, as :meth:`_join` takes them."""
        n_expansions = len(self.shape.expansions)
        choices = tokens[:, ::2] * n_expansions + tokens[:, 1::2]
        skipped = tokens[:, ::2] == len(self.shape.kernels)
        return np.where(skipped, len(self.shape.choices), choices).astype(np.int64)


def _depth_counts(n_layers: int, n_choices: int) -> list[int]:
    """How many different stages there are of 1, 2, ... layers."""
    return [n_choices**depth for depth in range(1, n_layers + 1)]


def _stage_rows(n_layers: int, n_choices: int) -> list[tuple[int, ...]]:
    return [
        (*row, *[n_choices] * (n_layers - depth))
        for depth in range(1, n_layers + 1)
        for row in itertools.product(range(n_choices), repeat=depth)
    ]
