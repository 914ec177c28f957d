"""What is known of a network, for programs and for people."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from typing import NamedTuple

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import torch

from optuna_dnas.objectives.supernet._training import RetrainedNetwork
from optuna_dnas.objectives.training import Standardisation
from optuna_dnas.search_space import MobileNetSpace


README, CARD, WEIGHTS = "README.md", "card.json", "weights.safetensors"

_HEADER = """\
---
library_name: pytorch
pipeline_tag: image-classification
tags:
- image-classification
- neural-architecture-search
- optuna-dnas
metrics:
- accuracy
---
"""


class _Loader(NamedTuple):
    """Python that loads a network, in parts; between them, the images are prepared."""

    imports: str
    library: str  # Of the images: torch and numpy have what is needed under the same names.
    code: str


_LOADERS = {
    "network.pt2": _Loader(
        "import torch",
        "torch",
        """\
network = torch.export.load("network.pt2").module()
logits = network(images)""",
    ),
    "network.onnx": _Loader(
        "import numpy\nimport onnxruntime",
        "numpy",
        """\
session = onnxruntime.InferenceSession("network.onnx")
(logits,) = session.run(None, {"images": images})""",
    ),
    WEIGHTS: _Loader(
        """\
import json
from safetensors.torch import load_file
import torch
from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.search_space import MobileNetShape, MobileNetSpec""",
        "torch",
        """\
card = json.load(open("card.json"))
shape = MobileNetShape.from_dict(card["shape"])
network = MobileNetwork.build(shape, MobileNetSpec.parse(card["architecture"]))
network.load_state_dict(load_file("weights.safetensors"), assign=True)
logits = network.eval()(images)""",
    ),
}

_UNKNOWN = """\
They must be prepared as those of the training, but **how these were is not known**: it was done
before the training got them. Whoever did it must say. Images that are prepared otherwise get worse
answers, and no error."""


def describe(
    network: RetrainedNetwork, *, program: str, study: optuna.Study | None
) -> dict[str, Any]:
    """The card for programs, of what JSON knows.

    Args:
        network: Trained to its end.
        program: The name of its file.
        study: Where the architecture was found, if anybody knows.

    Raises:
        ValueError: The study knows nothing of the architecture.
    """
    space, standardisation = MobileNetSpace(network.shape), network.standardisation
    return {
        "files": {"program": program, "weights": WEIGHTS},
        "architecture": str(network.spec),
        "architecture_hash": space.hash(network.spec),
        "shape": asdict(network.shape),
        "cost": dict(space.cost(network.spec)),
        "accuracies": {part: a._asdict() for part, a in network.accuracies.items()},
        "standardisation": None if standardisation is None else asdict(standardisation),
        "data_digest": network.data_digest,
        "weights_digest": network.digest(),
        "training": asdict(network.config),
        "study": None if study is None else _describe_study(study, space.hash(network.spec)),
        "torch": torch.__version__,
    }


def write_readme(network: RetrainedNetwork, card: Mapping[str, Any]) -> str:
    """The card for people: Markdown, with front matter."""
    shape, cost, standardisation = network.shape, card["cost"], network.standardisation
    drawing = MobileNetSpace(shape).draw(network.spec)
    size = f"(B, {shape.image_channels}, {shape.image_size}, {shape.image_size})"
    parts = [
        f"{_HEADER}\n# Mobile network {card['architecture_hash'][:8]}",
        f"An image classifier of {shape.n_classes} classes, found by neural architecture search.",
        f"## Architecture\n\n`{card['architecture']}`\n\n```text\n{drawing}\n```",
        f"{cost['flops']:,} multiply-adds an image, {cost['params']:,} trainable parameters.",
        f"## Accuracy\n\n{_accuracies(card['accuracies'])}",
        "The validation images decided which architecture this is; the test images were used "
        "once, after the training.",
        f"## Use\n\n`images` are float32 {size}; the answer is (B, {shape.n_classes}) logits. "
        f"{_preparation(standardisation)}",
        _code(card["files"]["program"], standardisation, size),
        "Or without a program, from the weights alone:",
        _code(WEIGHTS, standardisation, size),
        f"## Training\n\n{_table({'data digest': card['data_digest']} | card['training'])}",
    ]
    if card["study"] is not None:
        parts.append(f"## Search\n\n{_table(card['study'])}")
    return "\n\n".join(parts) + "\n"


def _preparation(standardisation: Standardisation | None) -> str:
    if standardisation is None:
        return _UNKNOWN
    low, high = standardisation.pixel_range
    scale = (
        "Each channel is standardised by the mean and the deviation below, whatever the images. "
        f"Pixels of the training images are from {low:g} to {high:g}, and those of other images "
        "must be of this scale."
    )
    if standardisation.sizing is None:
        return scale
    return f"{scale} All images were {standardisation.sizing}."


def _code(file: str, standardisation: Standardisation | None, size: str) -> str:
    """A block of Python that makes ``logits``, of ``pixels`` if anybody knows how."""
    loader = _LOADERS[file]
    prepare = [] if standardisation is None else _prepare(loader.library, standardisation, size)
    return "\n".join(["```python", loader.imports, "", *prepare, loader.code, "```"])


def _prepare(library: str, standardisation: Standardisation, size: str) -> list[str]:
    low, high = standardisation.pixel_range
    lines = [f"# `pixels` are {library}.float32 {size}, from {low:g} to {high:g}."]
    for name in ("mean", "deviation"):
        values = list(getattr(standardisation, name))
        array = f"{library}.asarray({values}, dtype={library}.float32)"
        lines.append(f"{name} = {array}.reshape(-1, 1, 1)")
    return [*lines, "images = (pixels - mean) / deviation"]


def _describe_study(study: optuna.Study, architecture_hash: str) -> dict[str, Any]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    found = [t for t in trials if t.user_attrs.get("architecture_hash") == architecture_hash]
    if not found:
        raise ValueError(
            f"`study` must have evaluated the architecture, but {study.study_name!r} has no "
            f"complete trial of {architecture_hash}."
        )
    return {
        "study": study.study_name,
        "evaluations": len(trials),
        "trial": found[0].number,
        **_values(study, found[0]),
        "supernet digest": found[0].user_attrs.get("supernet_digest"),
    }


def _values(study: optuna.Study, trial: FrozenTrial) -> dict[str, float]:
    """By name; accuracies are those with inherited weights."""
    names = study.metric_names or [f"value {k}" for k in range(len(trial.values))]
    return {f"{name} in the search": v for name, v in zip(names, trial.values, strict=True)}


def _accuracies(accuracies: Mapping[str, Mapping[str, float]]) -> str:
    rows = ["| images | top-1 | top-5 | cross-entropy |", "| --- | --- | --- | --- |"]
    for part, values in accuracies.items():
        shares = f"{values['top1']:.2%} | {values['top5']:.2%}"
        rows.append(f"| {part} | {shares} | {values['loss']:.4f} |")
    return "\n".join(rows)


def _table(values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join(["| | |", "| --- | --- |", *rows])
