"""What the latents of architectures mean: the concepts that they know, and those they control."""

from optuna_dnas.interpret._control import basic_information
from optuna_dnas.interpret._control import controller_of
from optuna_dnas.interpret._control import latent_controls
from optuna_dnas.interpret._control import LatentControl
from optuna_dnas.interpret._decoding import Decoded
from optuna_dnas.interpret._decoding import Decoding
from optuna_dnas.interpret._decoding import LatentWithProbabilities
from optuna_dnas.interpret._decoding import LikeliestDecoding
from optuna_dnas.interpret._decoding import ValidDecoding
from optuna_dnas.interpret._evaluated import Evaluated
from optuna_dnas.interpret._evaluated import evaluated
from optuna_dnas.interpret._evaluated import source_of
from optuna_dnas.interpret._guide import pretrain_guided
from optuna_dnas.interpret._information import Information
from optuna_dnas.interpret._information import information
from optuna_dnas.interpret._information import mutual_information_gap
from optuna_dnas.interpret._predictability import attribute_predictability
from optuna_dnas.interpret._predictability import DCI
from optuna_dnas.interpret._predictability import dci
from optuna_dnas.interpret._predictability import separated_attribute_predictability
from optuna_dnas.interpret._presets import guided_config
from optuna_dnas.interpret._quality import latent_quality
from optuna_dnas.interpret._quality import LatentQuality
from optuna_dnas.interpret._traversal import GRID
from optuna_dnas.interpret._traversal import traversal_codes
from optuna_dnas.interpret._traversal import Traversals
from optuna_dnas.interpret._traversal import traverse


__all__ = [
    "DCI",
    "Decoded",
    "Decoding",
    "Evaluated",
    "GRID",
    "Information",
    "LatentControl",
    "LatentQuality",
    "LatentWithProbabilities",
    "LikeliestDecoding",
    "Traversals",
    "ValidDecoding",
    "attribute_predictability",
    "basic_information",
    "controller_of",
    "dci",
    "evaluated",
    "guided_config",
    "information",
    "latent_controls",
    "latent_quality",
    "mutual_information_gap",
    "pretrain_guided",
    "separated_attribute_predictability",
    "source_of",
    "traversal_codes",
    "traverse",
]
