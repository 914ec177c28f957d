"""One file that holds a training: tensors, and what they are of as JSON.

It is replaced as a whole: a kill or a full disk leaves the one before. Nothing is pickled, and a
byte that is not what was written is found: the file is one of safetensors, with a checksum of all
of it in its metadata.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import glob
import json
import os
from pathlib import Path
from typing import Any
import uuid

from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save
import torch

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.objectives._checksum import CHECKSUM
from optuna_dnas.objectives._checksum import is_intact
from optuna_dnas.objectives._checksum import seal
from optuna_dnas.objectives._checksum import UNSEALED
from optuna_dnas.objectives.training import is_lack_of_memory


_FORMAT = "optuna-dnas 2"
_KEY = "optuna-dnas"
# Before checksums.
_FORMER_FORMAT = "optuna-dnas 1"
# A file of safetensors begins with the length of its header, which is JSON.
_N_LENGTH_BYTES = 8
# What Python raises of values that are missing, or of another type or size, than is expected.
_WRONG_VALUES = (AttributeError, KeyError, IndexError, OverflowError, RuntimeError, TypeError)


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
        metadata = {CHECKSUM: UNSEALED, _KEY: json.dumps(header)}
        content = seal(save(self._contiguous(), metadata=metadata))
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
            CorruptFileError: It is no checkpoint of this kind and version, or damaged.
            OSError: It cannot be read.
        """
        if not path.is_file():
            raise FileNotFoundError(f"There is no checkpoint {path}.")
        content = path.read_bytes()
        header = _read_header(content)
        if header.get("format") == _FORMER_FORMAT:
            raise CorruptFileError(
                f"{path} is no checkpoint of this version: it is of an earlier one, which kept no "
                "checksum. Train again, into another file."
            )
        if header.get("format") != _FORMAT:
            raise CorruptFileError(f"{path} is no checkpoint of optuna-dnas, or damaged.")
        if not is_intact(content):
            raise CorruptFileError(
                f"{path} is no checkpoint as it was written: its checksum is another one. It is "
                "damaged, or has been edited."
            )
        with values_read(path):
            found, state = header["kind"], dict(header["state"])
            tensors = load(content)
        if found != kind:
            raise CorruptFileError(f"{path} is a checkpoint of a {found}, not a {kind}.")
        return cls(kind, state, tensors)

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


@contextmanager
def values_read(path: Path) -> Iterator[None]:
    """Read the values of a checkpoint; what is wrong with them is wrong with the file.

    Raises:
        CorruptFileError: Values are missing, or not what they should be.
    """
    try:
        yield
    except CorruptFileError:
        raise
    except (*_WRONG_VALUES, SafetensorError, ValueError) as error:
        if is_lack_of_memory(error):
            raise
        what = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise CorruptFileError(f"{path} is no checkpoint of this version: {what}.") from error


def _read_header(content: bytes) -> dict[str, Any]:
    """Ours, of the metadata; empty if there is none that can be read."""
    n_bytes = int.from_bytes(content[:_N_LENGTH_BYTES], "little")
    try:
        metadata = json.loads(content[_N_LENGTH_BYTES:][:n_bytes])["__metadata__"]
        header = json.loads(metadata[_KEY])
    except (*_WRONG_VALUES, RecursionError, ValueError):
        return {}
    return header if isinstance(header, dict) else {}
