"""Make the shipped weights again: label-free, on generated architectures, without a table.

python -m benchmarks.pretrain
"""

import time

import click
import numpy as np
from tqdm import tqdm

from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller import load_or_pretrain
from optuna_dnas.controller import SHIPPED_WEIGHTS
from optuna_dnas.search_space import NASBench101Space


@click.command()
def main() -> None:
    """Train what is missing, and print how well it reconstructs cells that it has not seen."""
    config = ControllerConfig()
    for space in (NASBench101Space(), NASBench101Space(max_vertices=5)):
        start = time.process_time()
        with tqdm(total=config.n_steps, unit="step", desc=repr(space)) as bar:

            def show(step: int, loss: float, bar: tqdm = bar) -> None:
                bar.update(step - bar.n)

            latent = load_or_pretrain(
                space, config, device="cpu", directory=SHIPPED_WEIGHTS, on_progress=show
            )
        seconds = time.process_time() - start
        fresh = space.sample_tokens(5_000, np.random.default_rng(1))
        share = latent.reconstruction_accuracy(fresh)
        click.echo(f"{space}: {seconds:.0f} CPU s, exact reconstruction {100 * share:.1f} %")


if __name__ == "__main__":
    main()
