from dataclasses import asdict
import json
import math

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import optuna
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space import recognize
from optuna_dnas.search_space import Stage
from tests.mobilenets import nine_layers


MOBILENET_V2_STAGES = (
    Stage(24, 2, 2),
    Stage(32, 3, 2),
    Stage(64, 4, 2),
    Stage(96, 3, 1),
    Stage(160, 3, 2),
    Stage(320, 1, 1),
)
TINY = MobileNetShape(
    stages=(Stage(8, 2, 1), Stage(16, 3, 2)), kernels=(3, 5), expansions=(1, 3), image_size=8
)
DEFAULT, SMALL = MobileNetSpace(), MobileNetSpace(nine_layers(28))
SPACES = [DEFAULT, SMALL, MobileNetSpace(TINY)]

seeds = st.integers(0, 2**32 - 1)


def _as_written(space: MobileNetSpace, seed: int, n: int = 20) -> np.ndarray:
    """Tokens of networks with skipped layers anywhere."""
    rng = np.random.default_rng(seed)
    rows = [
        {name: d.choices[rng.integers(len(d.choices))] for name, d in space.distributions.items()}
        for _ in range(n)
    ]
    return space.params_to_tokens(rows)


@pytest.mark.parametrize(
    ("width", "flops", "params"),
    # Table of the authors' code, in millions: multiply-adds and parameters at 224 pixels.
    [(1.4, 582, 6.06), (1.0, 300, 3.47), (0.75, 209, 2.61), (0.5, 97, 1.95), (0.35, 59, 1.66)],
)
def test_mobilenet_v2_costs_what_is_published(width: float, flops: float, params: float) -> None:
    space = MobileNetSpace(MobileNetShape(stages=MOBILENET_V2_STAGES, width=width))
    cost = space.cost(MobileNetSpec((MBConv(3, 6),) * 16))
    assert cost.flops / 1e6 == pytest.approx(flops, rel=0.01)
    assert cost.params / 1e6 == pytest.approx(params, rel=0.015)


def test_mobilenet_v2_has_3504872_parameters_and_300774272_multiply_adds() -> None:
    space = MobileNetSpace(MobileNetShape(stages=MOBILENET_V2_STAGES))
    cost = space.cost(MobileNetSpec((MBConv(3, 6),) * 16))
    assert (cost.flops, cost.params) == (300_774_272, 3_504_872)


@pytest.mark.parametrize("space", SPACES, ids=["default", "small", "tiny"])
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_tokens_params_and_networks_are_three_writings_of_the_same(
    space: MobileNetSpace, seed: int
) -> None:
    tokens = _as_written(space, seed)
    params = space.tokens_to_params(tokens)
    assert np.array_equal(space.params_to_tokens(params), tokens)
    for row, spec in zip(params, space.tokens_to_architectures(tokens), strict=True):
        assert space.params_to_architecture(row) == spec
        assert MobileNetSpec.parse(str(spec)) == spec
    space.vocabulary.check(tokens)


@pytest.mark.parametrize("space", SPACES, ids=["default", "small", "tiny"])
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_canonical_form_is_idempotent_and_keeps_layers_order_and_cost(
    space: MobileNetSpace, seed: int
) -> None:
    tokens = _as_written(space, seed)
    canonical, valid = space.canonicalize(tokens)
    assert valid.all()
    assert np.array_equal(space.canonicalize(canonical)[0], canonical)
    assert np.array_equal(space.token_costs(canonical), space.token_costs(tokens))
    for before, after in zip(
        space.tokens_to_architectures(tokens),
        space.tokens_to_architectures(canonical),
        strict=True,
    ):
        for stage in range(len(space.shape.stages)):
            ks = [k for k, layer in enumerate(space.shape.layers) if layer.stage == stage]
            layers = [after.layers[k] for k in ks]
            assert [layer for layer in layers if layer] == [
                before.layers[k] for k in ks if before.layers[k]
            ]
            assert layers == sorted(layers, key=lambda layer: layer is None)
        assert space.hash(before) == space.hash(after)
        assert space.canonical(before) == after


def test_a_kernel_without_an_expansion_is_not_valid() -> None:
    space = MobileNetSpace(TINY)
    tokens = space.params_to_tokens([{f"layer_{k}": "k3e3" for k in range(5)}] * 2)
    tokens[1, 2] = 2  # the kernel of layer 1 is absent, its expansion is not
    assert space.canonicalize(tokens)[1].tolist() == [True, False]


def test_the_size_is_the_number_of_different_networks() -> None:
    space = MobileNetSpace(TINY)
    tokens = space.enumerate_tokens()
    assert space.size == len(tokens) == (4 + 16) * (4 + 16 + 64)
    assert len(np.unique(tokens, axis=0)) == len(tokens)
    assert np.array_equal(space.canonicalize(tokens)[0], tokens)
    with pytest.raises(ValueError, match="too large to enumerate"):
        DEFAULT.enumerate_tokens()


def test_samples_are_uniform_over_the_different_networks() -> None:
    space = MobileNetSpace(
        MobileNetShape(stages=(Stage(8, 2, 1),), kernels=(3,), expansions=(1, 3), image_size=8)
    )
    tokens = space.sample_tokens(6_000, np.random.default_rng(0))
    _, counts = np.unique(tokens, axis=0, return_counts=True)
    assert len(counts) == space.size == 6
    # Chi-squared with 5 degrees of freedom: the 99.9 % quantile.
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 20.5


@pytest.mark.parametrize("space", SPACES, ids=["default", "small", "tiny"])
def test_the_cost_of_tokens_is_that_of_the_network(space: MobileNetSpace) -> None:
    tokens = space.sample_tokens(10, np.random.default_rng(0))
    specs = space.tokens_to_architectures(tokens)
    costs = [[c.flops, c.params] for c in map(space.cost, specs)]
    assert space.token_costs(tokens).tolist() == costs
    low, high = space.cost_range
    assert (space.token_costs(tokens) >= [low.flops, low.params]).all()
    assert (space.token_costs(tokens) <= [high.flops, high.params]).all()


def test_the_cost_range_is_reached() -> None:
    space = MobileNetSpace(TINY)
    costs = space.token_costs(space.enumerate_tokens())
    low, high = space.cost_range
    assert costs.min(axis=0).tolist() == [low.flops, low.params]
    assert costs.max(axis=0).tolist() == [high.flops, high.params]


def test_limits_that_nothing_meets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`limits\['flops'\]` must be at least"):
        MobileNetSpace(limits={"flops": 1_000})


def test_the_paper_s_space_is_recognised_by_its_parameters() -> None:
    found = recognize(DEFAULT.distributions)
    assert isinstance(found, MobileNetSpace)
    assert found.shape == DEFAULT.shape
    assert recognize(SMALL.distributions) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k3e3", "must have 9 layers"),
        ("skip" + " k3e3" * 8, "must not skip layer 0"),
        ("k9e3" + " k3e3" * 8, "must have layers of k3e3, .* but got k9e3"),
    ],
)
def test_what_is_not_of_the_space_is_refused(text: str, message: str) -> None:
    with pytest.raises(OutOfDomainError, match=message):
        SMALL.cost(MobileNetSpec.parse(text))


def test_an_unknown_parameter_value_is_refused() -> None:
    params = SMALL.architecture_to_params(SMALL.sample(np.random.default_rng(0), 1)[0])
    with pytest.raises(OutOfDomainError, match="`layer_0` must be one of"):
        SMALL.params_to_architecture(params | {"layer_0": "skip"})


def test_suggest_asks_a_trial_for_every_layer() -> None:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    spec = SMALL.suggest(trial)
    assert str(spec).split() == [trial.params[f"layer_{k}"] for k in range(9)]


def test_fixed_parameters_are_fixed_tokens() -> None:
    fixed = SMALL.fixed_tokens({"layer_1": "skip", "layer_3": "k7e6", "layer_0": "skip", "x": 1})
    assert fixed == {2: 3, 3: 2, 6: 2, 7: 1}


@pytest.mark.parametrize("text", ["k3", "k3e6 x", "K3E6"])
def test_only_texts_of_networks_are_parsed(text: str) -> None:
    with pytest.raises(ValueError, match="Not the text of a mobile network"):
        MobileNetSpec.parse(text)


@pytest.mark.parametrize("shape", [DEFAULT.shape, SMALL.shape, TINY])
def test_a_shape_survives_json(shape: MobileNetShape) -> None:
    assert MobileNetShape.from_dict(json.loads(json.dumps(asdict(shape)))) == shape


def test_a_shape_from_a_file_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="A shape has the values"):
        MobileNetShape.from_dict({"stages": []})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": 3}, "Not the values of a shape"),
        ({"stages": [{"channels": 8}]}, "Not the values of a shape"),
        ({"kernels": ["3"]}, "Not the values of a shape"),
        ({"image_size": "28"}, "Not the values of a shape"),
        ({"image_size": 28.5}, "counts in integers, but got 28.5"),
        ({"stages": [{"channels": 8, "n_layers": 1.0, "stride": 1}]}, "but got 1.0"),
        ({"image_size": 0}, "`image_size` must be positive, but got 0"),
    ],
)
def test_a_shape_from_a_file_is_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MobileNetShape.from_dict(asdict(SMALL.shape) | change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages": ()}, "`stages` must not be empty"),
        ({"kernels": (4,)}, "`kernels` must be odd, but got 4"),
        ({"kernels": (3, 3)}, "`kernels` must be different positive integers"),
        ({"expansions": ()}, "`expansions` must be different positive integers"),
        ({"image_size": 0}, "`image_size` must be positive, but got 0"),
        ({"stem_stride": 3}, "`stem_stride` must be 1 or 2, but got 3"),
        ({"kernels": (3, 449)}, "`kernels` must be at most 447, .* but got 449"),
        ({"width": math.inf}, "`width` must make at most 1,048,576 channels, .* got inf of 320"),
        ({"width": math.nan}, "`width` must be positive, but got nan"),
        ({"expansions": (10**9,)}, "`width` must make at most .* `expansions` of .1000000000"),
        ({"head_channels": 10**9}, "`width` must make at most .* and 1,000,000,000 channels"),
        ({"stages": (Stage(8, 10**20, 1),)}, "`stages` must have at most 256 layers"),
        ({"stages": (Stage(8, 200, 1), Stage(8, 57, 1))}, "layers in all, but got 257"),
    ],
)
def test_impossible_shapes_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MobileNetShape(**settings)  # type: ignore[arg-type]


def test_a_size_beyond_numbers_is_infinite() -> None:
    """Of 256 layers with 20 choices there are more than floats have digits for."""
    shape = MobileNetShape(
        stages=(Stage(8, 256, 1),), kernels=(3, 5, 7, 9, 11), expansions=(1, 2, 3, 4)
    )
    assert MobileNetSpace(shape).size == math.inf


def test_the_picture_has_a_block_for_every_layer_that_is_not_skipped() -> None:
    spec = MobileNetSpec.parse("k3e3 skip skip k5e6 k7e3 skip k3e6 k3e3 k7e6")
    picture = SMALL.picture(spec)
    keys = [box.key for box in picture.boxes if box.key is not None]
    assert keys == [0, 3, 4, 6, 7, 8]
    for box in picture.boxes:
        left, top, right, bottom = box.corners
        assert left >= 0
        assert top >= 0
        assert right <= picture.width
        assert bottom <= picture.height
    assert SMALL.draw(spec).splitlines()[2].split()[-2:] == ["k5e6", "k7e3"]
