"""The laws of a search space, checked on random architectures.

N: architectures, T: tokens.
"""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from optuna.trial import FixedTrial

from optuna_dnas._optuna_compat import contains
from optuna_dnas._typing import TokenArray
from optuna_dnas.exceptions import InvalidSpaceError
from optuna_dnas.search_space._base import SearchSpace
from optuna_dnas.search_space._picture import Picture


_N_ALONE = 8  # rows that are compared with the same rows in a batch
_MAX_ENUMERATED = 20_000


def check_space(space: SearchSpace[Any], *, n: int = 64, seed: int = 0) -> None:
    """Check that the methods of a space agree with one another.

    What is checked needs no evaluation: parameters, tokens and architectures are ways to write the
    same; the canonical form is valid, and that of itself; mutations are legal; equivalent
    architectures have one hash, and no others; descriptors and costs are finite, of one shape, and
    do not hang on what else is asked about; a trial is asked for what there is.

    Args:
        space: Any space, one of your own above all.
        n: Random architectures that it is checked on.
        seed: Of them.

    Raises:
        InvalidSpaceError: A law is broken; ``method`` is the name of the method that breaks it.
        ValueError: ``n`` is not positive.
    """
    if n < 1:
        raise ValueError(f"`n` must be positive, but got {n}.")
    for part in space.parts:
        _Check(part, n, seed).run()


class _Check:
    def __init__(self, space: SearchSpace[Any], n: int, seed: int) -> None:
        self._space, self._n, self._seed = space, n, seed

    def run(self) -> None:
        tokens = self._sampled()
        self._canonical(tokens)
        self._mutations(tokens)
        self._parameters(tokens)
        self._architectures(tokens)
        self._descriptors(tokens)
        self._costs(tokens)
        self._enumeration(tokens)

    def _sampled(self) -> TokenArray:
        with self._of("sample_tokens"):
            first, again = (
                self._space.sample_tokens(self._n, np.random.default_rng(self._seed))
                for _ in range(2)
            )
        n_tokens = len(self._space.vocabulary or first[0])
        self._require(
            first.shape == (self._n, n_tokens),
            "sample_tokens",
            f"must return shape {(self._n, n_tokens)}, but returned {first.shape}",
        )
        self._require(
            _equal(first, again), "sample_tokens", "must draw from nothing but `rng`, but did not"
        )
        if self._space.vocabulary is not None:
            with self._of("sample_tokens"):
                self._space.vocabulary.check(first)
        return first

    def _canonical(self, tokens: TokenArray) -> None:
        canonical, valid = self._canonicalize(tokens)
        self._require(bool(valid.all()), "canonicalize", "must find sampled tokens valid")
        self._require(
            _equal(canonical, tokens),
            "canonicalize",
            "must leave sampled tokens as they are: they are canonical already",
        )
        written = self._any_tokens(tokens)
        before = written.copy()
        canonical, valid = self._canonicalize(written)
        self._require(_equal(written, before), "canonicalize", "must not change its argument")
        again, still = self._canonicalize(canonical[valid])
        self._require(
            _equal(again, canonical[valid]) and bool(still.all()),
            "canonicalize",
            "must be idempotent: the canonical form of a canonical form is another one",
        )
        for row in range(min(_N_ALONE, len(written))):
            alone, is_valid = self._canonicalize(written[row : row + 1])
            self._require(
                bool(is_valid[0] == valid[row])
                and (not valid[row] or _equal(alone[0], canonical[row])),
                "canonicalize",
                "must treat each row alone, but one row of many has another form than by itself",
            )

    def _any_tokens(self, tokens: TokenArray) -> TokenArray:
        """As they may come out of a decoder; legal choices, each by itself."""
        rng = np.random.default_rng(self._seed + 1)
        if self._space.vocabulary is None:
            return tokens
        n_choices = [token.n_choices for token in self._space.vocabulary.tokens]
        drawn = rng.integers(0, n_choices, tokens.shape)
        return np.where(rng.random(tokens.shape) < 0.5, drawn, tokens).astype(tokens.dtype)

    def _mutations(self, tokens: TokenArray) -> None:
        before = tokens.copy()
        with self._of("mutate_tokens"):
            mutated = self._space.mutate_tokens(tokens, np.random.default_rng(self._seed))
        self._require(
            _equal(tokens, before), "mutate_tokens", "must not change its argument, but does"
        )
        self._require(
            np.shape(mutated) == tokens.shape,
            "mutate_tokens",
            f"must return shape {tokens.shape}, but returned {np.shape(mutated)}",
        )
        if self._space.vocabulary is not None:
            with self._of("mutate_tokens"):
                self._space.vocabulary.check(mutated)
        with self._of("numbers_of_choices"):
            numbers = self._space.numbers_of_choices
        if numbers is None:
            return
        assert self._space.vocabulary is not None
        shape = self._space.vocabulary.legal.shape
        self._require(
            numbers.shape == shape and not ((numbers < 0) | (numbers > 1)).any(),
            "numbers_of_choices",
            f"must be numbers in [0, 1], or NaN, of shape {shape}, a row a token, but is of shape "
            f"{numbers.shape}, as {numbers[~np.isnan(numbers)][:3]}",
        )

    def _canonicalize(self, tokens: TokenArray) -> tuple[TokenArray, np.ndarray]:
        with self._of("canonicalize"):
            canonical, valid = self._space.canonicalize(tokens)
        is_fine = (
            canonical.shape == tokens.shape
            and np.shape(valid) == (len(tokens),)
            and valid.dtype == bool
        )
        self._require(
            is_fine,
            "canonicalize",
            f"must return shape {tokens.shape} and {len(tokens)} booleans, but returned "
            f"{canonical.shape} and {np.shape(valid)} of {np.asarray(valid).dtype}",
        )
        return canonical, valid

    def _parameters(self, tokens: TokenArray) -> None:
        with self._of("tokens_to_params"):
            params = self._space.tokens_to_params(tokens)
        distributions = self._space.distributions
        for of_row in params:
            for name, value in of_row.items():
                self._require(
                    name in distributions and contains(distributions[name], value),
                    "tokens_to_params",
                    f"must return parameters of `distributions`, but returned {name}={value!r}",
                )
            self._require(
                self._space.covers(of_row), "covers", f"must be true of {of_row}, but is not"
            )
        with self._of("params_to_tokens"):
            written = self._space.params_to_tokens(params)
        self._require(
            _equal(self._canonicalize(written)[0], tokens),
            "params_to_tokens",
            "must be the inverse of `tokens_to_params`, up to the canonical form",
        )

    def _architectures(self, tokens: TokenArray) -> None:
        hashes: dict[str, bytes] = {}
        for row, params in zip(tokens, self._space.tokens_to_params(tokens), strict=True):
            with self._of("params_to_architecture"):
                architecture = self._space.params_to_architecture(params)
            with self._of("architecture_to_params"):
                again = self._space.architecture_to_params(architecture)
            back = self._canonicalize(self._space.params_to_tokens([again]))[0]
            self._require(
                _equal(back[0], row),
                "architecture_to_params",
                f"must be the inverse of `params_to_architecture`, but is {again} for {params}",
            )
            with self._of("hash"):
                found = self._space.hash(architecture)
                of_canonical = self._space.hash(self._space.canonical(architecture))
            self._require(
                found == of_canonical,
                "hash",
                f"must be the same for the canonical form, but differs for {architecture}",
            )
            other = hashes.setdefault(found, row.tobytes())
            self._require(
                other == row.tobytes(), "hash", "must tell apart architectures that differ"
            )
            with self._of("suggest"):
                suggested = self._space.suggest(FixedTrial(params))
            self._require(
                self._space.hash(suggested) == found,
                "suggest",
                f"must make the architecture of a trial's parameters, but does not of {params}",
            )
        with self._of("draw"):
            self._require(
                isinstance(self._space.draw(architecture), str), "draw", "must be a text"
            )
        with self._of("picture"):
            picture = self._space.picture(architecture)
            self._require(isinstance(picture, Picture), "picture", "must return a `Picture`")

    def _descriptors(self, tokens: TokenArray) -> None:
        self._numbers("descriptors", self._space.descriptors, tokens, n_columns=None)

    def _costs(self, tokens: TokenArray) -> None:
        with self._of("cost"):
            names = self._space.cost_names
        with self._of("token_costs"):
            knows_costs = self._space.token_costs(tokens) is not None
        self._require(
            knows_costs == bool(names),
            "cost_names",
            f"must name the costs of `token_costs`, none if it gives `None`, but is {names}",
        )
        if not knows_costs:
            return
        costs = self._numbers("token_costs", self._space.token_costs, tokens, n_columns=len(names))
        self._require(bool((costs >= 0).all()), "token_costs", "must not be negative")
        for row, params in zip(costs, self._space.tokens_to_params(tokens), strict=True):
            with self._of("cost"):
                cost = self._space.cost(self._space.params_to_architecture(params))
            wanted = dict(zip(names, row.tolist(), strict=True))
            self._require(
                dict(cost or {}) == wanted,
                "cost",
                f"must be what `token_costs` says, but is {cost} instead of {wanted}",
            )

    def _numbers(
        self,
        method: str,
        compute: Callable[[TokenArray], Any],
        tokens: TokenArray,
        *,
        n_columns: int | None,
    ) -> np.ndarray:
        with self._of(method):
            numbers = np.asarray(compute(tokens), dtype=float)
        shape = len(tokens), numbers.shape[-1] if n_columns is None else n_columns
        self._require(
            numbers.shape == shape,
            method,
            f"must return numbers of shape {shape}, a row an architecture, but returned shape "
            f"{numbers.shape}",
        )
        self._require(bool(np.isfinite(numbers).all()), method, "must return finite numbers")
        for row in range(min(_N_ALONE, len(tokens))):
            with self._of(method):
                alone = np.asarray(compute(tokens[row : row + 1]), dtype=float)
            self._require(
                alone.shape == (1, shape[1]) and np.allclose(alone[0], numbers[row]),
                method,
                "must treat each row alone, but says something else of one row of many than of "
                "the row by itself",
            )
        return numbers

    def _enumeration(self, tokens: TokenArray) -> None:
        if self._space.size > _MAX_ENUMERATED:
            return
        with self._of("enumerate_tokens"):
            everything = self._space.enumerate_tokens()
        known = {row.tobytes() for row in np.ascontiguousarray(everything, dtype=float)}
        self._require(
            len(known) == len(everything), "enumerate_tokens", "must not repeat an architecture"
        )
        self._require(
            known.issuperset(row.tobytes() for row in np.ascontiguousarray(tokens, dtype=float)),
            "enumerate_tokens",
            "must have all that `sample_tokens` draws",
        )

    def _require(self, is_met: bool, method: str, law: str) -> None:
        if not is_met:
            raise InvalidSpaceError(f"{type(self._space).__name__}.{method}", f"{law}.")

    @contextmanager
    def _of(self, method: str) -> Iterator[None]:
        """What goes wrong within is the method's error."""
        try:
            yield
        except InvalidSpaceError:
            raise
        except Exception as error:
            name = f"{type(self._space).__name__}.{method}"
            raise InvalidSpaceError(name, f"failed: {type(error).__name__}: {error}") from error


def _equal(a: TokenArray, b: TokenArray) -> bool:
    """Where both are inactive, they are equal."""
    return bool(a.shape == b.shape and np.allclose(a, b, rtol=0, atol=1e-9, equal_nan=True))
