"""Which parameters of a conditional space are active, learned from what trials had.

N: trials, in the order of time, T: tokens, F: tokens that may decide, and time, C: cuts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray


_ABSENT = 0
# A trial may have ended early: one alone does not tell that something has changed.
_MIN_TRIALS_OF_A_TIME = 2


@dataclass(frozen=True)
class DecisionTree:
    """A classifier of trials by their tokens, and by time.

    Each split is the one of the best gain ratio (Quinlan, *C4.5*, 1993): numbers and time are cut
    at a threshold, categories into two sets. The gain has to pay for what it takes to describe
    the split, so that of equally good ones the simplest wins (Quinlan, *Improved use of continuous
    attributes in C4.5*, 1996). What time explains best has changed: only what came after the cut
    counts.

    Args:
        label: The class of a leaf, or the most frequent one of a branch.
        n_errors: Trials that are not of the class of their leaf.
        column: The token to split on; `None` at a leaf.
        threshold: Larger numbers go right.
        categories: Those go right; `None` for numbers.
        branches: Left, right, and what has no such token.
    """

    label: int
    n_errors: int = 0
    column: int | None = None
    threshold: float = 0.0
    categories: FloatArray | None = None
    branches: tuple["DecisionTree", ...] = ()

    @classmethod
    def fit(
        cls,
        tokens: FloatArray,  # (N, T), N > 0
        is_categorical: BoolArray,  # (T,)
        labels: IntArray,  # (N,) classes
        columns: IntArray,  # those that may decide
        *,
        with_time: bool = True,
    ) -> "DecisionTree":
        """Grow a tree until the classes are explained, or nothing explains them."""
        time = with_time * np.arange(len(tokens), dtype=float)
        features = np.column_stack([time, tokens[:, columns]])
        sample = _Sample(features, np.append(False, is_categorical[columns]), labels)
        return cls._grow(sample, columns)

    @classmethod
    def _grow(cls, sample: "_Sample", columns: IntArray) -> "DecisionTree":
        counts = np.bincount(sample.labels)
        label = int(np.flatnonzero(counts == counts.max())[-1])
        n_errors = len(sample.labels) - int(counts.max())
        split = _best_split(sample) if n_errors else None
        if split is None:
            return cls(label, n_errors)
        if split.feature == 0:
            return cls._grow(sample.take(split.branch_of == 1), columns)
        present = [b for b in range(3) if np.any(split.branch_of == b)]
        grown = {b: cls._grow(sample.take(split.branch_of == b), columns) for b in present}
        branches = tuple(grown.get(b, cls(label)) for b in range(3))
        n_errors = sum(branch.n_errors for branch in branches)
        column = int(columns[split.feature - 1])
        return cls(label, n_errors, column, split.threshold, split.categories, branches)

    def predict(self, tokens: FloatArray) -> IntArray:
        """(N, T) tokens -> (N,) classes."""
        labels = np.full(len(tokens), self.label)
        if self.column is None:
            return labels
        values = tokens[:, self.column]
        branch_of = _branch_of(values, self.threshold, self.categories)
        for b, branch in enumerate(self.branches):
            rows = branch_of == b
            labels[rows] = branch.predict(tokens[rows])
        return labels

    def leaves(self) -> Iterator["DecisionTree"]:
        """Those that something leads to."""
        if self.column is None:
            yield self
        for branch in self.branches:
            yield from branch.leaves()

    def columns(self) -> Iterator[int]:
        """The tokens that decide."""
        if self.column is not None:
            yield self.column
        for branch in self.branches:
            yield from branch.columns()


@dataclass(frozen=True)
class Activity:
    """What an objective suggests next, given the values that it has.

    One decision tree for all parameters that the same trials had. Before a parameter first
    appeared it was not known: nothing says that it would have been inactive.

    Args:
        rules: Each tree, and the columns of the parameters that it is for: those of one parameter
            are alternatives, of which class k activates the k-th, and class 0 none.
    """

    rules: tuple[tuple[DecisionTree, tuple[tuple[int, ...], ...]], ...]

    @classmethod
    def fit(
        cls,
        tokens: FloatArray,  # (N, T), N > 0
        is_categorical: BoolArray,  # (T,)
        parameter_of: IntArray,  # (T,) which parameter a token belongs to
    ) -> "Activity":
        """Learn from the tokens of trials; NaN stands for what a trial did not have."""
        is_active = ~np.isnan(tokens)
        groups: dict[tuple[int, bytes], list[tuple[int, ...]]] = {}
        for parameter in np.unique(parameter_of):
            columns = np.flatnonzero(parameter_of == parameter)
            classes = is_active[:, columns] @ np.arange(1, len(columns) + 1)
            first = int((classes != _ABSENT).argmax())
            is_always = len(columns) == 1 and (classes[first:] != _ABSENT).all()
            if not is_always:
                key = first, classes.astype(np.int64).tobytes()
                groups.setdefault(key, []).append(tuple(columns.tolist()))
        rules = []
        used: list[int] = []
        for (first, classes_seen), parameters in groups.items():
            labels = np.frombuffer(classes_seen, dtype=np.int64)[first:]
            since = tokens[first:]
            own = [column for columns in parameters for column in columns]
            # What decides about one parameter often decides about others, too.
            columns = np.setdiff1d(used, own).astype(int)
            tree = DecisionTree.fit(since, is_categorical, labels, columns, with_time=False)
            if tree.n_errors:
                columns = np.setdiff1d(np.arange(tokens.shape[1]), own)
                tree = DecisionTree.fit(since, is_categorical, labels, columns)
            used += tree.columns()
            rules.append((tree, tuple(parameters)))
        return cls(tuple(rules))

    def predict(self, tokens: FloatArray) -> BoolArray:
        """(N, T) tokens -> (N, T) which of them are active."""
        active = np.ones(tokens.shape, dtype=bool)
        for tree, parameters in self.rules:
            labels = tree.predict(tokens)
            for columns in parameters:
                active[:, columns] = labels[:, None] == np.arange(1, len(columns) + 1)
        return active


class _Sample(NamedTuple):
    """The trials at one node. The first feature is time."""

    features: FloatArray  # (N, F), NaN where a trial does not have it
    is_categorical: BoolArray  # (F,)
    labels: IntArray  # (N,)

    def take(self, rows: BoolArray) -> "_Sample":
        return self._replace(features=self.features[rows], labels=self.labels[rows])


class _Split(NamedTuple):
    feature: int
    threshold: float
    categories: FloatArray | None
    branch_of: IntArray  # (N,)


def _best_split(sample: _Sample) -> _Split | None:
    """The split of the best gain ratio; `None` if no gain is worth its description."""
    ranked = _rank_categories(sample)
    order = np.argsort(ranked, axis=0)  # NaN comes last
    ascending = np.take_along_axis(ranked, order, axis=0)
    is_cut = ascending[1:] > ascending[:-1]  # (C, F)
    is_cut[: _MIN_TRIALS_OF_A_TIME - 1, 0] = False
    is_cut[len(is_cut) - _MIN_TRIALS_OF_A_TIME + 1 :, 0] = False
    gain, split_information = _information(sample, order)
    gain = np.where(is_cut, gain - _description_length(is_cut, sample.is_categorical), 0.0)
    is_worth_it = gain > 1e-9
    # A token that is inactive in some trials is itself decided by another one: it comes later.
    is_complete = ~np.isnan(ranked[order[-1], np.arange(ranked.shape[1])])
    if is_worth_it[:, is_complete].any():
        is_worth_it[:, ~is_complete] = False
    if not is_worth_it.any():
        return None
    ratio = np.where(is_worth_it, gain, 0.0) / np.maximum(split_information, 1e-9)
    feature, cut = divmod(int(ratio.T.argmax()), len(is_cut))
    values = sample.features[:, feature]
    threshold = float(ascending[cut : cut + 2, feature].mean())
    categories = None
    if sample.is_categorical[feature]:
        is_left = ranked[:, feature] <= threshold
        smaller = ~is_left if 2 * np.count_nonzero(is_left) > len(values) else is_left
        # What is not seen yet goes with the more frequent ones, to the left.
        categories = np.unique(values[smaller & ~np.isnan(values)])
    return _Split(feature, threshold, categories, _branch_of(values, threshold, categories))


def _rank_categories(sample: _Sample) -> FloatArray:
    """(N, F) features with categories in the order in which the best two sets are intervals.

    By the share of one class (Breiman et al., *Classification and Regression Trees*, 1984): this
    is exact for two classes.
    """
    ranked = sample.features.copy()
    is_frequent = sample.labels == np.bincount(sample.labels).argmax()
    for f in np.flatnonzero(sample.is_categorical):
        known = ~np.isnan(ranked[:, f])
        categories, codes = np.unique(ranked[known, f], return_inverse=True)
        shares = np.bincount(codes, is_frequent[known]) / np.bincount(codes)
        ranks = np.empty(len(categories))
        ranks[np.argsort(shares, kind="stable")] = np.arange(len(categories))
        ranked[known, f] = ranks[codes]
    return ranked


def _information(sample: _Sample, order: IntArray) -> tuple[FloatArray, FloatArray]:
    """Of each cut of each sorted feature (C, F), over all trials, in nats.

    The mutual information of branches and classes, and the entropy of the branches. What lacks a
    feature is a branch of its own.
    """
    n = len(sample.labels)
    n_known = (~np.isnan(sample.features)).sum(axis=0)
    left = np.arange(1, n)[:, None]
    of_branches = _x_log_x(left) + _x_log_x(n_known - left) + _x_log_x(n - n_known)
    gain = _x_log_x(np.array(n)) - of_branches
    split_information = gain.copy()
    ascending = sample.labels[order]
    for label in np.unique(sample.labels):
        until = np.cumsum(ascending == label, axis=0)
        total = until[-1]
        known = np.where(n_known, until[n_known - 1, np.arange(len(n_known))], 0)
        before = until[:-1]
        gain += _x_log_x(before) + _x_log_x(known - before) + _x_log_x(total - known)
        gain -= _x_log_x(total)
    return gain, split_information


def _description_length(is_cut: BoolArray, is_categorical: BoolArray) -> FloatArray:
    """(C, F) which cuts there are -> (C, F) nats: which feature it is, and which cut."""
    n_cuts = is_cut.sum(axis=0)
    length = np.log(np.maximum(n_cuts, 1)) + np.log(max(int(np.count_nonzero(n_cuts)), 1))
    lengths: FloatArray = np.tile(length, (len(is_cut), 1))
    if is_categorical.any():
        log_factorials = np.cumsum(np.log(np.maximum(np.arange(len(is_cut) + 2), 1)))
        n_left = np.cumsum(is_cut[:, is_categorical], axis=0)
        n_all = n_cuts[is_categorical] + 1
        log_subsets = log_factorials[n_all] - log_factorials[n_left]
        log_subsets -= log_factorials[n_all - n_left]
        # A set and what it leaves are one split.
        subsets = np.maximum(log_subsets - np.log(2.0), 0.0)
        lengths[:, is_categorical] += subsets - np.log(np.maximum(n_cuts[is_categorical], 1))
    return lengths


def _branch_of(values: FloatArray, threshold: float, categories: FloatArray | None) -> IntArray:
    """(N,) values -> (N,) 0: left, 1: right, 2: there is no value."""
    goes_right = values > threshold if categories is None else np.isin(values, categories)
    return np.where(np.isnan(values), 2, goes_right.astype(int))


def _x_log_x(counts: IntArray) -> FloatArray:
    terms: FloatArray = np.log(np.maximum(counts, 1)) * counts
    return terms
