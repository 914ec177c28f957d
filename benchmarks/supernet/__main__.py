"""Fashion-MNIST by shared weights, in the form of the paper's ImageNet experiment.

    python -m benchmarks.supernet /usr/share/datasets/fashion-mnist --directory fashion

trains a supernet, compares an evaluation with training from scratch, by its cost and by what it
tells, searches under three levels of multiply-adds, trains the winners from scratch, and prints a
table. What the directory holds is not done again: stop it, or kill it, and start it again as you
like.
"""

from pathlib import Path

import click

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.supernet._correlation import correlate
from benchmarks.supernet._cost import measure_costs
from benchmarks.supernet._search import search
from benchmarks.supernet._study import Experiment
from benchmarks.supernet._table import format_table
from benchmarks.supernet._table import retrain_winners
from optuna_dnas.objectives.supernet import RetrainConfig
from optuna_dnas.objectives.supernet import SupernetConfig


@click.command(context_settings={"show_default": True})
@click.argument("images", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--directory", type=click.Path(path_type=Path), default=Path("fashion"))
@click.option("--steps", type=POSITIVE, default=20_000, help="Of the supernet.")
@click.option("--epochs", type=POSITIVE, default=10, help="From scratch.")
@click.option(
    "--validation-images", type=POSITIVE, default=5_000, help="Of the evaluation of a subnet."
)
@click.option("--architectures", type=POSITIVE, default=24, help="To compare accuracies of.")
@click.option("--uniform", is_flag=True, help="Compare uniform ones, not from cheap to dear.")
@seeds_option("0:5")
@click.option("--evaluations", type=POSITIVE, default=64, help="Of a search.")
@click.option("--device", default="cpu", help='"cpu", "mps" or "cuda".')
@click.option("--jobs", type=POSITIVE, default=1, help="Processes.")
def main(
    images: Path,
    directory: Path,
    steps: int,
    epochs: int,
    validation_images: int,
    architectures: int,
    uniform: bool,
    seeds: range,
    evaluations: int,
    device: str,
    jobs: int,
) -> None:
    """Run the experiment on the four IDX files in IMAGES, and print its results."""
    experiment = Experiment(images, directory, validation_images, device, jobs)
    # The fewest validations: only the last one counts.
    config = RetrainConfig(epochs=epochs, validation_interval=epochs)
    experiment.train(SupernetConfig(steps=steps))
    click.echo(measure_costs(experiment, config))
    agreement = correlate(
        experiment, config, experiment.architectures(architectures, uniform=uniform)
    )
    click.echo(
        f"Kendall's tau of inherited and from-scratch accuracies of {agreement.n_architectures} "
        f"architectures: {agreement.tau:.2f} [{agreement.low:.2f}, {agreement.high:.2f}]\n"
    )
    searches = search(experiment, seeds, evaluations)
    click.echo(format_table(retrain_winners(experiment, searches, config)))


if __name__ == "__main__":
    main()
