"""Where the vertices of a cell are drawn, and where its edges run."""

import itertools

import numpy as np
from optuna.distributions import FloatDistribution
import pytest

from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space
from optuna_dnas.search_space import Picture
from optuna_dnas.search_space._picture import Box


SMALL, LARGE = NASBench101Space(max_vertices=5), NASBench101Space()


def trace(points: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Points along cubic Bézier curves."""
    t = np.linspace(0.0, 1.0, 25)[:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    curves = [np.array(points[k : k + 4]) for k in range(0, len(points) - 1, 3)]
    return np.concatenate([weights @ curve for curve in curves])


def overlap(a: Box, b: Box) -> bool:
    (left, top, right, bottom), other = a.corners, b.corners
    return left < other[2] and other[0] < right and top < other[3] and other[1] < bottom


def check_picture(picture: Picture, spec: ModelSpec) -> None:
    assert {arrow.key for arrow in picture.arrows} == set(map(tuple, np.argwhere(spec.matrix)))
    assert [box.key for box in picture.boxes] == list(range(len(spec.ops)))
    for a, b in itertools.combinations(picture.boxes, 2):
        assert not overlap(a, b)
    for box in picture.boxes:
        left, top, right, bottom = box.corners
        assert 0 <= left < right <= picture.width
        assert 0 <= top < bottom <= picture.height
    for arrow in picture.arrows:
        x, y = trace(arrow.points).T
        assert (np.diff(y) > -1e-9).all(), "edges run downwards"
        assert 0 <= x.min() <= x.max() <= picture.width
        for box in picture.boxes:
            left, top, right, bottom = box.corners
            inside = (left < x) & (x < right) & (top + 1e-6 < y) & (y < bottom - 1e-6)
            assert not inside.any(), f"{arrow.key} passes through {box.key} of {spec}"


@pytest.mark.slow
def test_no_edge_of_a_small_cell_passes_through_a_vertex() -> None:
    for spec in SMALL.tokens_to_architectures(SMALL.enumerate_tokens()):
        check_picture(SMALL.picture(spec), spec)


@pytest.mark.parametrize("space", [SMALL, LARGE], ids=["5 vertices", "7 vertices"])
def test_no_edge_passes_through_a_vertex(space: NASBench101Space) -> None:
    for spec in space.sample(np.random.default_rng(0), 100):
        check_picture(space.picture(spec), space.canonical(spec))


def test_edges_begin_and_end_at_their_vertices() -> None:
    for spec in LARGE.sample(np.random.default_rng(1), 20):
        picture = LARGE.picture(spec)
        for arrow in picture.arrows:
            assert isinstance(arrow.key, tuple)
            source, target = (picture.boxes[v].corners for v in arrow.key)
            assert arrow.points[0][1] == source[3]
            assert source[0] < arrow.points[0][0] < source[2]
            assert target[1] - 10 < arrow.points[-1][1] < target[1]
            assert target[0] < arrow.points[-1][0] < target[2]


def test_edges_of_one_cell_hardly_cross() -> None:
    """Most cells of NASBench-101 can be drawn without a crossing, and are."""
    n_crossings = 0
    for spec in LARGE.sample(np.random.default_rng(2), 50):
        curves = [trace(arrow.points) for arrow in LARGE.picture(spec).arrows]
        for a, b in itertools.combinations(curves, 2):
            heights = np.linspace(max(a[0, 1], b[0, 1]), min(a[-1, 1], b[-1, 1]), 200)
            if heights[0] < heights[-1]:
                side = np.interp(heights, a[:, 1], a[:, 0]) - np.interp(heights, b[:, 1], b[:, 0])
                n_crossings += bool(side.min() < -0.5 and side.max() > 0.5)
    assert n_crossings <= 5


def test_equivalent_cells_look_alike() -> None:
    rows = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    one = ModelSpec(rows, ["input", "conv3x3-bn-relu", "maxpool3x3", "output"])
    other = ModelSpec(rows, ["input", "maxpool3x3", "conv3x3-bn-relu", "output"])
    assert one != other
    assert SMALL.picture(one) == SMALL.picture(other)


def test_layers_are_longest_paths() -> None:
    """input -> 1 -> 2 -> output, and a skip from the input: one vertex a layer."""
    matrix = [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    picture = SMALL.picture(
        ModelSpec(matrix, ["input", "conv1x1-bn-relu", "maxpool3x3", "output"])
    )
    heights = [box.centre[1] for box in picture.boxes]
    assert heights == sorted(set(heights))
    assert [box.lines for box in picture.boxes] == [
        ("input",),
        ("conv 1×1",),
        ("max-pool 3×3",),
        ("output",),
    ]


def test_ops_have_a_tone_each() -> None:
    matrix = np.triu(np.ones((5, 5), dtype=int), 1)
    matrix[0, 4] = 0
    ops = ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]
    picture = SMALL.picture(ModelSpec(matrix, ["input", *ops, "output"]))
    assert sorted(box.tone for box in picture.boxes) == [0, 0, 1, 2, 3]


def test_a_table_has_two_boxes_a_parameter() -> None:
    space = FlatSpace({"rate": FloatDistribution(0, 1), "a" * 40: FloatDistribution(0, 1)})
    picture = space.picture({"rate": 0.123456, "a" * 40: 0.5})
    assert [box.key for box in picture.boxes] == [None, "rate", None, "a" * 40]
    assert picture.boxes[1].lines == ("0.1235",)
    assert picture.boxes[1].title == "rate: 0.123456"
    assert len(picture.boxes[2].lines[0]) < 40
    for a, b in itertools.combinations(picture.boxes, 2):
        assert not overlap(a, b)


def test_an_empty_table_has_no_rows() -> None:
    space = FlatSpace({"rate": FloatDistribution(0, 1)})
    assert space.picture({}).boxes == ()
