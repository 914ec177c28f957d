"""The latent space of the LSTM autoencoder, and its file.

N: architectures, T: tokens, D: latent dimensions.

A code is the encoder's mean, standardised per dimension by the mean and the standard deviation
over the architectures of pre-training, so that codes are about N(0, I).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
import copy
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors import SafetensorError
from safetensors.numpy import save as to_safetensors
import torch

from optuna_dnas._files import write_atomically
from optuna_dnas._torch_scope import private_generator
from optuna_dnas._torch_scope import resolve_device
from optuna_dnas._torch_scope import torch_scope
from optuna_dnas._typing import BoolArray
from optuna_dnas._typing import FloatArray
from optuna_dnas._typing import IntArray
from optuna_dnas._typing import TokenArray
from optuna_dnas.controller._config import ControllerConfig
from optuna_dnas.controller._config import positive_scale
from optuna_dnas.controller._guidance_data import GuidanceData
from optuna_dnas.controller._latent import Latent
from optuna_dnas.controller._losses import token_logits
from optuna_dnas.controller._modules import Autoencoder
from optuna_dnas.controller._training import build_autoencoder
from optuna_dnas.controller._training import check_tokens
from optuna_dnas.controller._training import pretrain
from optuna_dnas.controller._training import Progress
from optuna_dnas.controller._weights import fingerprint
from optuna_dnas.encoding import Vocabulary
from optuna_dnas.exceptions import CorruptFileError


_FORMAT_VERSION = "1"
_CHUNK = 1024  # Architectures per forward pass.
_HALF_WIDTH = 0.3
_NEAREST, _FARTHEST = 0.15, 1.05  # Step sizes of neighbours.


class DisentangledLatent(Latent):
    """A trained autoencoder as a latent space. Make one with `pretrained` or `load`.

    Args:
        vocabulary: Of the architectures' tokens.
        config: What the autoencoder was built with.
        autoencoder: Trained; kept, not copied, and moved to ``device``.
        code_mean: (D,) mean of the encoder's means.
        code_deviation: (D,) their standard deviation.
        device: "cpu", "cuda" or "mps".
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: ControllerConfig,
        autoencoder: Autoencoder,
        *,
        code_mean: FloatArray,
        code_deviation: FloatArray,
        device: str = "cpu",
    ) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.code_mean = code_mean
        self.code_deviation = code_deviation
        self.device = device
        with torch_scope():
            self._place(autoencoder)

    @classmethod
    def pretrained(
        cls,
        vocabulary: Vocabulary,
        tokens: TokenArray,  # (N, T)
        config: ControllerConfig,
        *,
        seed: int,
        device: str = "cpu",
        n_threads: int = 1,
        guidance: GuidanceData | None = None,
        on_progress: Progress | None = None,
    ) -> DisentangledLatent:
        """Train on architectures without labels. See `pretrain` for guidance and errors."""
        autoencoder = pretrain(
            vocabulary,
            tokens,
            config,
            seed=seed,
            device=device,
            n_threads=n_threads,
            guidance=guidance,
            on_progress=on_progress,
        )
        return cls.standardised(vocabulary, tokens, config, autoencoder, device=device)

    @classmethod
    def standardised(
        cls,
        vocabulary: Vocabulary,
        tokens: TokenArray,  # (N, T)
        config: ControllerConfig,
        autoencoder: Autoencoder,
        *,
        device: str = "cpu",
    ) -> DisentangledLatent:
        """The latent of a trained ``autoencoder`` in which ``tokens`` have mean 0 and sd 1."""
        zero, one = np.zeros(config.latent_dim), np.ones(config.latent_dim)
        latent = cls(
            vocabulary, config, autoencoder, code_mean=zero, code_deviation=one, device=device
        )
        codes = latent.encode(tokens)
        latent.code_mean, latent.code_deviation = codes.mean(axis=0), positive_scale(codes.std(0))
        return latent

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        vocabulary: Vocabulary,
        config: ControllerConfig,
        *,
        device: str = "cpu",
    ) -> DisentangledLatent:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            CorruptFileError: The file is not a latent's, or damaged.
            ValueError: It is of another format version, search space or config.
        """
        metadata, arrays = _read(path)
        _check_metadata(path, metadata, vocabulary, config)
        if metadata.get("checksum") != _checksum(arrays):
            raise CorruptFileError(f"{path}: the content does not match its checksum.")
        code_mean, code_deviation = arrays.pop("code_mean"), arrays.pop("code_deviation")
        return cls(
            vocabulary,
            config,
            _autoencoder_of(vocabulary, config, arrays),
            code_mean=code_mean,
            code_deviation=code_deviation,
            device=device,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``path`` (safetensors); readers see the old file or the new, never a part."""
        arrays = self._weights() | {"code_mean": self.code_mean}
        arrays["code_deviation"] = self.code_deviation
        metadata = {
            "format": _FORMAT_VERSION,
            "fingerprint": fingerprint(self.vocabulary, self.config),
            "checksum": _checksum(arrays),
        }
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, to_safetensors(arrays, metadata))

    @property
    def is_categorical(self) -> BoolArray:
        """(D,) all continuous."""
        return np.zeros(self.config.latent_dim, dtype=bool)

    @property
    def typical_distance(self) -> FloatArray:
        """(D,) E (a - b)^2 = 2 for independent standard normal a and b."""
        return np.full(self.config.latent_dim, 2.0)

    @property
    def relevance_group(self) -> IntArray:
        """(D,) one group: a relevance for each dimension would need more labels than there are."""
        return np.zeros(self.config.latent_dim, dtype=np.int64)

    @property
    def half_width(self) -> FloatArray:
        """(D,) in standard deviations of a code."""
        return np.full(self.config.latent_dim, _HALF_WIDTH)

    def encode(self, tokens: TokenArray) -> FloatArray:
        """(N, T) tokens -> (N, D) codes.

        Raises:
            ValueError: ``tokens`` is not an (N, T) array of legal choices.
        """
        check_tokens(self.vocabulary, tokens)
        means = np.empty((len(tokens), self.config.latent_dim))
        with torch_scope(grad=False):
            for rows in _chunks(len(tokens)):
                features = torch.as_tensor(self.vocabulary.one_hot(tokens[rows]))
                mean, _ = self._autoencoder.encoder(features.to(self._torch_device))
                means[rows] = mean.cpu().numpy()
        return (means - self.code_mean) / self.code_deviation

    def decode(self, codes: FloatArray) -> IntArray:
        """(N, D) codes -> (N, T) tokens: the likeliest legal choice of each position.

        Raises:
            ValueError: ``codes`` is not an (N, D) array of finite numbers.
        """
        tokens = np.empty((len(codes), len(self.vocabulary)), dtype=np.int64)
        return self._decode(codes, lambda logits: logits.argmax(dim=2), tokens)

    def log_probabilities(self, codes: FloatArray) -> FloatArray:
        """(N, D) codes -> (N, T, C) of each choice, -inf if illegal. Raises as `decode` does."""
        values = np.empty((len(codes), *self.vocabulary.legal.shape))
        return self._decode(codes, lambda logits: logits.log_softmax(dim=2), values)

    def sample_prior(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, D) codes from N(0, I) in standardised coordinates.

        That is the Gaussian that fits the encoder's means. The N(0, I) of the penalty, put into
        these coordinates, would leave the trained region wherever a dimension is little used.
        """
        return rng.standard_normal((n, self.config.latent_dim))

    def perturb(
        self, codes: FloatArray, rng: np.random.Generator, *, reach: float = 1.0
    ) -> FloatArray:
        """(N, D) codes + s N(0, I), with a step size s of its own for each code."""
        self._check_codes(codes)
        scale = rng.uniform(_NEAREST, reach * _FARTHEST, size=(len(codes), 1))
        perturbed: FloatArray = codes + scale * rng.standard_normal(codes.shape)
        return perturbed

    def reconstruction_accuracy(self, tokens: TokenArray) -> float:
        """Share of the (N, T) ``tokens`` that come back exactly.

        Raises:
            ValueError: ``tokens`` is empty, or not an (N, T) array of legal choices.
        """
        if not len(tokens):
            raise ValueError("`tokens` must not be empty.")
        return float((self.decode(self.encode(tokens)) == tokens).all(axis=1).mean())

    def copy_autoencoder(self) -> Autoencoder:
        """The network, to train it further without touching this latent."""
        return copy.deepcopy(self._autoencoder)

    def __getstate__(self) -> dict[str, Any]:
        """Arrays instead of tensors: they go to any process, with or without the device."""
        own = ("_autoencoder", "_torch_device", "_feature_index", "_legal")
        state = {name: value for name, value in self.__dict__.items() if name not in own}
        return {**state, "weights": self._weights()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rebuild the network on its device."""
        weights = state["weights"]
        self.__dict__.update((name, value) for name, value in state.items() if name != "weights")
        with torch_scope():
            self._place(_autoencoder_of(self.vocabulary, self.config, weights))

    def _place(self, autoencoder: Autoencoder) -> None:
        self._torch_device = resolve_device(self.device)
        self._autoencoder = autoencoder.to(self._torch_device).eval()
        vocabulary = self.vocabulary
        self._feature_index = torch.as_tensor(vocabulary.feature_index, device=self._torch_device)
        self._legal = torch.as_tensor(vocabulary.legal, device=self._torch_device)

    def _weights(self) -> dict[str, np.ndarray]:
        state = self._autoencoder.state_dict()
        return {name: tensor.cpu().numpy().copy() for name, tensor in state.items()}

    def _decode(
        self, codes: FloatArray, read: Callable[[torch.Tensor], torch.Tensor], into: np.ndarray
    ) -> np.ndarray:
        """(N, D) codes -> what is read from their logits (n, T, C), a chunk at a time."""
        self._check_codes(codes)
        means = codes * self.code_deviation + self.code_mean
        with torch_scope(grad=False):
            for rows in _chunks(len(codes)):
                z = torch.as_tensor(means[rows], dtype=torch.float32).to(self._torch_device)
                logits = self._autoencoder.decoder(z)
                logits = token_logits(logits, self._feature_index, self._legal)
                into[rows] = read(logits).cpu().numpy()
        return into

    def _check_codes(self, codes: FloatArray) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.config.latent_dim:
            expected = f"(N, {self.config.latent_dim})"
            raise ValueError(f"Codes must be {expected}, but got shape {codes.shape}.")
        if not np.isfinite(codes).all():
            raise ValueError("Codes must be finite.")


def _autoencoder_of(
    vocabulary: Vocabulary, config: ControllerConfig, weights: dict[str, np.ndarray]
) -> Autoencoder:
    with torch_scope():
        autoencoder = build_autoencoder(vocabulary, config, private_generator(0))
        tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
        autoencoder.load_state_dict(tensors)
    return autoencoder


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return file.metadata() or {}, {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise CorruptFileError(f"{path}: not a whole safetensors file ({error}).") from error


def _check_metadata(
    path: str | os.PathLike[str],
    metadata: dict[str, str],
    vocabulary: Vocabulary,
    config: ControllerConfig,
) -> None:
    if "format" not in metadata:
        raise CorruptFileError(f"{path}: not the file of a latent space.")
    if metadata["format"] != _FORMAT_VERSION:
        found = metadata["format"]
        raise ValueError(f"{path}: format version {found}, but {_FORMAT_VERSION} is expected.")
    if metadata.get("fingerprint") != fingerprint(vocabulary, config):
        raise ValueError(f"{path}: made for another search space or `ControllerConfig`.")


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, n, _CHUNK))
