"""One file that holds a training: tensors, and what they are of as JSON.

It is replaced as a whole: a kill or a full disk leaves the one before. Nothing is pickled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import glob
import json
import os
from pathlib import Path
from typing import Any
import uuid

from safetensors import safe_open
from safetensors import SafetensorError
from safetensors.torch import save
import torch

from optuna_dnas.exceptions import CorruptFileError


_FORMAT = "optuna-dnas 1"
_KEY = "optuna-dnas"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a file holds.

    Args:
        kind: ``"supernet"`` or ``"network"``.
        state: For JSON.
        tensors: By name, on the CPU.
    """

    kind: str
    state: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    def save(self, path: Path) -> None:
        """Write the file, all or nothing.

        Raises:
            OSError: It cannot be written; what there was before is still there.
        """
        header = {"format": _FORMAT, "kind": self.kind, "state": self.state}
        content = save(self._contiguous(), metadata={_KEY: json.dumps(header)})
        for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            left_over.unlink(missing_ok=True)  # of a process that was killed while it wrote
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            before = "; the checkpoint before it is kept" if path.exists() else ""
            reason = f"{error.strerror or error}: the checkpoint cannot be written{before}"
            raise OSError(error.errno, reason, str(path)) from None
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, kind: str) -> "Checkpoint":
        """Read a file.

        Raises:
            CorruptFileError: It is no checkpoint of this kind.
            OSError: It cannot be read.
        """
        if not path.is_file():
            raise FileNotFoundError(f"There is no checkpoint {path}.")
        try:
            with safe_open(str(path), "pt") as file:
                header = json.loads((file.metadata() or {}).get(_KEY, "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, ValueError) as error:
            raise CorruptFileError(f"{path} is no checkpoint: {error}.") from None
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise CorruptFileError(f"{path} is no checkpoint of optuna-dnas.")
        if header["kind"] != kind:
            raise CorruptFileError(f"{path} is a checkpoint of a {header['kind']}, not a {kind}.")
        return cls(kind, header["state"], tensors)

    def part(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors of one part by their names within it."""
        start = f"{prefix}."
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }

    def _contiguous(self) -> dict[str, torch.Tensor]:
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse of :meth:`Checkpoint.part`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
