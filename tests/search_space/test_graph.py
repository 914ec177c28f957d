"""The laws of graphs as a part of declared spaces."""

import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import optuna
from optuna.trial import FixedTrial
import pytest

from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.search_space import Architecture
from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import check_space
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import Graph
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import space_from_json
from optuna_dnas.search_space import space_to_json
from optuna_dnas.visualization import draw_architecture


CONVOLUTIONS = Choice("conv3x3", "conv1x1", "maxpool3x3")
EDGE_OPS = Choice("none", "skip", "conv3x3", "conv1x1", "pool")
GRAPHS = {
    "tree": Graph(nodes=4, op=Choice("gcn", "gat", "skip"), inputs=1, identity="skip"),
    "cell": Graph(nodes=3, op=CONVOLUTIONS, output="any", max_edges=9),
    "edges": Graph(nodes=3, edge_op=EDGE_OPS, output="last", none="none", identity="skip"),
    "large": Graph(nodes=5, op=CONVOLUTIONS, output="any", max_edges=9),
    "darts": Graph(
        nodes=4, n_inputs=2, edge_op=EDGE_OPS, inputs=2, output="all", none="none", identity="skip"
    ),
    "wide": Graph(nodes=6, op=CONVOLUTIONS, inputs=2, output="last"),
    "leaves": Graph(nodes=5, op=CONVOLUTIONS),
    "both": Graph(nodes=4, op=CONVOLUTIONS, edge_op=EDGE_OPS, inputs=1, none="none"),
}
SPACES = {name: ArchitectureSpace(cell=graph) for name, graph in GRAPHS.items()}
NAMES = st.sampled_from(sorted(SPACES))
SEEDS = st.integers(0, 100_000)
FAST = settings(derandomize=True, deadline=None, max_examples=25)


def written(name: str, seed: int, n: int = 1) -> np.ndarray:
    """Tokens of random parameters, as they are written."""
    rng = np.random.default_rng(seed)
    leaves = SPACES[name].leaves
    return np.stack([rng.integers(0, len(leaf.value.values), n) for leaf in leaves], axis=1)


def evaluate(name: str, cell: Architecture) -> float:
    """The output of a cell whose operations are functions of numbers."""
    graph = GRAPHS[name]
    states = [0.3 + 0.4 * i for i in range(graph.n_inputs)]
    for node in cell.nodes:
        ops = node.get("ops", ["skip"] * len(node.inputs))
        total = sum(function_of(op, states[u]) for op, u in zip(ops, node.inputs, strict=True))
        states.append(function_of(node.op, total) if "op" in node else total)
    outputs = [states[u] for u in cell.outputs]
    # The order of outputs that are side by side does not matter, nor do those that are zero.
    separate = [math.tanh(x + 1) for x in outputs if x != 0]
    return sum(outputs if graph.output == "last" else separate)


def function_of(op: str, x: float) -> float:
    """Nothing through nothing, as convolutions without a bias have it."""
    if op == "none" or x == 0:
        return 0.0
    if op == "skip":
        return x
    k = ("gcn", "gat", "conv3x3", "conv1x1", "maxpool3x3", "pool").index(op)
    return math.sin((1.3 + 0.37 * k) * x) + 0.1 * k * x * x


def reordered(graph: Graph, cell: Architecture, rng: np.random.Generator) -> Architecture:
    """The same with its nodes in another order in which none takes a later one."""
    order = list(range(graph.n_inputs))
    left = list(range(graph.n_inputs, graph.n_inputs + len(cell.nodes)))
    while left:
        ready = [v for v in left if set(cell.nodes[v - graph.n_inputs].inputs) <= set(order)]
        v = int(rng.choice(ready))
        order.append(v)
        left.remove(v)
    place = {v: k for k, v in enumerate(order)}
    nodes = [
        Architecture(op=node.op, inputs=tuple(sorted(place[u] for u in node.inputs)))
        for node in (cell.nodes[v - graph.n_inputs] for v in order[graph.n_inputs :])
    ]
    return Architecture(nodes=tuple(nodes), outputs=tuple(sorted(place[u] for u in cell.outputs)))


# -- Parameters and architectures


def test_parameters_say_what_a_node_takes_and_does() -> None:
    assert list(SPACES["tree"].distributions)[:3] == ["cell_1_op", "cell_2_input", "cell_2_op"]
    darts = SPACES["darts"].distributions
    assert list(darts)[:3] == ["cell_2_edge_0", "cell_2_edge_1", "cell_3_inputs"]
    assert darts["cell_3_inputs"].choices == ("0+1", "0+2", "1+2")  # type: ignore[attr-defined]
    assert [*SPACES["cell"].distributions][:2] == ["cell_1_from_0", "cell_1_op"]
    assert [*SPACES["cell"].distributions][-4:] == [f"cell_output_from_{u}" for u in range(4)]
    assert list(SPACES["edges"].distributions) == [
        f"cell_{v}_from_{u}" for v in (1, 2, 3) for u in range(v)
    ]


def test_an_architecture_is_what_a_network_is_built_from() -> None:
    params: dict[str, Any] = {"cell_1_op": "gcn", "cell_2_input": "0", "cell_2_op": "gat"}
    params |= {"cell_3_input": "1", "cell_3_op": "skip", "cell_4_input": "1", "cell_4_op": "gcn"}
    cell = SPACES["tree"].suggest(FixedTrial(params)).cell
    assert [node.op for node in cell.nodes] == ["gcn", "gat", "skip", "gcn"]
    assert [node.inputs for node in cell.nodes] == [(0,), (0,), (1,), (1,)]
    assert cell.outputs == (2, 3, 4)
    assert SPACES["tree"].draw(SPACES["tree"].suggest(FixedTrial(params))).splitlines() == [
        "cell 1: gcn(0)",
        "cell 2: gat(0)",
        "cell 3: skip(1)",
        "cell 4: gcn(1)",
        "cell output: 2, 3, 4",
    ]


@given(name=NAMES, seed=SEEDS)
@FAST
def test_parameters_and_tokens_are_the_same_architecture(name: str, seed: int) -> None:
    space = SPACES[name]
    tokens = written(name, seed, 20)
    canonical, valid = space.canonicalize(tokens)
    for row, architecture in zip(
        canonical[valid], space.tokens_to_architectures(canonical[valid]), strict=True
    ):
        (params,) = space.tokens_to_params(row[None])
        assert space.architecture_to_params(architecture) == params
        assert space.params_to_architecture(params) == architecture


@given(name=NAMES, seed=SEEDS)
@FAST
def test_canonical_form_is_idempotent(name: str, seed: int) -> None:
    canonical, valid = SPACES[name].canonicalize(written(name, seed, 50))
    again, is_valid = SPACES[name].canonicalize(canonical[valid])
    np.testing.assert_array_equal(again, canonical[valid])
    assert is_valid.all()


@given(name=NAMES, seed=SEEDS)
@FAST
def test_canonical_form_computes_the_same(name: str, seed: int) -> None:
    space = SPACES[name]
    tokens = written(name, seed, 10)
    canonical, valid = space.canonicalize(tokens)
    pairs = zip(
        space.tokens_to_architectures(tokens[valid]),
        space.tokens_to_architectures(canonical[valid]),
        strict=True,
    )
    for before, after in pairs:
        assert evaluate(name, after.cell) == pytest.approx(evaluate(name, before.cell), abs=1e-9)


@given(name=st.sampled_from(["tree", "cell", "large", "leaves"]), seed=SEEDS)
@FAST
def test_the_order_of_nodes_does_not_matter(name: str, seed: int) -> None:
    space = SPACES[name]
    tokens = written(name, seed, 10)
    _, valid = space.canonicalize(tokens)
    for architecture in space.tokens_to_architectures(tokens[valid]):
        cell = reordered(GRAPHS[name], architecture.cell, np.random.default_rng(seed))
        assert space.hash(Architecture(cell=cell)) == space.hash(architecture)


@pytest.mark.parametrize(("nodes", "n_unique"), [(1, 7), (2, 91), (3, 2_532)])
def test_counts_of_nasbench101_are_reproduced(nodes: int, n_unique: int) -> None:
    # 1, 6, 84 and 2,441 unique cells of 2, 3, 4 and 5 vertices (Ying et al., 2019).
    graph = Graph(nodes=nodes, op=CONVOLUTIONS, output="any", max_edges=9)
    assert len(ArchitectureSpace(cell=graph).enumerate_tokens()) == n_unique


def test_graphs_that_are_too_many_to_list_are_told_apart_as_well() -> None:
    graph = GRAPHS["cell"]
    tokens = np.array(list(graph.rows()))
    canonical, valid = graph._sorted(tokens)
    listed, is_valid = graph.canonicalize(tokens)
    np.testing.assert_array_equal(valid, is_valid)
    pairs = np.unique(np.concatenate([canonical, listed], axis=1)[valid], axis=0)
    assert len(pairs) == len(np.unique(canonical[valid], axis=0)) == 2_532


def test_cells_are_those_of_nasbench101() -> None:
    nasbench = NASBench101Space(max_vertices=7)
    specs = nasbench.sample(np.random.default_rng(0), 300)
    hashes: dict[str, str] = {}
    for spec in specs:
        n = len(spec.ops) - 1
        # Vertices that a smaller cell does not have take nothing, and nothing takes them.
        inputs = [tuple(np.flatnonzero(spec.matrix[:v, v]).tolist()) for v in range(1, n)]
        taken = zip(spec.ops[1:], inputs, strict=False)  # without the output's
        nodes = [
            Architecture(op=op.removesuffix("-bn-relu"), inputs=sources) for op, sources in taken
        ]
        nodes += [Architecture(op="conv3x3", inputs=())] * (5 - len(nodes))
        outputs = tuple(np.flatnonzero(spec.matrix[:n, n]).tolist())
        translated = Architecture(cell=Architecture(nodes=tuple(nodes), outputs=outputs))
        ours = SPACES["large"].hash(translated)
        assert hashes.setdefault(ours, nasbench.hash(spec)) == nasbench.hash(spec)
    assert len(hashes) == len({nasbench.hash(spec) for spec in specs})


def test_what_cannot_be_built_is_not_valid() -> None:
    space = SPACES["cell"]
    nothing = {name: False for name in space.distributions if "from" in name}
    params = nothing | {name: "conv3x3" for name in space.distributions if "op" in name[-2:]}
    with pytest.raises(OutOfDomainError, match="No input of `cell` leads to its output"):
        space.params_to_architecture(params)
    _, valid = space.canonicalize(space.params_to_tokens([params]))
    assert not valid.any()


@given(seed=SEEDS)
@FAST
def test_no_more_edges_than_allowed(seed: int) -> None:
    tokens = SPACES["large"].sample_tokens(20, np.random.default_rng(seed))
    for architecture in SPACES["large"].tokens_to_architectures(tokens):
        n = sum(len(node.inputs) for node in architecture.cell.nodes)
        assert n + len(architecture.cell.outputs) <= 9


# -- What follows


@given(name=st.sampled_from(["cell", "large", "wide", "leaves"]), seed=SEEDS)
@FAST
def test_descriptors_are_equal_for_equal_graphs(name: str, seed: int) -> None:
    space = SPACES[name]
    tokens = written(name, seed, 20)
    canonical, valid = space.canonicalize(tokens)
    graph = GRAPHS[name]
    as_written = graph._describe(graph._labels(tokens[valid]))
    np.testing.assert_allclose(space.descriptors(canonical[valid]), as_written, rtol=1e-6)


def test_descriptors_count_operations_and_paths() -> None:
    graph = Graph(nodes=2, op=Choice("a", "b"), output="leaves")
    params = {"cell_1_from_0": True, "cell_1_op": "a"}
    params |= {"cell_2_from_0": True, "cell_2_from_1": True, "cell_2_op": "b"}
    space = ArchitectureSpace(cell=graph)
    (row,) = space.descriptors(space.canonicalize(space.params_to_tokens([params]))[0])
    n_edges, n_outputs, n_nodes, *_ = row
    assert (n_edges, n_outputs, n_nodes) == (3, 1, 2)
    of_identity, of_a, of_b = row[3:6], row[6:9], row[9:12]
    assert list(of_identity) == [0, 0, 0]
    assert list(of_a) == [1, 1, 0]  # one, next to the input, not next to the output
    assert list(of_b) == [1, 1, 1]
    only_a, only_b, both = row[12:15], row[15:18], row[18:21]
    assert only_a[0] == 0
    assert list(only_b) == pytest.approx([math.log(2), 1, 1])
    assert list(both) == pytest.approx([math.log(3), 1, 2])


def test_factors_say_what_nodes_do_and_what_graphs_are_like() -> None:
    space = SPACES["tree"]
    params: dict[str, Any] = {"cell_1_op": "gcn", "cell_2_input": "1", "cell_2_op": "gat"}
    params |= {"cell_3_input": "1", "cell_3_op": "gcn", "cell_4_input": "2", "cell_4_op": "gat"}
    tokens, _ = space.canonicalize(space.params_to_tokens([params]))
    model = space.factor_model
    (values,) = model.measure(tokens)
    words = {f.name: f.describe(v) for f, v in zip(model.factors, values, strict=True)}
    assert words["operation of cell 1"] == "operation of cell 1 is gcn"
    assert words["number of gcn in cell"] == "number of gcn in cell: 2"
    assert words["number of gat in cell"] == "number of gat in cell: 2"
    assert words["number of skip in cell"] == "number of skip in cell: 0"
    assert words["depth in cell"] == "depth in cell: 3"
    assert words["number of nodes in cell"] == "number of nodes in cell: 4"
    assert [factor.name for factor in model.factors if not factor.is_derived] == [
        "operation of cell 1",
        *(f"{what} of cell {v}" for v in (2, 3, 4) for what in ("input", "operation")),
    ]


def test_what_leads_nowhere_has_no_operation() -> None:
    space = SPACES["large"]
    tokens = space.sample_tokens(50, np.random.default_rng(0))
    model = space.factor_model
    names = [factor.name for factor in model.factors]
    values = dict(zip(names, model.measure(tokens).T, strict=True))
    n_with_op = sum(~np.isnan(values[f"operation of cell {v}"]) for v in range(1, 6))
    np.testing.assert_array_equal(n_with_op, values["number of nodes in cell"])
    assert n_with_op.min() < 5


@pytest.mark.parametrize("name", sorted(SPACES))
def test_check_space_finds_nothing(name: str) -> None:
    check_space(SPACES[name])


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_study_keeps_it(name: str) -> None:
    text = space_to_json(SPACES[name])
    assert text is not None
    again = space_from_json(text)
    assert isinstance(again, ArchitectureSpace)
    assert again.declared["cell"] == GRAPHS[name]
    assert again.vocabulary == SPACES[name].vocabulary


@pytest.mark.parametrize("name", sorted(SPACES))
def test_pictures_show_each_operation_that_counts(name: str) -> None:
    space = SPACES[name]
    for architecture in space.sample(np.random.default_rng(0), 20):
        picture = space.picture(architecture)
        svg = draw_architecture(space, architecture)
        assert svg.startswith("<svg")
        text = space.draw(architecture)
        if not picture.arrows:  # a table of what leads nowhere
            assert "nothing" in text
            continue
        assert len({box.key for box in picture.boxes}) == len(picture.boxes)
        shown = [box for box in picture.boxes if box.lines[0] in ("conv3x3", "gcn", "pool")]
        assert len(shown) <= sum(text.count(word) for word in ("conv3x3", "gcn", "pool"))


def test_a_graph_beside_other_parts_is_drawn_below_them() -> None:
    space = ArchitectureSpace(width=Choice(16, 32), cell=GRAPHS["tree"])
    (architecture,) = space.sample(np.random.default_rng(0), 1)
    picture = space.picture(architecture)
    of_table = [box for box in picture.boxes if box.key == "width"]
    of_graph = [box for box in picture.boxes if str(box.key).startswith("cell")]
    assert len(of_table) == 1
    assert all(of_table[0].corners[3] < box.corners[1] for box in of_graph)
    assert max(box.corners[3] for box in of_graph) <= picture.height


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0, "op": CONVOLUTIONS}, "`nodes` must be a positive integer, but got 0"),
        ({"nodes": 2}, "`op` or `edge_op` must be a Choice"),
        ({"nodes": 2, "op": CONVOLUTIONS, "inputs": 0}, "`inputs` must be .* but got 0"),
        ({"nodes": 2, "op": CONVOLUTIONS, "inputs": True}, "`inputs` must be .* but got True"),
        ({"nodes": 2, "op": CONVOLUTIONS, "output": "first"}, "`output` must be .* got 'first'"),
        ({"nodes": 2, "op": CONVOLUTIONS, "identity": "id"}, "`identity` must be one of .* 'id'"),
        ({"nodes": 2, "op": CONVOLUTIONS, "none": "conv3x3"}, "`none` needs `edge_op`"),
        ({"nodes": 2, "op": CONVOLUTIONS, "max_edges": 0}, "`max_edges` must be .* got 0"),
        ({"nodes": 2, "op": CONVOLUTIONS, "n_inputs": True}, "`n_inputs` must be .* got True"),
        ({"nodes": 13, "op": CONVOLUTIONS, "inputs": 2}, "`inputs` must leave .* has 78 of 2"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(**arguments)


def test_a_space_without_valid_graphs_is_no_endless_loop() -> None:
    space = ArchitectureSpace(cell=Graph(nodes=4, op=CONVOLUTIONS, inputs=2, max_edges=3))
    with pytest.raises(ValueError, match="none is valid"):
        space.sample(np.random.default_rng(0), 10)


def test_any_sampler_may_suggest_it() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = SPACES["darts"]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: evaluate("darts", space.suggest(trial).cell), n_trials=20)
    assert all(space.covers(trial.params) for trial in study.trials)
    assert len(list(itertools.chain(study.trials))) == 20
