import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
import pytest

from optuna_dnas._typing import FloatArray
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import EnsembleConfig
from optuna_dnas.controller import Features
from optuna_dnas.controller import FittedController
from optuna_dnas.controller import FrozenController
from optuna_dnas.controller import GaussianProcessConfig
from optuna_dnas.controller import IdentityLatent
from optuna_dnas.controller import Labelled
from optuna_dnas.controller import make_controller
from optuna_dnas.controller import Predictor
from optuna_dnas.controller import PredictorConfig
from optuna_dnas.controller._disentangled import DisentangledLatent
from optuna_dnas.controller._features import _N_REFERENCE
from optuna_dnas.controller._features import _SEED
from optuna_dnas.controller._product import ProductLatent
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import ProductSpace
from optuna_dnas.search_space import Repeat


D, N_DESCRIPTORS = 6, 38
SPACE = NASBench101Space(max_vertices=4)
TOKENS = SPACE.enumerate_tokens()
VALUES = np.stack([TOKENS[:, 6:].sum(axis=1), TOKENS[:, :6] @ np.arange(6.0)], axis=1)  # (N, 2)
DATA = Labelled(TOKENS, VALUES, SPACE.token_costs(TOKENS))
CONFIG = ControllerConfig(
    latent_dim=D, hidden_dim=32, step_dim=8, n_steps=300, batch_size=32, learning_rate=1e-2
)
FLAT = FlatSpace({"x": FloatDistribution(0.0, 1.0), "op": CategoricalDistribution("abc")})
PREDICTORS = [  # and a step of finite differences: predictions are single precision
    pytest.param(GaussianProcessConfig(), 5e-3, 5e-3, id="gaussian_process"),
    pytest.param(EnsembleConfig(), 1e-2, 5e-3, id="ensemble"),
]


@pytest.fixture(scope="module")
def latent() -> DisentangledLatent:
    return DisentangledLatent.pretrained(SPACE.vocabulary, TOKENS, CONFIG, seed=0)


def fit(
    features: Features, predictor: PredictorConfig, data: Labelled = DATA, **options: bool
) -> FittedController:
    controller = FrozenController(features, predictor, **options)
    return controller.fit(data, rng=np.random.default_rng(0))


# -- What predictors see


def test_descriptors_are_standardised_over_random_architectures(
    latent: DisentangledLatent,
) -> None:
    features = Features(latent, SPACE)
    reference = SPACE.sample_tokens(_N_REFERENCE, np.random.default_rng(_SEED))
    described = features(reference)[:, D:]
    assert described.shape == (_N_REFERENCE, N_DESCRIPTORS)
    np.testing.assert_allclose(described.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(described.std(axis=0), 1)
    others = features(SPACE.sample_tokens(2_000, np.random.default_rng(1)))[:, D:]
    np.testing.assert_allclose(others.mean(axis=0), 0, atol=0.25)
    np.testing.assert_allclose(others.std(axis=0), 1, atol=0.25)


def test_descriptors_that_never_vary_are_zero() -> None:
    space = NASBench101Space(max_vertices=2)  # a single cell
    tokens = space.enumerate_tokens()
    config = ControllerConfig(latent_dim=2, hidden_dim=4, step_dim=2, n_steps=1)
    latent = DisentangledLatent.pretrained(space.vocabulary, tokens, config, seed=0)
    np.testing.assert_allclose(Features(latent, space)(tokens)[:, 2:], 0, atol=1e-9)


def test_features_are_codes_and_descriptors(latent: DisentangledLatent) -> None:
    features = Features(latent, SPACE)
    found, described = features(TOKENS), SPACE.descriptors(TOKENS)
    np.testing.assert_array_equal(found[:, :D], latent.encode(TOKENS))
    for column, expected in zip(found[:, D:].T, described.T, strict=True):
        assert np.corrcoef(column, expected)[0, 1] == pytest.approx(1)


def test_the_layout_has_one_group_for_codes_and_one_for_descriptors(
    latent: DisentangledLatent,
) -> None:
    layout = Features(latent, SPACE).layout
    assert layout.is_categorical.dtype == bool
    assert layout.is_categorical.tolist() == [False] * (D + N_DESCRIPTORS)
    assert layout.group.tolist() == [0] * D + [1] * N_DESCRIPTORS
    pairs = Features(latent, SPACE)(SPACE.sample_tokens(4_000, np.random.default_rng(0)))
    distance = ((pairs[::2] - pairs[1::2]) ** 2).mean(axis=0)
    np.testing.assert_allclose(layout.typical_distance, distance, rtol=0.35)


@pytest.mark.parametrize("space", [None, FLAT])
def test_without_descriptors_features_are_the_codes(space: FlatSpace | None) -> None:
    latent = IdentityLatent(FLAT)
    features = Features(latent, space)
    tokens = FLAT.sample_tokens(20, np.random.default_rng(0))
    codes = latent.sample_prior(20, np.random.default_rng(1))
    np.testing.assert_array_equal(features(tokens), latent.encode(tokens))
    np.testing.assert_array_equal(features.of_codes(codes), codes)
    assert features.layout.is_categorical.tolist() == [False, True]
    assert features.layout.group.tolist() == [0, 1]
    np.testing.assert_array_equal(features.layout.typical_distance, latent.typical_distance)


def test_a_latent_of_cells_without_descriptors_is_one_group(latent: DisentangledLatent) -> None:
    features = Features(latent)
    np.testing.assert_array_equal(features(TOKENS), latent.encode(TOKENS))
    assert features.layout.group.tolist() == [0] * D


def test_features_of_a_code_are_those_of_what_it_decodes_to(latent: DisentangledLatent) -> None:
    features, codes = Features(latent, SPACE), latent.encode(TOKENS)
    decoded = latent.decode(codes)
    comes_back = (decoded == TOKENS).all(axis=1)
    assert comes_back.mean() > 0.8
    np.testing.assert_array_equal(
        features.of_codes(codes)[comes_back], features(TOKENS)[comes_back]
    )
    anywhere = 2.0 * latent.sample_prior(200, np.random.default_rng(0))
    found, decoded = features.of_codes(anywhere), latent.decode(anywhere)
    assert not SPACE.canonicalize(decoded)[1].all()  # some are no cells
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, :D], anywhere)
    np.testing.assert_array_equal(found[:, D:], features(decoded)[:, D:])


def test_tokens_of_numbers_are_their_ranks_and_nan_where_they_are_absent() -> None:
    space = ArchitectureSpace(
        layers=Repeat(Choice(64, 16, 32), depth=(1, 2)), head=Choice("mean", "cls")
    )
    config = ControllerConfig(latent_dim=1, hidden_dim=4, step_dim=2, n_steps=1)
    latent = DisentangledLatent.pretrained(
        space.vocabulary, space.enumerate_tokens(), config, seed=0
    )
    features = Features(latent, space, with_tokens=True, with_descriptors=False)
    tokens = np.array([[1, 0, 1, 0], [0, 2, 3, 1]])  # two layers, and one
    expected = [[1.0, 1.0, 0.0, 0.0], [0.0, 0.5, np.nan, 1.0]]
    np.testing.assert_array_equal(features(tokens)[:, 1:], expected)
    layout = features.layout
    assert layout.is_categorical.tolist() == [False, False, False, False, True]
    assert layout.group.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(layout.typical_distance[1:4], 1 / 6)
    assert layout.has_effect is not None
    assert layout.has_effect.tolist() == [False, True, True, True, True]


def test_tokens_are_categories_of_their_own_between_code_and_descriptors(
    latent: DisentangledLatent,
) -> None:
    features, n = Features(latent, SPACE, with_tokens=True), TOKENS.shape[1]
    found = features(TOKENS)
    np.testing.assert_array_equal(found[:, :D], latent.encode(TOKENS))
    np.testing.assert_array_equal(found[:, D : D + n], TOKENS)
    np.testing.assert_array_equal(found[:, D + n :], Features(latent, SPACE)(TOKENS)[:, D:])
    is_token = np.repeat([False, True, False], [D, n, N_DESCRIPTORS])
    layout = features.layout
    np.testing.assert_array_equal(layout.is_categorical, is_token)
    assert layout.has_effect is not None
    np.testing.assert_array_equal(layout.has_effect, is_token)
    assert layout.group.tolist() == [0] * D + [*range(1, n + 1)] + [n + 1] * N_DESCRIPTORS
    pairs = SPACE.sample_tokens(4_000, np.random.default_rng(0))
    distance = (pairs[::2] != pairs[1::2]).mean(axis=0)
    np.testing.assert_allclose(layout.typical_distance[is_token], distance, atol=0.06)
    of_codes = features.of_codes(found[:, :D])
    comes_back = (latent.decode(found[:, :D]) == TOKENS).all(axis=1)
    np.testing.assert_array_equal(of_codes[comes_back], found[comes_back])


def test_features_of_a_setting_are_those_of_its_cell_and_the_other_parameters(
    latent: DisentangledLatent,
) -> None:
    space = ProductSpace(SPACE, FLAT)
    both = ProductLatent(space, latent, IdentityLatent(FLAT))
    tokens = space.sample_tokens(50, np.random.default_rng(0))
    cells, others = space.split(tokens)
    found = Features(both, space, with_tokens=True)(tokens)
    of_cells = Features(latent, SPACE, with_tokens=True)(cells)
    np.testing.assert_array_equal(found[:, :D], of_cells[:, :D])
    np.testing.assert_array_equal(found[:, D : D + 2], others)
    np.testing.assert_array_equal(found[:, D + 2 :], of_cells[:, D:])


# -- Controllers


@pytest.mark.parametrize(("predictor", "step", "tolerance"), PREDICTORS)
@pytest.mark.parametrize("with_descriptors", [False, True])
def test_slopes_against_finite_differences_where_the_cell_stays_the_same(
    latent: DisentangledLatent,
    predictor: PredictorConfig,
    step: float,
    tolerance: float,
    with_descriptors: bool,
) -> None:
    features = Features(latent, SPACE if with_descriptors else None)
    fitted = fit(features, predictor, with_costs=True)
    codes = latent.encode(TOKENS[::3])

    def difference(model: Predictor, rows: FloatArray, h: FloatArray) -> FloatArray:
        up, down = (model.predict(features.of_codes(rows + s))[0] for s in (h, -h))
        return (up - down) / (2 * step)

    for model, slopes in (
        (fitted.objectives, fitted.objective_slopes(codes)),
        (fitted.costs, fitted.cost_slopes(codes)),
    ):
        assert model is not None
        assert slopes is not None
        assert slopes.shape == (len(codes), 2, D)
        assert np.abs(slopes).max() > 0.03
        for d, h in enumerate(step * np.eye(D)):
            cells = [latent.decode(codes + s) for s in (-h, 0 * h, h)]
            same = ((cells[0] == cells[1]) & (cells[1] == cells[2])).all(axis=1)
            assert same.mean() > 0.5
            np.testing.assert_allclose(
                slopes[same, :, d], difference(model, codes[same], h), atol=tolerance, rtol=1e-2
            )


@pytest.mark.parametrize("with_descriptors", [False, True])
def test_the_code_and_the_descriptors_have_a_relevance_each(
    latent: DisentangledLatent, with_descriptors: bool
) -> None:
    fitted = fit(Features(latent, SPACE if with_descriptors else None), GaussianProcessConfig())
    for kernel in fitted.objectives._kernels:
        assert kernel.weights.shape == (1 + with_descriptors,)
    assert fitted.latent is latent


def test_descriptors_help_to_predict_costs(latent: DisentangledLatent) -> None:
    rows = np.random.default_rng(0).permutation(len(TOKENS))
    train, test = TOKENS[rows[:30]], TOKENS[rows[30:]]
    costs = SPACE.token_costs(TOKENS)[rows]
    correlations = []
    for space in (None, SPACE):
        features = Features(latent, space)
        fitted = fit(features, GaussianProcessConfig(), Labelled(train, costs[:30], None))
        mean, _ = fitted.objectives.predict(features(test))
        correlations.append(np.corrcoef(mean[:, 1], np.log(costs[30:, 1]))[0, 1])
    assert correlations[1] > max(correlations[0], 0.95)


def test_costs_are_fitted_on_demand_only(latent: DisentangledLatent) -> None:
    features, codes = Features(latent, SPACE), latent.encode(TOKENS)
    predictor = EnsembleConfig(n_steps=1)
    without = fit(features, predictor)
    unknown = fit(features, predictor, DATA._replace(costs=None), with_costs=True)
    for fitted in (without, unknown):
        assert fitted.costs is None
        assert fitted.cost_slopes(codes) is None
    assert fit(features, predictor, with_costs=True).cost_slopes(codes).shape == (91, 2, D)


def test_conditioning_sees_the_descriptors(latent: DisentangledLatent) -> None:
    features = Features(latent, SPACE)
    early = fit(features, GaussianProcessConfig(), Labelled(TOKENS[:40], VALUES[:40], None))
    late = early.condition(DATA)
    expected = early.objectives.condition(features(TOKENS), VALUES)
    found = late.objectives.predict(features(TOKENS))
    np.testing.assert_array_equal(found, expected.predict(features(TOKENS)))
    assert not np.array_equal(found, early.objectives.predict(features(TOKENS)))
    assert late.features is features


@pytest.mark.parametrize(("with_descriptors", "n_features"), [(True, 4 + 38), (False, 4)])
def test_descriptors_can_be_left_out(with_descriptors: bool, n_features: int) -> None:
    config = ControllerConfig(latent_dim=4, hidden_dim=8, step_dim=4, n_cells=32, n_steps=2)
    options = {"with_costs": False, "semi_supervised": None, "device": "cpu", "config": config}
    for space, n in ((SPACE, n_features), (FLAT, 2)):
        controller = make_controller(
            space,
            predictor=GaussianProcessConfig(),
            with_tokens=False,
            with_descriptors=with_descriptors,
            **options,
        )
        tokens = space.sample_tokens(10, np.random.default_rng(0))
        data = Labelled(tokens, np.arange(10.0)[:, None], None)
        fitted = controller.fit(data, rng=np.random.default_rng(0))
        assert fitted.features(tokens).shape == (10, n)
        assert all(len(of) == n for of in fitted.features.layout)
