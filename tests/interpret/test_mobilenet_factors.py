import numpy as np

from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space._mobilenet_factors import MobileNetFactors
from tests.mobilenets import nine_layers


SPACE = MobileNetSpace(nine_layers(28))
MODEL = SPACE.factor_model
BY_NAME = {factor.name: factor for factor in MODEL.factors}


def factors_of(text: str) -> dict[str, float]:
    params = SPACE.architecture_to_params(MobileNetSpec.parse(text))
    (row,) = MODEL.measure(SPACE.params_to_tokens([params]))
    return dict(zip(BY_NAME, row.tolist(), strict=True))


def test_a_network_in_numbers() -> None:
    found = factors_of("k3e3 skip skip k5e6 skip k7e3 k3e6 k3e3 k7e6")
    assert [found[f"kernel of layer {k}"] for k in (0, 3, 4, 6, 7, 8)] == [3, 5, 7, 3, 3, 7]
    assert [found[f"expansion of layer {k}"] for k in (0, 3, 4, 6, 7, 8)] == [3, 6, 3, 6, 3, 6]
    assert all(np.isnan(found[f"{what} of layer 5"]) for what in ("kernel", "expansion"))
    assert [found[f"layers of stage {s}"] for s in (1, 2, 3)] == [1, 2, 3]
    assert found["number of layers"] == 6
    assert [found[f"layers of kernel {kernel}"] for kernel in (3, 5, 7)] == [3, 1, 2]
    assert [found[f"layers of expansion {expansion}"] for expansion in (3, 6)] == [3, 3]


def test_costs_are_those_of_the_space() -> None:
    tokens = SPACE.sample_tokens(50, np.random.default_rng(0))
    assert np.array_equal(MODEL.measure(tokens)[:, -2:], SPACE.token_costs(tokens))


def test_values_have_words() -> None:
    assert BY_NAME["kernel of layer 3"].describe(7.0) == "kernel of layer 3: 7"
    assert BY_NAME["expansion of layer 1"].describe(np.nan) == "expansion of layer 1: none"


def test_what_can_change_alone_is_basic() -> None:
    basic = {MODEL.factors[f].name for f in MODEL.basic}
    assert {"kernel of layer 0", "expansion of layer 8", "layers of stage 3"} <= basic
    assert not basic & {"number of layers", "layers of kernel 3", "multiply-adds", "parameters"}


def test_each_basic_factor_can_change_alone() -> None:
    reference = {f"layer_{k}": "k3e3" for k in range(9)}
    changes = [{f"layer_{k}": text} for k in range(9) for text in ("k5e3", "k3e6")]
    changes += [{f"layer_{k}": "skip"} for k in (2, 5, 8)]
    tokens = SPACE.params_to_tokens([reference, *(reference | change for change in changes)])
    before, *after = MODEL.measure(tokens)[:, MODEL.basic]
    differs = (after != before) & ~np.isnan(after)
    assert (differs.sum(axis=1) == 1).all()
    assert differs.any(axis=0).all()


def test_the_paper_s_space_has_factors_with_different_names() -> None:
    space = MobileNetSpace()
    model = MobileNetFactors(space)
    assert model.measure(space.sample_tokens(5, np.random.default_rng(0))).shape == (5, 56)
    assert len({factor.name for factor in model.factors}) == 56
