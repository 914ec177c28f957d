"""From features to the inputs of a kernel.

N: observed, Q: queried, F: features, G: groups, X: inputs, C: choices, E: main effects.
"""

import math
from typing import TypeVar

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import SingleArray
from optuna_dnas.controller.predictors._base import FeatureLayout


Floats = TypeVar("Floats", FloatArray, SingleArray)


class Embedding:
    """Features to inputs whose squared differences, summed within a group, are distances.

    A category becomes one-hot over sqrt(2): two of them differ by 1. An inactive number becomes
    the middle of its range and a mark.

    Main effects are what a linear function needs to be any function of one category, and a
    quadratic one of a number in [0, 1]. The effects of a feature have the expected square norm 1
    where it is uniform; those of an inactive one are 0.

    Args:
        layout: Of the features.
        features: (N, F), N > 0, that show which categories there are, and what can be inactive.
        main_effects: Whether there are any.
    """

    def __init__(
        self, layout: FeatureLayout, features: FloatArray, *, main_effects: bool = False
    ) -> None:
        self._n_features = features.shape[1]
        self._has_effects = main_effects
        self._numbers = np.flatnonzero(~layout.is_categorical)
        self._marked = self._numbers[np.isnan(features[:, self._numbers]).any(axis=0)]
        self._categories = np.flatnonzero(layout.is_categorical)
        self._seen = [_choices_with_inputs(column) for column in features[:, self._categories].T]
        self._compressed = [f for f, seen in enumerate(self._seen) if seen[-1] >= len(seen)]
        n_choices = np.array([len(s) + 1 for s in self._seen], dtype=int)  # one for the unseen
        self._last_choice = n_choices - 1.0
        # For each one-hot input, which category it is of, and the choice that it stands for.
        self._category_of = np.repeat(np.arange(len(n_choices)), n_choices)
        self._choice_of = np.concatenate([np.arange(n) for n in (0, *n_choices)])
        one_hots = self._categories[self._category_of]
        self.group: IntArray = layout.group[  # (X,)
            np.concatenate([self._numbers, self._marked, one_hots])
        ]
        has_effect = layout.has_effect
        if has_effect is None:
            has_effect = np.ones(self._n_features, dtype=bool)
        self._effect_numbers = self._numbers[has_effect[self._numbers]]
        self._effect_one_hots = np.flatnonzero(has_effect[one_hots])
        effects = np.concatenate(
            [self._effect_numbers, self._effect_numbers, one_hots[self._effect_one_hots]]
        )
        self.effect_group: IntArray = layout.group[effects if main_effects else effects[:0]]
        self._columns = [np.flatnonzero(self.group == g) for g in range(layout.group.max() + 1)]

    def __call__(self, features: FloatArray) -> FloatArray:
        """(N, F) -> (N, X)."""
        numbers = np.nan_to_num(features[:, self._numbers], nan=0.5)
        marks = 0.5 * np.isnan(features[:, self._marked])
        # NaN equals no choice: two inactive ones agree, and differ from every category.
        one_hots = (self._choices(features) == self._choice_of) / math.sqrt(2)
        return np.concatenate([numbers, marks, one_hots], axis=1)

    def effects(self, features: FloatArray) -> FloatArray:
        """(N, F) -> (N, E)."""
        if not self._has_effects:
            return np.empty((len(features), 0))
        x = 2.0 * features[:, self._effect_numbers] - 1.0
        # Legendre polynomials, orthonormal over sqrt(2).
        linear, quadratic = math.sqrt(3 / 2) * x, math.sqrt(5 / 8) * (3.0 * x**2 - 1.0)
        choices = self._choices(features)
        n_seen = self._last_choice[self._category_of]
        mean = np.where(self._choice_of < n_seen, 1.0 / n_seen, 0.0)
        one_hots = (choices == self._choice_of) - mean
        one_hots[np.isnan(choices)] = 0.0
        one_hots /= np.sqrt(1.0 - 1.0 / np.maximum(n_seen, 2.0))
        of_numbers = np.nan_to_num(np.concatenate([linear, quadratic], axis=1))
        return np.concatenate([of_numbers, one_hots[:, self._effect_one_hots]], axis=1)

    def scaled(self, inputs: FloatArray, weights: FloatArray) -> FloatArray:
        """(N, X) inputs times the root of the (G,) weights."""
        return inputs * np.sqrt(weights)[self.group]

    def distances(self, inputs: FloatArray) -> FloatArray:
        """(N, X) -> (G, N, N) unweighted distances by group."""
        parts = [inputs[:, columns] for columns in self._columns]
        return np.stack([squared_distances(part, part) for part in parts])

    def of_numbers(self, by_input: FloatArray) -> FloatArray:
        """(N, X) derivatives by input -> (N, F), 0 along categories."""
        by_feature = np.zeros((len(by_input), self._n_features))
        by_feature[:, self._numbers] = by_input[:, : len(self._numbers)]
        return by_feature

    def of_effects(self, features: FloatArray, by_effect: FloatArray) -> FloatArray:
        """(N, F), (E,) derivatives by effect -> (N, F), 0 along categories."""
        by_feature = np.zeros_like(features)
        if self._has_effects:
            n = len(self._effect_numbers)
            linear, quadratic = by_effect[:n], by_effect[n : 2 * n]
            x = 2.0 * features[:, self._effect_numbers] - 1.0
            slopes = 2.0 * (math.sqrt(3 / 2) * linear + math.sqrt(5 / 8) * 6.0 * x * quadratic)
            by_feature[:, self._effect_numbers] = np.nan_to_num(slopes)
        return by_feature

    def _choices(self, features: FloatArray) -> FloatArray:
        """(N, F) -> the choice of its category for each one-hot input."""
        choices = features[:, self._categories]
        for f in self._compressed:
            seen, column = self._seen[f], choices[:, f]
            rank = np.searchsorted(seen, column)
            is_seen = seen[np.minimum(rank, len(seen) - 1)] == column
            known = np.where(is_seen, rank, len(seen))
            choices[:, f] = np.where(np.isnan(column), np.nan, known)
        repeated: FloatArray = np.minimum(choices, self._last_choice)[:, self._category_of]
        return repeated


def _choices_with_inputs(column: FloatArray) -> FloatArray:
    """(N,) choices, NaN allowed -> those that have an input of their own, ascending.

    All up to the last one that was observed; only the observed ones where observations are fewer.
    """
    seen = np.unique(np.nan_to_num(column, nan=0.0))
    return seen if seen[-1] >= len(column) else np.arange(seen[-1] + 1.0)


def squared_distances(left: Floats, right: Floats) -> Floats:
    """(N, X), (Q, X) -> (N, Q)."""
    distances = left @ right.T
    distances *= -2.0
    distances += (left**2).sum(axis=1)[:, None]
    distances += (right**2).sum(axis=1)
    np.maximum(distances, 0.0, out=distances)
    return distances
