"""The picture of a mobile network: a row of blocks for each stage, from the image downwards."""

from collections.abc import Iterator

from optuna_dnas.search_space._mobilenet_shape import MobileNetShape
from optuna_dnas.search_space._mobilenet_spec import MBConv
from optuna_dnas.search_space._mobilenet_spec import MobileNetSpec
from optuna_dnas.search_space._picture import Box
from optuna_dnas.search_space._picture import PADDING
from optuna_dnas.search_space._picture import Picture


_LABEL_WIDTH, _BLOCK_WIDTH, _BLOCK_HEIGHT = 104.0, 46.0, 30.0
_GAP = 6.0

Block = tuple[int, MBConv]
"""A layer that is not skipped, and its number."""


def draw_network(spec: MobileNetSpec, shape: MobileNetShape) -> Picture:
    """A box's key is the number of its layer. Kernel sizes have their colours."""
    boxes: list[Box] = []
    top, width = PADDING, 0.0
    for label, title, blocks in _rows(spec, shape):
        y = top + _BLOCK_HEIGHT / 2
        x = PADDING + _LABEL_WIDTH / 2
        boxes.append(Box(None, (x, y), _LABEL_WIDTH, _BLOCK_HEIGHT, label, 0, title))
        left = PADDING + _LABEL_WIDTH + _GAP
        for k, choice in blocks:
            boxes.append(_block(k, choice, shape, (left + _BLOCK_WIDTH / 2, y)))
            left += _BLOCK_WIDTH + _GAP
        width = max(width, left)
        top += _BLOCK_HEIGHT + _GAP
    return Picture(width - _GAP + PADDING, top - _GAP + PADDING, tuple(boxes))


def describe_network(spec: MobileNetSpec, shape: MobileNetShape) -> str:
    """A line for each stage: output, and layers that are not skipped."""
    lines = []
    for label, _, blocks in _rows(spec, shape):
        layers = "  ".join(str(choice) for _, choice in blocks)
        lines.append(f"{', '.join(label):<26}{layers}".rstrip())
    return "\n".join(lines)


def _rows(
    spec: MobileNetSpec, shape: MobileNetShape
) -> Iterator[tuple[tuple[str, ...], str, list[Block]]]:
    """Text, the whole story and blocks, from the image to the classes."""
    first = shape.first_layer
    yield _label("stem", first.out_channels, first.out_size), "stem and fixed first layer", []
    for stage in range(len(shape.stages)):
        ks = [k for k, layer in enumerate(shape.layers) if layer.stage == stage]
        blocks = [(k, choice) for k in ks if (choice := spec.layers[k]) is not None]
        last = shape.layers[ks[-1]]
        title = f"stage {stage + 1}: {len(blocks)} of at most {len(ks)} layers"
        yield _label(f"stage {stage + 1}", last.out_channels, last.out_size), title, blocks
    size = shape.layers[-1].out_size
    yield _label("head", shape.head_width, size), f"head, {shape.n_classes} classes", []


def _label(name: str, channels: int, size: int) -> tuple[str, str]:
    return name, f"{channels} @ {size}×{size}"


def _block(k: int, choice: MBConv, shape: MobileNetShape, centre: tuple[float, float]) -> Box:
    lines = (f"{choice.kernel}×{choice.kernel}", f"e{choice.expansion}")
    title = f"layer {k}: kernel {choice.kernel}, expansion {choice.expansion}"
    tone = 1 + shape.kernels.index(choice.kernel)
    return Box(k, centre, _BLOCK_WIDTH, _BLOCK_HEIGHT, lines, tone, title)
