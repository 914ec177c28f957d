"""What is known of a network, for programs and for people."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import torch

from optuna_dnas.objectives.supernet._training import RetrainedNetwork
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

_LOADERS = {
    "network.pt2": """\
import torch

network = torch.export.load("network.pt2").module()
logits = network(images)
""",
    "network.onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession("network.onnx")
(logits,) = session.run(None, {"images": images})
""",
}

_WEIGHTS_LOADER = """\
import json
from safetensors.torch import load_file
from optuna_dnas.objectives.supernet import MobileNetwork
from optuna_dnas.search_space import MobileNetShape, MobileNetSpec

card = json.load(open("card.json"))
shape = MobileNetShape.from_dict(card["shape"])
network = MobileNetwork.build(shape, MobileNetSpec.parse(card["architecture"]))
network.load_state_dict(load_file("weights.safetensors"), assign=True)
logits = network.eval()(images)
"""


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
    space = MobileNetSpace(network.shape)
    return {
        "files": {"program": program, "weights": WEIGHTS},
        "architecture": str(network.spec),
        "architecture_hash": space.hash(network.spec),
        "shape": asdict(network.shape),
        "cost": asdict(space.cost(network.spec)),
        "accuracies": {part: a._asdict() for part, a in network.accuracies.items()},
        "data_digest": network.data_digest,
        "weights_digest": network.digest(),
        "training": asdict(network.config),
        "study": None if study is None else _describe_study(study, space.hash(network.spec)),
        "torch": torch.__version__,
    }


def write_readme(network: RetrainedNetwork, card: Mapping[str, Any]) -> str:
    """The card for people: Markdown, with front matter."""
    shape, cost = network.shape, card["cost"]
    drawing = MobileNetSpace(shape).draw(network.spec)
    images = f"(B, {shape.image_channels}, {shape.image_size}, {shape.image_size})"
    parts = [
        f"{_HEADER}\n# Mobile network {card['architecture_hash'][:8]}",
        f"An image classifier of {shape.n_classes} classes, found by neural architecture search.",
        f"## Architecture\n\n`{card['architecture']}`\n\n```text\n{drawing}\n```",
        f"{cost['flops']:,} multiply-adds an image, {cost['params']:,} trainable parameters.",
        f"## Accuracy\n\n{_accuracies(card['accuracies'])}",
        "The validation images decided which architecture this is; the test images were used "
        "once, after the training.",
        f"## Use\n\n`images` are float32 {images}, standardised as those of the training; the "
        f"answer is (B, {shape.n_classes}) logits.",
        f"```python\n{_LOADERS[card['files']['program']]}```",
        f"Or without a program, from the weights alone:\n\n```python\n{_WEIGHTS_LOADER}```",
        f"## Training\n\n{_table({'data digest': card['data_digest']} | card['training'])}",
    ]
    if card["study"] is not None:
        parts.append(f"## Search\n\n{_table(card['study'])}")
    return "\n\n".join(parts) + "\n"


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
