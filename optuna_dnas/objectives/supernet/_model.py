"""Our own supernet as a model to be searched."""

from copy import deepcopy
from functools import partial
import hashlib

import torch

from optuna_dnas._checks import check_positive
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas.objectives.supernet._evaluation import calibrate
from optuna_dnas.objectives.supernet._evaluation import evaluate
from optuna_dnas.objectives.supernet._network import initialise
from optuna_dnas.objectives.supernet._network import MobileNetwork
from optuna_dnas.objectives.supernet._training import TrainedSupernet
from optuna_dnas.objectives.supernet.data import Batch
from optuna_dnas.objectives.supernet.data import ImageData
from optuna_dnas.objectives.training import cudnn_settings
from optuna_dnas.objectives.training import LatencyConfig
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.objectives.training import memory_layout
from optuna_dnas.objectives.training import precision_text
from optuna_dnas.objectives.training import resolve_precision
from optuna_dnas.objectives.training import run_on_device
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec


class MobileSupernet:
    """Subnets of a trained supernet: a `WeightSharingModel`.

    A subnet is evaluated on validation images, with statistics of batch normalisation of its own:
    those of training images. What it gives does not depend on what was evaluated before.

    Args:
        trained: The supernet; it is left as it is.
        data: What it was trained on.
        device: ``"cpu"``, ``"mps"``, or ``"cuda"``. Images are read once, and stay there: 0.6 MB
            for each of 3 x 224 x 224.
        n_threads: CPU threads.
        batch_size: Images of a forward pass.
        n_calibration_images: Training images for the statistics, at most: as many as fill
            batches.
        n_validation_images: Validation images, at most; `None`: all.
        precision: As in `SupernetConfig`; `None`: as the supernet was trained.

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
        n_validation_images: int | None = 10_000,
        precision: str | None = None,
    ) -> None:
        if data.digest() != trained.data_digest:
            raise ValueError(
                "`data` must be the images that the supernet was trained on, in the same parts: "
                f"it has the digest {data.digest()}, not {trained.data_digest}."
            )
        self.batch_size = batch_size
        self.n_calibration_images = n_calibration_images
        self.n_validation_images = n_validation_images
        check_positive(self, "batch_size", "n_calibration_images")
        if n_validation_images is not None:
            check_positive(self, "n_validation_images")
        self.precision = trained.config.precision if precision is None else precision
        # A study should not begin with what cannot work.
        resolve_precision(self.precision, resolve_device(device))
        self._supernet, self._space = trained.network, MobileNetSpace(trained.shape)
        self._data, self._device, self._n_threads = data, device, n_threads
        settings = (batch_size, n_calibration_images, n_validation_images)
        self._digest_text = f"{trained.digest()} {data.digest()} {settings}"
        self._batches: dict[str, list[Batch]] = {}
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
            DivergedError: A logit is infinite or NaN.
            InsufficientMemoryError: The device has not enough memory.
        """

        def run(device: torch.device) -> float:
            with cudnn_settings(device, deterministic=True):
                network = self._calibrated(device)
                images = self._images("validation", device)
                return evaluate(network, images, precision=self.precision).top1

        what = "The evaluation of a subnet"
        accuracy = run_on_device(run, what, device=self._device, n_threads=self._n_threads)
        return {"validation_accuracy": accuracy}

    def latency_meter(self, config: LatencyConfig | None = None) -> LatencyMeter[MobileNetSpec]:
        """Measures the network of an architecture on the device that it is evaluated on."""
        shape = self._space.shape
        return LatencyMeter(
            build=partial(_build_network, shape=shape),
            image_shape=(shape.image_channels, shape.image_size, shape.image_size),
            config=config or LatencyConfig(),
            device=self._device,
            n_threads=self._n_threads,
        )

    def digest(self) -> str:
        """Equal only for equal weights, data, and way to evaluate."""
        text = self._digest_text + precision_text(self.precision, self._device)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def _active_spec(self) -> MobileNetSpec:
        if self._active is None:
            raise RuntimeError("No subnet is active: call activate() first.")
        return self._active

    def _calibrated(self, device: torch.device) -> MobileNetwork:
        """A copy, since other subnets need other statistics."""
        network = deepcopy(self._supernet.subnet(self._active_spec)).to(device)
        network.to(memory_format=memory_layout(device))  # type: ignore[call-overload]
        calibrate(network, self._images("train", device), precision=self.precision)
        return network

    def _images(self, part: str, device: torch.device) -> list[Batch]:
        if part not in self._batches:
            n_images, batch_size = self._sizes(part)
            batches = self._data.batches(
                part, batch_size=batch_size, device=device, n_images=n_images
            )
            layout = memory_layout(device)
            self._batches[part] = [
                Batch(images.contiguous(memory_format=layout), labels)
                for images, labels in batches
            ]
        return self._batches[part]

    def _sizes(self, part: str) -> tuple[int | None, int]:
        """Images in all, and of a batch; in calibration, each batch has the same weight."""
        if part == "validation":
            return self.n_validation_images, self.batch_size
        n_images = min(self.n_calibration_images, self._data.n_images(part))
        batch_size = min(self.batch_size, n_images)
        return n_images // batch_size * batch_size, batch_size


def _build_network(spec: MobileNetSpec, *, shape: MobileNetShape) -> MobileNetwork:
    network = MobileNetwork.build(shape, spec)
    initialise(network, private_generator(0))
    return network
