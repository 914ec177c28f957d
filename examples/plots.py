"""Search, and keep figures of the search and a drawing of the best cell.

python examples/plots.py plots                              # the digits, 60 trials
python examples/plots.py plots nasbench_only108.tfrecord    # NASBench-101, 150 trials

With figures 3 and 4 of the paper: ``plot_latent_traversal`` for each of its concepts, and
``plot_factor_accuracy`` of the dimensions that are searched, and of those that are concepts.
"""

from pathlib import Path
import sys

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.visualization import draw_architecture
from optuna_dnas.visualization import Figure
from optuna_dnas.visualization import plot_architecture
from optuna_dnas.visualization import plot_budget_front
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization import plot_factor_map
from optuna_dnas.visualization import plot_latent_space
from optuna_dnas.visualization import plot_latent_traversal
from optuna_dnas.visualization import plot_sources


CONCEPTS = ("operation", "skip connection", "number of layers")


def main(directory: Path, table: Path | None = None) -> None:
    """Write ``best.svg``, and an HTML page for each figure."""
    objective: DigitsCellObjective | NASBench101Objective
    if table is None:
        objective, n_trials = DigitsCellObjective(limits={"flops": 250_000}), 60
    else:
        objective, n_trials = NASBench101Objective(NASBench101Table.open(table)), 150
    sampler = DNASSampler(space=objective.space, seed=0)
    study = optuna.create_study(directions=objective.directions, sampler=sampler)
    study.set_metric_names(objective.metric_names)
    study.optimize(objective, n_trials=n_trials)

    directory.mkdir(parents=True, exist_ok=True)
    best = ModelSpec.parse(study.best_trial.user_attrs["architecture"])
    (directory / "best.svg").write_text(draw_architecture(objective.space, best))
    figures = draw(study)
    for name, figure in figures.items():
        figure.write_html(directory / f"{name}.html", include_plotlyjs="directory")
    print(f"{len(figures)} figures and best.svg are in {directory}")


def draw(study: optuna.Study) -> dict[str, Figure]:
    """All figures by name."""
    plots = (
        plot_architecture,
        plot_budget_front,
        plot_factor_map,
        plot_factor_accuracy,
        plot_latent_space,
        plot_sources,
    )
    figures = {plot.__name__: plot(study) for plot in plots}
    figures["plot_factor_accuracy-concepts"] = plot_factor_accuracy(study, explanatory=True)
    for concept in CONCEPTS:
        name = f"plot_latent_traversal-{concept.replace(' ', '-')}"
        figures[name] = plot_latent_traversal(study, concept=concept)
    return figures


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main(*map(Path, sys.argv[1:]))
