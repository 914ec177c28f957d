"""Factors of declared spaces: their words, and that they are what the architectures have."""

import numpy as np

from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import COST
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import Repeat
from optuna_dnas.search_space._declared_factors import DeclaredFactors


SPACE = ArchitectureSpace(
    layers=Repeat(
        {"width": Choice(16, 64), "norm": Choice("batch", "none", "layer")}, depth=(0, 2)
    ),
    head=Choice("mean", "cls", "max"),
    stem={"kernel": Choice(3, 5, 7)},
    edges=Repeat(Choice("conv", "pool", "skip"), depth=2),
    cost=lambda a: Cost(flops=len(a.layers), params=sum(layer.width for layer in a.layers)),
)
TOKENS = SPACE.enumerate_tokens()
MODEL = SPACE.factor_model


def test_names_are_those_of_the_declaration() -> None:
    assert isinstance(MODEL, DeclaredFactors)
    basic = [factor.name for factor in MODEL.factors if not factor.is_derived]
    assert basic == [
        "number of layers",
        "width of layer 1",
        "norm of layer 1",
        "width of layer 2",
        "norm of layer 2",
        "head",
        "kernel of stem",
        "edge 1",
        "edge 2",
    ]
    derived = [factor.name for factor in MODEL.factors if factor.is_derived]
    assert derived == [
        "mean width",
        "number of layers whose norm is batch",
        "number of layers whose norm is none",
        "number of layers whose norm is layer",
        "number of edges conv",
        "number of edges pool",
        "number of edges skip",
        "multiply-adds",
        "parameters",
    ]
    assert [f.kind for f in MODEL.factors][-2:] == [COST, COST]


def test_values_are_those_of_the_architectures() -> None:
    measured = MODEL.measure(TOKENS)
    assert measured.shape == (len(TOKENS), len(MODEL.factors))
    columns = dict(zip((f.name for f in MODEL.factors), measured.T, strict=True))
    for n, a in enumerate(SPACE.tokens_to_architectures(TOKENS)):
        assert columns["number of layers"][n] == len(a.layers)
        for k in range(2):
            width, norm = (
                columns[f"width of layer {k + 1}"][n],
                columns[f"norm of layer {k + 1}"][n],
            )
            if k < len(a.layers):
                assert width == a.layers[k].width
                assert ("batch", "none", "layer")[int(norm)] == a.layers[k].norm
            else:
                assert np.isnan(width)
                assert np.isnan(norm)
        widths = [layer.width for layer in a.layers]
        np.testing.assert_equal(columns["mean width"][n], np.mean(widths) if widths else np.nan)
        assert columns["kernel of stem"][n] == a.stem.kernel
        assert columns["number of edges conv"][n] == a.edges.count("conv")
        assert columns["parameters"][n] == sum(widths)


def test_values_are_described_in_words() -> None:
    factors = {factor.name: factor for factor in MODEL.factors}
    assert factors["head"].describe(1) == "head is cls"
    assert factors["norm of layer 2"].describe(2) == "norm of layer 2 is layer"
    assert factors["width of layer 1"].describe(64) == "width of layer 1: 64"
    assert factors["number of layers"].describe(2) == "number of layers: 2"
    assert factors["edge 1"].is_nominal


def test_without_a_cost_none_is_a_factor() -> None:
    model = ArchitectureSpace(head=Choice("a", "b")).factor_model
    assert [factor.name for factor in model.factors] == ["head"]
    np.testing.assert_array_equal(model.measure(np.array([[0], [1]])), [[0], [1]])
