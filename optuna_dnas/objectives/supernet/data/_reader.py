"""Reading images of a dataset, in worker processes or not.

B: images of a batch, C: channels, H and W: pixels.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from collections.abc import Sized
from contextlib import contextmanager
from dataclasses import dataclass
import random
from typing import Any
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset

from optuna_dnas._torch_scope import private_generator
from optuna_dnas._typing import IntArray
from optuna_dnas.objectives.supernet.data._base import Batch


Transform = Callable[[Any], torch.Tensor]
"""Makes (C, H, W) float32 of whatever a dataset calls an image."""

Shape = tuple[int, int, int]


class Key(NamedTuple):
    """Which image, and how it is augmented."""

    row: int
    seed: int


class Example(NamedTuple):
    """An image and its class."""

    image: torch.Tensor  # (C, H, W)
    label: int


@dataclass(frozen=True)
class Unreadable:
    """What comes instead of an image. An exception would reach the user in a worker's traceback.

    Args:
        message: Says which image, and why.
    """

    message: str


class Examples(Dataset[Example | Unreadable]):
    """Images of a dataset as tensors, each read with random generators of its own seed.

    Args:
        dataset: Gives (image, label).
        transform: Of its images.
        shape: (C, H, W) that all must have; `None`: any.
        part: Of the data, for messages.
    """

    def __init__(
        self, dataset: Dataset[Any], transform: Transform, shape: Shape | None, part: str
    ) -> None:
        self._dataset, self._transform = dataset, transform
        self._shape, self._part = shape, part

    def __getitem__(self, key: Key) -> Example | Unreadable:
        try:
            with _seeded(key.seed):
                image, label = self._dataset[key.row]
                image = self._transform(image)
            return Example(self._checked(image), int(label))
        except Exception as error:  # Readers of images raise all kinds.
            reason = f"{type(error).__name__}: {error}"
            return Unreadable(f"{self._name(key.row)} cannot be read: {reason}")

    def _checked(self, image: Any) -> torch.Tensor:
        if not isinstance(image, torch.Tensor) or image.ndim != 3:
            is_tensor = isinstance(image, torch.Tensor)
            got = tuple(image.shape) if is_tensor else type(image).__name__
            raise TypeError(f"it must become a tensor (C, H, W), but got {got}")
        if self._shape is not None and tuple(image.shape) != self._shape:
            raise ValueError(f"it must be of shape {self._shape}, but got {tuple(image.shape)}")
        return image.to(torch.float32)

    def _name(self, index: int) -> str:
        samples = getattr(self._dataset, "samples", None)  # As torchvision's ImageFolder has it.
        return f"Image {index} of `{self._part}`" if samples is None else str(samples[index][0])


def as_tensor(image: Any) -> torch.Tensor:
    """(H, W) or (C, H, W), array or tensor -> (C, H, W) float32."""
    is_tensor = isinstance(image, torch.Tensor)
    tensor = image if is_tensor else torch.from_numpy(np.array(image))
    return (tensor[None] if tensor.ndim == 2 else tensor).to(torch.float32)


def load(
    examples: Examples,
    batches: Iterable[list[Key]],
    *,
    n_workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """The images of each batch, on the device.

    Raises:
        OSError: A worker has died.
        ValueError: An image cannot be read.
    """
    loader = DataLoader(
        examples,
        batch_sampler=batches,
        num_workers=n_workers,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
        generator=private_generator(0),  # Else it draws from the global one.
    )
    for batch in _alive(iter(loader)):
        if isinstance(batch, Unreadable):
            raise ValueError(batch.message)
        images, labels = batch
        yield Batch(images.to(device, non_blocking=True), labels.to(device, non_blocking=True))


def read_labels(part: str, dataset: Dataset[Any]) -> IntArray:
    """(N,) labels of a dataset.

    Raises:
        ValueError: It is empty or has no length, or its labels are not integers.
    """
    if not isinstance(dataset, Sized):
        raise ValueError(f"`{part}` must have a length, but got {type(dataset).__name__}.")
    n = len(dataset)
    if n == 0:
        raise ValueError(f"`{part}` is empty.")
    labels = getattr(dataset, "targets", None)
    if labels is None:
        labels = [_label(part, dataset, index) for index in range(n)]
    array = np.asarray(labels)
    if array.shape != (n,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"`{part}` must have {n} integer labels, but got {array.dtype} of shape {array.shape}."
        )
    return array.astype(np.int64)


def file_names(dataset: Dataset[Any]) -> list[str]:
    """Relative to the dataset's folder; none where it is not of files."""
    root = str(getattr(dataset, "root", ""))
    return [str(path).removeprefix(root) for path, *_ in getattr(dataset, "samples", [])]


def _label(part: str, dataset: Dataset[Any], index: int) -> int:
    try:
        _, label = dataset[index]
        return int(label)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{part}` must give an image and a label, but example {index} does not: {error}"
        ) from error


def _collate(examples: Sequence[Example | Unreadable]) -> Batch | Unreadable:
    read = []
    for example in examples:
        if isinstance(example, Unreadable):
            return example
        read.append(example)
    images, labels = zip(*read, strict=True)
    return Batch(torch.stack(images), torch.tensor(labels, dtype=torch.int64))


def _alive(batches: Iterator[Any]) -> Iterator[Any]:
    """The batches, as long as the workers that read them live."""
    while True:
        try:
            batch = next(batches, None)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise OSError(
                f"A process that reads images has died: {error} Fewer of them (`n_workers`) need "
                "less memory."
            ) from error
        if batch is None:
            return
        yield batch


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """All that a transform may draw from, as if it had just been seeded; afterwards as before."""
    of_numpy = np.random.mtrand._rand  # The global one, which transforms draw from.
    states = random.getstate(), of_numpy.get_state(), torch.get_rng_state()
    random.seed(seed)
    of_numpy.seed(seed % 2**32)
    # Not `torch.manual_seed`, which seeds the generators of other devices as well.
    torch.default_generator.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        random.setstate(states[0])
        of_numpy.set_state(states[1])
        torch.set_rng_state(states[2])
