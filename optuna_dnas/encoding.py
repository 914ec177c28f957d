"""Tokens: how an architecture is written down for the controller.

N: sequences, T: tokens of a sequence, L: steps of the LSTM, F: features of a step, C: choices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import IntArray


@dataclass(frozen=True)
class Token:
    """One position of a sequence.

    Args:
        name: What the token says, for example ``"op_3"``.
        n_choices: The legal values are ``0 .. n_choices - 1``.
        step: The LSTM step that reads and writes the token.
        slot: Its place in the step. Tokens of different steps that mean the same kind of thing
            share a slot, and with it weights.
    """

    name: str
    n_choices: int
    step: int
    slot: int

    def __post_init__(self) -> None:
        if self.n_choices < 1:
            raise ValueError(f"`n_choices` must be positive, but got {self.n_choices}.")
        if self.step < 0 or self.slot < 0:
            raise ValueError(f"`step` and `slot` must not be negative, but got {self}.")


class Vocabulary:
    """The tokens of a search space, their legal choices, and their places in an LSTM's steps.

    Several tokens share one step (a vertex with its incoming edges), which makes sequences short:
    a NASBench-101 cell is 26 tokens in 6 steps.

    Args:
        tokens: The T tokens of a sequence, in order.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        if not tokens:
            raise ValueError("`tokens` must not be empty.")
        if len({(token.step, token.slot) for token in tokens}) < len(tokens):
            raise ValueError("Two tokens have the same step and slot.")
        self.tokens = tuple(tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    @cached_property
    def n_steps(self) -> int:
        """L."""
        return 1 + max(token.step for token in self.tokens)

    @cached_property
    def n_features(self) -> int:
        """F: the one-hot codes of all slots, side by side."""
        return int(self._slot_widths.sum())

    @cached_property
    def legal(self) -> BoolArray:
        """(T, C) mask: which choices a token has."""
        n_choices = np.array([token.n_choices for token in self.tokens])
        return np.arange(n_choices.max()) < n_choices[:, None]

    @cached_property
    def feature_index(self) -> IntArray:
        """(T, C) place of each choice in the L * F features; illegal choices point to place 0."""
        slot_offsets = np.concatenate([[0], np.cumsum(self._slot_widths)])
        first = [token.step * self.n_features + slot_offsets[token.slot] for token in self.tokens]
        index: IntArray = np.array(first)[:, None] + np.arange(self.legal.shape[1])
        return np.where(self.legal, index, 0)

    def one_hot(self, tokens: IntArray) -> np.ndarray:
        """(N, T) tokens -> (N, L, F) float32 features."""
        n = len(tokens)
        features = np.zeros((n, self.n_steps * self.n_features), dtype=np.float32)
        hot = self.feature_index[np.arange(len(self)), tokens]  # (N, T)
        features[np.arange(n)[:, None], hot] = 1.0
        return features.reshape(n, self.n_steps, self.n_features)

    def check(self, tokens: IntArray) -> None:
        """Raise `ValueError` if ``tokens`` is not an (N, T) array of legal choices."""
        if tokens.ndim != 2 or tokens.shape[1] != len(self):
            raise ValueError(f"Tokens must be (N, {len(self)}), but got shape {tokens.shape}.")
        n_choices = self.legal.sum(axis=1)
        illegal = np.argwhere((tokens < 0) | (tokens >= n_choices))
        if len(illegal):
            row, column = illegal[0]
            name, value = self.tokens[column].name, tokens[row, column]
            raise ValueError(f"Token `{name}` has no choice {value} (sequence {row}).")

    @cached_property
    def _slot_widths(self) -> IntArray:
        widths = np.zeros(1 + max(token.slot for token in self.tokens), dtype=np.int64)
        for token in self.tokens:
            widths[token.slot] = max(widths[token.slot], token.n_choices)
        return widths
