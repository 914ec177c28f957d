import copy
import pickle

import numpy as np
import pytest
from scipy.stats import kendalltau

from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas.controller import _semi_supervised
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import SemiSupervisedConfig
from optuna_dnas.controller._semi_supervised import JointFit
from optuna_dnas.controller._semi_supervised import SemiSupervisedController
from optuna_dnas.controller._training import descend

from .toy import DEVICES
from .toy import sample_tokens
from .toy import untrained_latent
from .toy import VOCABULARY


SIZES = ControllerConfig(latent_dim=6, hidden_dim=24, step_dim=8)
QUICK = SemiSupervisedConfig(n_steps=3, n_joint_steps=4)
LABELLED, OTHER = sample_tokens(60), sample_tokens(80, seed=1)


def values_of(tokens: IntArray) -> FloatArray:
    """(N, 1) in units far from standard ones."""
    return 1000.0 + 50.0 * (tokens[:, :6].sum(axis=1) - tokens[:, 9])[:, None]


def costs_of(tokens: IntArray) -> FloatArray:
    """(N, 2)."""
    return np.stack([1e-3 * tokens[:, 6:9].sum(axis=1), tokens[:, 0] - 5.0], axis=1)


def controller(config: SemiSupervisedConfig = QUICK, **kwargs) -> SemiSupervisedController:
    return SemiSupervisedController(VOCABULARY, config, autoencoder_config=SIZES, **kwargs)


@pytest.fixture(scope="module", params=DEVICES)
def trained(request: pytest.FixtureRequest) -> JointFit:
    config = SemiSupervisedConfig(n_steps=500)
    return controller(config, device=request.param).fit(
        LABELLED, values_of(LABELLED), costs_of(LABELLED), seed=0
    )


def test_predicts_values_and_costs_in_their_units(trained: JointFit) -> None:
    assert trained.cost is not None
    codes = trained.latent.encode(OTHER)
    for predictor, truth in (
        (trained.objectives, values_of(OTHER)),
        (trained.cost, costs_of(OTHER)),
    ):
        mean, deviation = predictor.predict(codes)
        assert mean.shape == deviation.shape == truth.shape
        assert (deviation == 0).all()
        np.testing.assert_allclose(mean.mean(axis=0), truth.mean(axis=0), atol=truth.std())
        for m in range(truth.shape[1]):
            assert kendalltau(mean[:, m], truth[:, m])[0] > 0.5


def test_reconstructs_what_it_was_trained_on(trained: JointFit) -> None:
    assert trained.latent.reconstruction_accuracy(LABELLED) > 0.9
    np.testing.assert_allclose(trained.latent.encode(LABELLED).std(axis=0), 1, atol=1e-5)


def test_gradient_against_finite_differences(trained: JointFit) -> None:
    assert trained.cost is not None
    codes = trained.latent.encode(OTHER[:10])
    unit = costs_of(LABELLED).std(axis=0)
    gradient = trained.cost.gradient(codes)
    assert gradient.shape == (10, 2, 6)
    for d in range(6):
        step = np.zeros(6)
        step[d] = 1e-3
        difference = trained.cost.predict(codes + step)[0] - trained.cost.predict(codes - step)[0]
        slope = difference / 2e-3
        close = np.isclose(gradient[:, :, d] / unit, slope / unit, atol=1e-2)
        assert close.mean() > 0.9  # a step may cross a kink of a ReLU


def test_continues_with_pseudo_labels(trained: JointFit) -> None:
    assert trained.cost is not None
    codes = trained.latent.encode(OTHER)
    before = trained.latent.encode(OTHER)
    fitted = controller(SemiSupervisedConfig(n_joint_steps=300)).fit(
        LABELLED,
        values_of(LABELLED),
        costs_of(LABELLED),
        pseudo_tokens=OTHER,
        pseudo_values=trained.objectives.predict(codes)[0],
        pseudo_costs=trained.cost.predict(codes)[0],
        start=trained,
        seed=1,
    )
    assert fitted.latent.reconstruction_accuracy(OTHER) > (
        trained.latent.reconstruction_accuracy(OTHER)
    )
    mean, _ = fitted.objectives.predict(fitted.latent.encode(LABELLED))
    assert kendalltau(mean[:, 0], values_of(LABELLED)[:, 0])[0] > 0.8
    np.testing.assert_array_equal(trained.latent.encode(OTHER), before)  # left as it was


def test_each_kind_of_training_is_one_cycle_of_its_own_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates: list[float] = []

    def spy(loss, model, optimizer, clip) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        descend(loss, model, optimizer, clip)

    monkeypatch.setattr(_semi_supervised, "descend", spy)
    one = controller(SemiSupervisedConfig(n_steps=20, n_joint_steps=30, learning_rate=1e-3))
    values = values_of(LABELLED)
    first = one.fit(LABELLED, values, seed=0)
    one.fit(
        LABELLED, values, pseudo_tokens=OTHER, pseudo_values=values_of(OTHER), start=first, seed=0
    )
    assert len(rates) == 20 + 30
    for cycle in (rates[:20], rates[20:]):
        assert cycle[0] < max(cycle) / 10
        assert cycle[-1] < max(cycle) / 10
        assert max(cycle) == pytest.approx(1e-3, rel=0.1)


def test_the_result_depends_on_the_arguments_alone() -> None:
    one = controller()
    first = one.fit(LABELLED, values_of(LABELLED), seed=0)
    again = one.fit(LABELLED, values_of(LABELLED), seed=0)
    other = one.fit(LABELLED, values_of(LABELLED), seed=1)
    codes = first.latent.encode(OTHER)
    np.testing.assert_array_equal(again.latent.encode(OTHER), codes)
    np.testing.assert_array_equal(again.objectives.predict(codes), first.objectives.predict(codes))
    assert not np.array_equal(other.latent.encode(OTHER), codes)


def test_starts_from_a_trained_latent_and_leaves_it_alone() -> None:
    latent = untrained_latent()
    codes = latent.encode(OTHER)
    tiny = SemiSupervisedConfig(n_steps=1, learning_rate=1e-12)
    fitted = SemiSupervisedController(VOCABULARY, tiny, latent=latent).fit(
        LABELLED, values_of(LABELLED), seed=0
    )
    np.testing.assert_array_equal(latent.encode(OTHER), codes)
    raw = codes * latent.code_deviation + latent.code_mean
    found = fitted.latent.encode(OTHER) * fitted.latent.code_deviation + fitted.latent.code_mean
    np.testing.assert_allclose(found, raw, atol=1e-5)


def test_costs_are_optional() -> None:
    fitted = controller().fit(LABELLED, values_of(LABELLED), seed=0)
    assert fitted.cost is None
    with_costs = controller().fit(
        LABELLED, values_of(LABELLED), costs_of(LABELLED), start=fitted, seed=0
    )
    assert with_costs.cost is not None
    assert controller().fit(LABELLED, values_of(LABELLED), start=with_costs, seed=0).cost is None


@pytest.mark.parametrize(
    "values",
    [
        np.full((60, 1), 7.0),
        np.full((60, 1), np.inf),
        np.where(np.arange(60)[:, None] < 3, np.inf, values_of(LABELLED)),
    ],
)
def test_degenerate_labels_do_no_harm(values: FloatArray) -> None:
    fitted = controller().fit(LABELLED, values, seed=0)
    codes = fitted.latent.encode(OTHER)
    assert np.isfinite(fitted.objectives.predict(codes)[0]).all()
    assert np.isfinite(fitted.objectives.gradient(codes)).all()


def test_one_architecture_is_enough() -> None:
    fitted = controller().fit(LABELLED[:1], values_of(LABELLED[:1]), seed=0)
    assert np.isfinite(fitted.latent.encode(OTHER)).all()
    assert np.isfinite(fitted.objectives.predict(fitted.latent.encode(OTHER))[0]).all()


def test_impossible_data_are_refused() -> None:
    values = values_of(LABELLED)
    with pytest.raises(ValueError, match="60 architectures, but labels of 59"):
        controller().fit(LABELLED, values[1:], seed=0)
    with pytest.raises(ValueError, match="140 architectures, but labels of 60"):
        controller().fit(LABELLED, values, pseudo_tokens=OTHER, seed=0)
    with pytest.raises(ValueError, match="`pseudo_costs` must not be given"):
        controller().fit(LABELLED, values, pseudo_costs=values, seed=0)
    with pytest.raises(ValueError, match="Labels must be"):
        controller().fit(LABELLED, np.full((60, 1), np.nan), seed=0)
    with pytest.raises(ValueError, match="Labels must be"):
        controller().fit(LABELLED[:0], values[:0], seed=0)
    with pytest.raises(ValueError, match="has no choice"):
        controller().fit(LABELLED + 3, values, seed=0)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_equal_to_the_last_bit(trained: JointFit, clone) -> None:
    copied = clone(trained)
    codes = trained.latent.encode(OTHER)
    np.testing.assert_array_equal(copied.latent.encode(OTHER), codes)
    np.testing.assert_array_equal(
        copied.objectives.predict(codes), trained.objectives.predict(codes)
    )
