"""NAS-Bench-201: its strings, its published counts, and that equivalent cells are one."""

from collections.abc import Callable
import itertools

import numpy as np
import pytest
import torch

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import check_space
from optuna_dnas.search_space import NASBENCH201_OPS
from optuna_dnas.search_space import NASBench201Space


SPACE = NASBench201Space()
# A residual block, as the paper writes it.
RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
EDGES = [(i, j) for j in range(1, 4) for i in range(j)]
CELLS = list(itertools.product(NASBENCH201_OPS, repeat=6))


def published(cell: tuple[str, ...], *, with_zero: bool) -> str:
    """The rule that the authors count different cells by: terms that are zero stay terms."""
    nodes = ["0"]
    for j in range(1, 4):
        terms = []
        for i in range(j):
            op = cell[EDGES.index((i, j))]
            if with_zero and (op == "none" or nodes[i] == "#"):
                terms.append("#")
            else:
                terms.append(nodes[i] if op == "skip_connect" else f"({nodes[i]})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


@pytest.mark.parametrize(("with_zero", "n"), [(True, 6_466), (False, 12_751)])
def test_published_counts_of_different_cells(with_zero: bool, n: int) -> None:
    """And cells that are equal by the published rule are equal by ours."""
    tokens = SPACE.params_to_tokens([{f"edges_{k}": op for k, op in enumerate(c)} for c in CELLS])
    canonical = [row.tobytes() for row in SPACE.canonicalize(tokens)[0]]
    by_rule: dict[str, set[bytes]] = {}
    for cell, form in zip(CELLS, canonical, strict=True):
        by_rule.setdefault(published(cell, with_zero=with_zero), set()).add(form)
    assert len(by_rule) == n
    if with_zero:
        assert all(len(forms) == 1 for forms in by_rule.values())


def compute(ops: tuple[str, ...], layers: dict[str, Callable[..., torch.Tensor]]) -> torch.Tensor:
    values = [torch.linspace(-1, 1, 5, dtype=torch.float64)]
    for j in range(1, 4):
        terms = [layers[ops[EDGES.index((i, j))]](values[i]) for i in range(j)]
        values.append(torch.stack(terms).sum(dim=0))
    return values[-1]


def test_cells_are_equivalent_if_and_only_if_they_compute_the_same() -> None:
    """By functions that have nothing in common but that they keep zero."""
    layers: dict[str, Callable[..., torch.Tensor]] = {
        "none": torch.zeros_like,
        "skip_connect": lambda x: x,
        "nor_conv_1x1": lambda x: torch.sin(3 * x) + x**2,
        "nor_conv_3x3": lambda x: torch.exp(x) - 1,
        "avg_pool_3x3": lambda x: torch.tanh(x) - 0.2 * x**3,
    }
    forms = SPACE.enumerate_tokens()
    assert len(forms) == 4_930
    outputs = {
        tuple(np.round(compute(a.edges, layers).numpy(), 9).tolist())
        for a in SPACE.tokens_to_architectures(forms)
    }
    assert len(outputs) == len(forms)
    rng = np.random.default_rng(0)
    for k in rng.integers(0, len(CELLS), 300):
        canonical = SPACE.canonical(Architecture(edges=CELLS[k]))
        torch.testing.assert_close(
            compute(canonical.edges, layers), compute(CELLS[k], layers), rtol=0, atol=1e-12
        )


def test_strings_are_those_of_the_benchmark() -> None:
    cell = SPACE.parse(RESNET)
    assert cell.edges == (
        "nor_conv_3x3", "none", "nor_conv_3x3", "skip_connect", "none", "skip_connect",
    )  # fmt: skip
    assert SPACE.to_string(cell) == RESNET
    for other in SPACE.sample(np.random.default_rng(0), 100):
        assert SPACE.parse(SPACE.to_string(other)) == other


@pytest.mark.parametrize(
    "text",
    ["", "none", RESNET[:-5], RESNET.replace("none", "conv"), RESNET.replace("~2", "~1")],
)
def test_other_texts_are_no_cells(text: str) -> None:
    with pytest.raises(OutOfDomainError, match="no cell of NAS-Bench-201"):
        SPACE.parse(text)


def test_the_laws_of_a_space_hold() -> None:
    check_space(SPACE)


def test_descriptors_count_paths() -> None:
    """Of one kind of operation, or of several."""
    only_last = Architecture(edges=("none", "none", "none", "nor_conv_3x3", "none", "none"))
    chain = Architecture(
        edges=("nor_conv_3x3", "none", "nor_conv_1x1", "none", "none", "nor_conv_3x3")
    )
    for cell, counts, n_paths, length in (
        (only_last, [5, 0, 0, 1, 0], 1, 1),
        (chain, [3, 0, 1, 2, 0], 1, 3),
    ):
        tokens = SPACE.params_to_tokens([SPACE.architecture_to_params(cell)])
        (described,) = SPACE.descriptors(tokens)
        assert described[:5].tolist() == counts
        # The last set holds all operations: how many paths, the shortest, the longest.
        assert described[-3:].tolist() == [n_paths, length, length]
