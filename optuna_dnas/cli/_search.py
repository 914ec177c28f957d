"""``optuna-dnas search``."""

from collections.abc import Sequence
from pathlib import Path
import warnings

import click
import optuna
from optuna.exceptions import ExperimentalWarning
from tqdm import tqdm

from optuna_dnas import DNASSampler
from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._report import report
from optuna_dnas.objectives import NASBench101Objective
from optuna_dnas.objectives import NASBench101Table


_METRICS = (
    "validation_accuracy",
    "test_accuracy",
    "train_accuracy",
    "training_time",
    "flops",
    "params",
)
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("table", type=click.Path(path_type=Path), envvar="OPTUNA_DNAS_NASBENCH101")
@click.option("--trials", type=click.IntRange(min=1), default=150, help="How many to add.")
@click.option("--seed", type=click.IntRange(min=0), help="For the same search again.")
@click.option(
    "--metric",
    "metrics",
    type=click.Choice(_METRICS),
    multiple=True,
    default=("validation_accuracy",),
    help="What to optimise. Several make a Pareto study.",
)
@click.option("--max-flops", type=_POSITIVE, help="Limit of multiply-adds.")
@click.option("--max-params", type=_POSITIVE, help="Limit of parameters.")
@click.option("--storage", default="sqlite:///optuna-dnas.db", help="Where the study is kept.")
@click.option("--study-name", default="nasbench101", help="Its name there.")
@click.option("--device", default="cpu", help="Where the controller runs: cpu, cuda, mps.")
@clear_errors
def search(
    table: Path,
    trials: int,
    seed: int | None,
    metrics: Sequence[str],
    max_flops: float | None,
    max_params: float | None,
    storage: str,
    study_name: str,
    device: str,
) -> None:
    """Search NASBench-101 for the best cell.

    TABLE is nasbench_only108.tfrecord or nasbench_full.tfrecord, which are converted once into a
    store, or that store. The environment variable OPTUNA_DNAS_NASBENCH101 names it as well.
    Running the command again continues the study.
    """
    objective = NASBench101Objective(
        NASBench101Table.open(table, progress=True),
        metrics=metrics,
        max_flops=max_flops,
        max_params=max_params,
    )
    sampler = DNASSampler(space=objective.space, seed=seed, device=device)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _open_study(objective, sampler, storage, study_name)
    _optimize(study, objective, trials)
    click.echo(report(study, objective.space, storage))


def _open_study(
    objective: NASBench101Objective, sampler: DNASSampler, storage: str, name: str
) -> optuna.Study:
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        directions=objective.directions,
        load_if_exists=True,
    )
    known = study.metric_names
    if known is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(objective.metric_names)
    elif known != objective.metric_names:
        raise ValueError(
            f"The study {name!r} optimises {', '.join(known)}, not "
            f"{', '.join(objective.metric_names)}. Choose another --study-name."
        )
    return study


def _optimize(study: optuna.Study, objective: NASBench101Objective, n_trials: int) -> None:
    with tqdm(total=n_trials, unit="trial", desc=study.study_name) as bar:

        def show(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
            bar.set_postfix_str(_best_so_far(study), refresh=False)
            bar.update()

        try:
            study.optimize(objective, n_trials=n_trials, callbacks=[show])
        except KeyboardInterrupt:
            bar.close()
            click.echo("Interrupted. Run the command again to go on.", err=True)


def _best_so_far(study: optuna.Study) -> str:
    try:
        return f"best {study.best_value:.5g}"
    except (ValueError, RuntimeError):  # Nothing within the limits yet, or several objectives.
        return ""
