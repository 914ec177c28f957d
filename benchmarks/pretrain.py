"""Make the shipped weights again: label-free, on generated architectures, without a table.

python -m benchmarks.pretrain

Each space has two sets: those that a search uses, and structure-supervised ones to explain by.
"""

import time

import click
import numpy as np
from tqdm import tqdm

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import DisentangledLatent
from optuna_dnas.controller import GuidedConfig
from optuna_dnas.controller import load_or_pretrain
from optuna_dnas.controller import SHIPPED_WEIGHTS
from optuna_dnas.controller import weights_path
from optuna_dnas.interpret import guided_config
from optuna_dnas.interpret import pretrain_guided
from optuna_dnas.search_space import NASBench101Space


_SEED = 0


@click.command()
def main() -> None:
    """Train what is missing, and print how well it reconstructs cells that it has not seen."""
    for space in (NASBench101Space(), NASBench101Space(max_vertices=5)):
        guided = guided_config(space)
        assert guided is not None
        for config in (ControllerConfig(), guided):
            start = time.process_time()
            latent = make(space, config)
            seconds = time.process_time() - start
            fresh = space.sample_tokens(5_000, np.random.default_rng(1))
            share = latent.reconstruction_accuracy(fresh)
            click.echo(
                f"{space}, {type(config).__name__}: {seconds:.0f} CPU s, "
                f"exact reconstruction {100 * share:.1f} %"
            )


def make(space: NASBench101Space, config: ControllerConfig) -> DisentangledLatent:
    """Read the shipped weights, or train and keep them."""
    with tqdm(total=config.n_steps, unit="step", desc=repr(space)) as bar:

        def show(step: int, loss: float) -> None:
            bar.update(step - bar.n)

        path = weights_path(SHIPPED_WEIGHTS, space, config)
        if path.exists() or not isinstance(config, GuidedConfig):
            return load_or_pretrain(
                space, config, device="cpu", directory=SHIPPED_WEIGHTS, on_progress=show
            )
        latent = pretrain_guided(space, config, seed=_SEED, on_progress=show)
        latent.save(path)
        return latent


if __name__ == "__main__":
    main()
