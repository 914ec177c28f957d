import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.distributions import FloatDistribution
from optuna.distributions import IntDistribution
import pytest

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space._factors import TokenFactors
from optuna_dnas.search_space._flat_factors import FlatFactors
from optuna_dnas.search_space._nasbench101_factors import longest_paths
from optuna_dnas.search_space._nasbench101_factors import NASBench101Factors


SPACE = NASBench101Space()
MODEL = SPACE.factor_model


def factors_of(text: str) -> dict[str, float]:
    spec = SPACE.canonical(ModelSpec.parse(text))
    (row,) = MODEL.measure(SPACE.architectures_to_tokens([spec]))
    names = [factor.name for factor in MODEL.factors]
    return dict(zip(names, row.tolist(), strict=True))


def test_a_chain_with_a_skip() -> None:
    # input -> conv3x3 -> maxpool3x3 -> output, and input -> output
    found = factors_of("conv3x3-bn-relu,maxpool3x3|0101/0010/0001/0000")
    assert found["operation of vertex 1"] == 0
    assert found["operation of vertex 2"] == 2
    assert np.isnan(found["operation of vertex 3"])
    assert found["number of vertices"] == 4
    assert found["depth"] == 3
    assert found["number of edges"] == 4
    assert found["input-output skip"] == 1
    assert found["number of conv3x3"] == found["number of maxpool3x3"] == 1
    assert found["number of conv1x1"] == 0
    assert found["skips into the output"] == 1
    assert found["skips into vertex 2"] == 0


def test_a_branch_is_not_a_skip() -> None:
    # Two parallel convolutions: no edge has a longer way beside it.
    found = factors_of("conv3x3-bn-relu,conv3x3-bn-relu|0110/0001/0001/0000")
    assert found["depth"] == 2
    assert found["number of vertices"] == 4
    assert all(found[name] == 0 for name in found if "skip" in name)


def test_the_smallest_cell_is_not_a_skip_either() -> None:
    found = factors_of("|01/00")
    assert found["depth"] == found["number of edges"] == 1
    assert found["number of vertices"] == 2
    assert found["input-output skip"] == 0


def test_factors_agree_with_the_descriptors_and_costs_of_the_space() -> None:
    tokens = SPACE.sample_tokens(500, np.random.default_rng(0))
    names = [factor.name for factor in MODEL.factors]
    found = dict(zip(names, MODEL.measure(tokens).T, strict=True))
    described = SPACE.descriptors(tokens)
    np.testing.assert_array_equal(found["number of vertices"], described[:, 0])
    np.testing.assert_array_equal(found["number of edges"], described[:, 1])
    np.testing.assert_array_equal(found["input-output skip"], described[:, 2])
    np.testing.assert_array_equal(found["depth"], described[:, 5])
    np.testing.assert_array_equal(found["number of conv3x3"], described[:, 8])
    np.testing.assert_allclose(np.log(found["multiply-adds"]), described[:, -2])
    np.testing.assert_allclose(np.log(found["parameters"]), described[:, -1])


def test_longest_paths_of_a_diamond_with_a_detour() -> None:
    adjacency = np.zeros((1, 4, 4), dtype=np.int64)
    adjacency[0, [0, 0, 1, 2], [1, 2, 2, 3]] = 1
    expected = [[0, 1, 2, 3], [0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 0, 0]]
    np.testing.assert_array_equal(longest_paths(adjacency)[0], expected)


def test_values_have_words() -> None:
    by_name = {factor.name: factor for factor in MODEL.factors}
    assert by_name["operation of vertex 3"].describe(2) == "vertex 3 is maxpool3x3"
    assert by_name["operation of vertex 3"].describe(np.nan) == "operation of vertex 3: none"
    assert by_name["input-output skip"].describe(1) == "input-output skip"
    assert by_name["depth"].describe(5) == "depth: 5"
    assert by_name["operation of vertex 3"].is_nominal
    assert not by_name["input-output skip"].is_nominal


def test_the_concepts_of_the_paper_are_kinds() -> None:
    for kind in ("operation", "skip connection", "number of layers"):
        assert len(MODEL.of_kind(kind))
    with pytest.raises(ValueError, match="'colour'"):
        MODEL.of_kind("colour")


def test_derived_factors_are_not_basic() -> None:
    basic = [MODEL.factors[f].name for f in MODEL.basic]
    assert "depth" in basic
    assert "parameters" not in basic


@pytest.mark.parametrize("max_vertices", range(2, 8))
def test_every_size_of_cells_has_factors(max_vertices: int) -> None:
    space = NASBench101Space(max_vertices=max_vertices)
    model = NASBench101Factors(space)
    values = model.measure(space.sample_tokens(10, np.random.default_rng(0)))
    assert values.shape == (10, len(model.factors))
    assert len({factor.name for factor in model.factors}) == len(model.factors)


def test_the_factors_of_a_flat_space_are_its_parameters() -> None:
    space = FlatSpace(
        {
            "optimizer": CategoricalDistribution(("sgd", "adam")),
            "rate": FloatDistribution(1e-4, 1.0, log=True),
            "layers": IntDistribution(1, 5),
        }
    )
    model = space.factor_model
    assert isinstance(model, FlatFactors)
    tokens = space.params_to_tokens([{"optimizer": "adam", "rate": 1e-2, "layers": 4}])
    (values,) = model.measure(tokens)
    words = [f.describe(v) for f, v in zip(model.factors, values, strict=True)]
    assert words == ["optimizer is adam", "rate: 0.01", "layers: 4"]
    assert model.factors[1].describe(np.nan) == "rate: none"
    np.testing.assert_array_equal(model.basic, [0, 1, 2])


def test_the_factors_of_a_space_that_names_none_are_its_tokens() -> None:
    model = TokenFactors(SPACE.vocabulary)
    tokens = SPACE.sample_tokens(20, np.random.default_rng(0))
    assert [f.name for f in model.factors] == [token.name for token in SPACE.vocabulary.tokens]
    np.testing.assert_array_equal(model.measure(tokens), tokens)
    assert model.factors[0].describe(1.0) == "edge_0_1 is 1"
