"""How well factors can be predicted from latents.

N: architectures, D: latent dimensions, F: factors. A factor may be NaN where it does not apply;
these architectures do not count for it.
"""

from typing import Any
from typing import NamedTuple

import numpy as np

from optuna_dnas._typing import FloatArray
from optuna_dnas.interpret._information import N_BINS


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness (Eastwood & Williams 2018)."""

    disentanglement: float
    completeness: float
    informativeness: float


def attribute_predictability(
    codes: FloatArray,  # (N, D)
    factors: FloatArray,  # (N, F)
    is_nominal: tuple[bool, ...],  # F
) -> FloatArray:  # (D, F)
    """How well a linear function of one latent predicts one factor: shares of variance.

    A number's is the squared correlation, as in Kumar et al. 2018. A category's is the share of
    the latent's variance that lies between the categories (there a classifier's accuracy, which
    has another scale): of two categories it is the squared correlation again.
    """
    shares = np.zeros((codes.shape[1], factors.shape[1]))
    for f, values in enumerate(factors.T):
        known = ~np.isnan(values)
        if known.any():
            predict = _between_categories if is_nominal[f] else _squared_correlation
            shares[:, f] = predict(codes[known], values[known])
    return shares


def separated_attribute_predictability(
    predictability: FloatArray,  # (D, F), see `attribute_predictability`
) -> float:
    """SAP (Kumar et al. 2018): the mean lead of a factor's best latent over the second."""
    ordered = np.sort(predictability, axis=0)
    second = ordered[-2] if len(ordered) > 1 else np.zeros(ordered.shape[1])
    return float((ordered[-1] - second).mean())


def fit_importances(
    codes: FloatArray,  # (N, D)
    factors: FloatArray,  # (N, F)
    *,
    seed: int,
    n_trees: int = 100,
) -> tuple[FloatArray, float]:
    """Importance of each latent to predict each factor, by gradient boosting.

    Factors of few values are classified, others regressed; a constant factor is left out.

    Returns:
        (D, F) importances, the columns of which add up to 1, and the mean accuracy (or share of
        explained variance) on the second half of the architectures, which are not trained on.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    importances = np.zeros((codes.shape[1], factors.shape[1]))
    scores = []
    for f, values in enumerate(factors.T):
        known = np.flatnonzero(~np.isnan(values))
        train, test = np.array_split(known, 2)
        if len(np.unique(values[train])) < 2:
            continue
        model = _boosting(values[known], n_trees, seed).fit(codes[train], values[train])
        importances[:, f] = model.feature_importances_
        scores.append(model.score(codes[test], values[test]))
    return importances, float(np.mean(scores))


def disentanglement_completeness(importances: FloatArray) -> tuple[float, float]:
    """(D, F) importances -> how far a latent serves one factor, and a factor needs one latent.

    One minus the entropy of a latent's importances in units of log F, weighted by how important
    the latent is; one minus the entropy of a factor's in units of log D, mean over factors.
    """
    weights = importances.sum(axis=1) / importances.sum()
    of_latents = 1.0 - _relative_entropy(importances)
    used = importances.sum(axis=0) > 0
    of_factors = 1.0 - _relative_entropy(importances[:, used].T)
    return float(weights @ of_latents), float(of_factors.mean())


def dci(codes: FloatArray, factors: FloatArray, *, seed: int = 0) -> DCI:
    """All three, of (N, D) codes and (N, F) factors. See `fit_importances` for the errors."""
    importances, score = fit_importances(codes, factors, seed=seed)
    return DCI(*disentanglement_completeness(importances), score)


def _squared_correlation(codes: FloatArray, values: FloatArray) -> FloatArray:
    x, y = codes - codes.mean(axis=0), values - values.mean()
    scale = (x**2).sum(axis=0) * (y**2).sum()
    squared: FloatArray = np.where(scale > 0, (y @ x) ** 2 / np.where(scale > 0, scale, 1.0), 0.0)
    return squared


def _between_categories(codes: FloatArray, values: FloatArray) -> FloatArray:
    x = codes - codes.mean(axis=0)
    total = (x**2).sum(axis=0)
    between = np.zeros_like(total)
    for value in np.unique(values):
        of_value = x[values == value]
        between += len(of_value) * of_value.mean(axis=0) ** 2
    share: FloatArray = np.where(total > 0, between / np.where(total > 0, total, 1.0), 0.0)
    return share


def _relative_entropy(importances: FloatArray) -> FloatArray:
    """(R, C) -> (R,) entropy of each row, made to add up to 1, in units of log C."""
    total = importances.sum(axis=1, keepdims=True)
    # A row of zeros is as undecided as can be.
    shares = np.where(total > 0, importances, 1.0)
    shares = shares / shares.sum(axis=1, keepdims=True)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropies: FloatArray = -(shares * logs).sum(axis=1) / np.log(max(shares.shape[1], 2))
    return entropies


def _boosting(values: FloatArray, n_trees: int, seed: int) -> Any:
    try:
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.ensemble import GradientBoostingRegressor
    except ImportError:
        raise ImportError("DCI needs scikit-learn: install `optuna-dnas[interpret]`.") from None
    is_class = len(np.unique(values)) <= N_BINS
    boosting = GradientBoostingClassifier if is_class else GradientBoostingRegressor
    return boosting(n_estimators=n_trees, random_state=seed)
