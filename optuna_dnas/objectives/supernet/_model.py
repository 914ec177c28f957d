"""Our own supernet as a model to be searched."""

from copy import deepcopy

import torch

from optuna_dnas._checks import check_positive
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas.objectives.supernet._evaluation import calibrate
from optuna_dnas.objectives.supernet._evaluation import evaluate
from optuna_dnas.objectives.supernet._network import MobileNetwork
from optuna_dnas.objectives.supernet._training import TrainedSupernet
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.training import memory_layout
from optuna_dnas.objectives.training import run_on_device
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


class MobileSupernet:
    """Subnets of a trained supernet: a `WeightSharingModel`.

    A subnet is evaluated on the validation images, with statistics of batch normalisation of its
    own: those of training images. What it gives does not depend on what was evaluated before.

    Args:
        trained: The supernet.
        data: What it was trained on.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``.
        n_threads: CPU threads.
        batch_size: Images of a forward pass.
        n_calibration_images: Training images for the statistics, at most.
        n_validation_images: Validation images, at most; `None`: all.

    Raises:
        ValueError: An argument is not what it should be; the message names it.
    """

    def __init__(
        self,
        trained: TrainedSupernet,
        data: ImageData,
        *,
        device: str = "cpu",
        n_threads: int = 1,
        batch_size: int = 256,
        n_calibration_images: int = 1_024,
        n_validation_images: int | None = None,
    ) -> None:
        if data.digest() != trained.data_digest:
            raise ValueError(
                "`data` must be the images that the supernet was trained on, in the same parts: "
                f"it has the digest {data.digest()}, not {trained.data_digest}."
            )
        self._batch_size = batch_size
        self._n_calibration_images = n_calibration_images
        self._n_validation_images = n_validation_images
        check_positive(self, "_batch_size", "_n_calibration_images")
        self._network = trained.network.to(resolve_device(device))
        self._device, self._n_threads = device, n_threads
        self._data, self._space = data, MobileNetSpace(trained.shape)
        settings = (batch_size, n_calibration_images, n_validation_images)
        self._digest = f"{trained.digest()} {data.digest()} {settings}"
        self._active: MobileNetSpec | None = None

    @property
    def space(self) -> MobileNetSpace:
        """The architectures of the supernet's shape."""
        return self._space

    def activate(self, architecture: MobileNetSpec) -> None:
        """Make this the subnet that the other methods are about.

        Raises:
            OutOfDomainError: It is not of the space.
        """
        self._space.shape.check(architecture)
        self._active = self._space.canonical(architecture)

    def cost(self) -> Cost:
        """Of the active subnet, exactly."""
        return self._space.cost(self._active_spec)

    def evaluate(self) -> dict[str, float]:
        """``validation_accuracy`` of the active subnet.

        Raises:
            InsufficientMemoryError: The device has not enough memory.
        """

        def run(device: torch.device) -> float:
            network = self._calibrated(device)
            batches = self._data.batches(
                "validation",
                batch_size=self._batch_size,
                device=device,
                n_images=self._n_validation_images,
            )
            return evaluate(network, batches).top1

        what = "The evaluation of a subnet"
        accuracy = run_on_device(run, what, device=self._device, n_threads=self._n_threads)
        return {"validation_accuracy": accuracy}

    def digest(self) -> str:
        """Equal only for equal weights, data, and way to evaluate."""
        return self._digest

    @property
    def _active_spec(self) -> MobileNetSpec:
        if self._active is None:
            raise RuntimeError("No subnet is active: call activate() first.")
        return self._active

    def _calibrated(self, device: torch.device) -> MobileNetwork:
        """A copy: other subnets need other statistics."""
        network = deepcopy(self._network.subnet(self._active_spec))
        network.to(memory_format=memory_layout(device))  # type: ignore[call-overload]
        images = self._data.batches(
            "train",
            batch_size=self._batch_size,
            device=device,
            n_images=self._n_calibration_images,
        )
        calibrate(network, images)
        return network
