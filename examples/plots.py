"""Search, and keep figures of the search and a drawing of the best cell.

python examples/plots.py plots
"""

from pathlib import Path
import sys

import optuna

from optuna_dnas import DNASSampler
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.visualization import draw_architecture
from optuna_dnas.visualization import plot_architecture
from optuna_dnas.visualization import plot_budget_front
from optuna_dnas.visualization import plot_factor_accuracy
from optuna_dnas.visualization import plot_factor_map
from optuna_dnas.visualization import plot_latent_space
from optuna_dnas.visualization import plot_latent_traversal
from optuna_dnas.visualization import plot_sources


def main(directory: Path, n_trials: int = 60) -> None:
    """Write ``best.svg``, and an HTML page for each figure."""
    objective = DigitsCellObjective(max_flops=250_000)
    sampler = DNASSampler(space=objective.space, seed=0)
    study = optuna.create_study(directions=objective.directions, sampler=sampler)
    study.set_metric_names(objective.metric_names)
    study.optimize(objective, n_trials=n_trials)

    directory.mkdir(parents=True, exist_ok=True)
    best = ModelSpec.parse(study.best_trial.user_attrs["architecture"])
    (directory / "best.svg").write_text(draw_architecture(objective.space, best))
    for plot in (
        plot_architecture,
        plot_budget_front,
        plot_factor_map,
        plot_latent_traversal,
        plot_factor_accuracy,
        plot_latent_space,
        plot_sources,
    ):
        figure = plot(study)
        figure.write_html(directory / f"{plot.__name__}.html", include_plotlyjs="directory")
    print(f"{len(list(directory.glob('*.html')))} figures and best.svg are in {directory}")


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    main(Path(sys.argv[1]))
