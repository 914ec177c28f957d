"""Images to train mobile networks on, and to judge them by."""

from optuna_dnas.objectives.supernet.data._augmentation import Augmentation
from optuna_dnas.objectives.supernet.data._base import Batch
from optuna_dnas.objectives.supernet.data._base import ImageData
from optuna_dnas.objectives.supernet.data._base import IndexBatch
from optuna_dnas.objectives.supernet.data._datasets import DatasetImages
from optuna_dnas.objectives.supernet.data._open import DATASETS
from optuna_dnas.objectives.supernet.data._open import open_images
from optuna_dnas.objectives.supernet.data._tensors import TensorImages


__all__ = [
    "Augmentation",
    "Batch",
    "DATASETS",
    "DatasetImages",
    "ImageData",
    "IndexBatch",
    "open_images",
    "TensorImages",
]
