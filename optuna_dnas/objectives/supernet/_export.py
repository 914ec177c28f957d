"""Networks for use elsewhere: a program, the plain weights, and a model card.

B: batch, C: channels, H and W: pixels, K: classes.
"""

from collections.abc import Callable
import importlib.util
import io
import json
import os
from pathlib import Path
import shutil
from typing import Any

import optuna
from safetensors.torch import save
import torch

from optuna_dnas._torch_scope import torch_scope
from optuna_dnas.objectives.supernet._card import CARD
from optuna_dnas.objectives.supernet._card import describe
from optuna_dnas.objectives.supernet._card import README
from optuna_dnas.objectives.supernet._card import WEIGHTS
from optuna_dnas.objectives.supernet._card import write_readme
from optuna_dnas.objectives.supernet._network import MobileNetwork
from optuna_dnas.objectives.supernet._training import RetrainedNetwork


# One image would make a program that takes no more.
_N_EXAMPLES = 2
# Within the folder, so that whoever may write there needs no more; it is there until all is.
_UNFINISHED = ".unfinished-export"


def export_network(
    network: RetrainedNetwork,
    directory: str | Path,
    *,
    format: str = "torch",
    study: optuna.Study | None = None,
) -> None:
    """Write a network, its weights alone, and what is known of it.

    ``network.pt2`` is a program of `torch.export`, ``network.onnx`` one of ONNX; both take any
    number of images. ``weights.safetensors`` needs no program, ``card.json`` is for programs, and
    ``README.md`` tells people what it is and how to load it. All are there or none is; what an
    export that was killed has left is replaced.

    Args:
        network: Trained to its end.
        directory: To be made.
        format: ``"torch"`` or ``"onnx"``.
        study: Where the architecture was found, for the card.

    Raises:
        FileExistsError: The directory holds something.
        ImportError: A package that ONNX needs is not installed.
        OSError: A file cannot be written; nothing is left of the others.
        ValueError: An argument is not what it should be; the message names it.
    """
    if format not in _WRITERS:
        raise ValueError(f"`format` must be of {tuple(_WRITERS)}, but got {format!r}.")
    if not network.accuracies:
        raise ValueError(
            f"`network` must be trained to its end, but got {network.epoch} of "
            f"{network.config.epochs} epochs."
        )
    if format == "onnx":
        _check_onnx()
    directory = Path(directory)
    _check_free(directory)
    name, write_program = _WRITERS[format]
    card = describe(network, program=name, study=study)
    with torch_scope(grad=False):
        program = _trace(network)

    def write(folder: Path) -> None:
        write_program(program, folder / name)
        (folder / WEIGHTS).write_bytes(save(_weights(network.network)))
        (folder / CARD).write_bytes((json.dumps(card, indent=2) + "\n").encode())
        (folder / README).write_bytes(write_readme(network, card).encode())

    _fill(directory, write)


def _check_free(directory: Path) -> None:
    if not directory.exists() or (directory / _UNFINISHED).is_dir():
        return
    if any(directory.iterdir()):
        raise FileExistsError(f"`directory` must be new or empty, but {directory} is not.")


def _fill(directory: Path, write: Callable[[Path], None]) -> None:
    """All that ``write`` makes in a folder, or nothing."""
    new = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    unfinished = directory / _UNFINISHED
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if unfinished.exists():
            _discard(directory)
        unfinished.mkdir()
        write(unfinished)
        for path in unfinished.iterdir():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
            path.replace(directory / path.name)
        unfinished.rmdir()
    except BaseException as error:
        _discard(directory)
        for folder in new:  # the innermost first
            if folder.exists():
                folder.rmdir()
        if isinstance(error, OSError):
            reason = f"{error.strerror or error}: the network cannot be written"
            raise OSError(error.errno, reason, str(directory)) from error
        raise


def _discard(directory: Path) -> None:
    """What an export that has not ended has made, in a folder that was empty."""
    shutil.rmtree(directory / _UNFINISHED, ignore_errors=True)
    for name in (*(program for program, _ in _WRITERS.values()), WEIGHTS, CARD, README):
        (directory / name).unlink(missing_ok=True)


def _check_onnx() -> None:
    missing = [name for name in ("onnx", "onnxscript") if not importlib.util.find_spec(name)]
    if missing:
        raise ImportError(f"ONNX needs {' and '.join(missing)}: pip install 'optuna-dnas[onnx]'.")


def _trace(network: RetrainedNetwork) -> torch.export.ExportedProgram:
    size, channels = network.shape.image_size, network.shape.image_channels
    images = torch.zeros((_N_EXAMPLES, channels, size, size), dtype=torch.float32)
    program = torch.export.export(
        network.network.eval(),
        (images,),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        strict=False,
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # It names folders of this machine.
    return program


def _write_torch(program: torch.export.ExportedProgram, path: Path) -> None:
    # Not to the file: where it cannot be written, PyTorch's own writer ends the process.
    content = io.BytesIO()
    torch.export.save(program, content)
    path.write_bytes(content.getbuffer())


def _write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    exported: Any = torch.onnx.export(
        program, dynamo=True, input_names=["images"], output_names=["logits"], verbose=False
    )
    exported.save(path)


def _weights(network: MobileNetwork) -> dict[str, torch.Tensor]:
    return {name: tensor.contiguous() for name, tensor in network.state_dict().items()}


_WRITERS: dict[str, tuple[str, Callable[[torch.export.ExportedProgram, Path], None]]] = {
    "torch": ("network.pt2", _write_torch),
    "onnx": ("network.onnx", _write_onnx),
}
