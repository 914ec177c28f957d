from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import MBConv
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space import Stage


def built_cost(shape: MobileNetShape, spec: MobileNetSpec) -> Cost:
    """As PyTorch counts, of a network without numbers."""
    with torch.device("meta"):
        network = MobileNetwork.build(shape, spec).eval()
        images = torch.empty(1, shape.image_channels, shape.image_size, shape.image_size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images)
    # It counts a multiply-add as two operations.
    return Cost(
        flops=counter.get_total_flops() // 2,
        params=sum(parameter.numel() for parameter in network.parameters()),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 0.35, "image_size": 161, "n_classes": 7},
        {"stem_stride": 1, "image_size": 32, "kernels": (3, 9), "expansions": (1, 2, 5)},
    ],
)
def test_the_space_knows_what_a_network_costs_as_built(settings: dict[str, Any]) -> None:
    space = MobileNetSpace(MobileNetShape(**settings))
    (spec,) = space.sample(np.random.default_rng(0), 1)
    assert space.cost(spec) == built_cost(space.shape, spec)


stages = st.builds(
    Stage, channels=st.integers(1, 40), n_layers=st.integers(1, 3), stride=st.integers(1, 2)
)


@settings(max_examples=8, deadline=None)
@given(
    stages=st.lists(stages, min_size=1, max_size=3),
    image_size=st.integers(4, 33),
    width=st.floats(0.3, 2.0),
    seed=st.integers(0, 99),
)
def test_so_it_is_for_any_shape(
    stages: list[Stage], image_size: int, width: float, seed: int
) -> None:
    shape = MobileNetShape(
        stages=tuple(stages), image_size=image_size, width=width, head_channels=32, n_classes=3
    )
    space = MobileNetSpace(shape)
    (spec,) = space.sample(np.random.default_rng(seed), 1)
    assert space.cost(spec) == built_cost(shape, spec)


def test_mobilenet_v2_as_built_costs_what_is_published() -> None:
    rows = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
    shape = MobileNetShape(stages=tuple(Stage(*row) for row in rows))
    spec = MobileNetSpec((MBConv(kernel=3, expansion=6),) * 16)
    assert built_cost(shape, spec) == Cost(flops=300_774_272, params=3_504_872)
