"""``optuna-dnas space``."""

import click
import optuna
from optuna.trial import TrialState

from optuna_dnas.cli._errors import clear_errors
from optuna_dnas.cli._storages import load_study
from optuna_dnas.search_space import declaration_code
from optuna_dnas.search_space import infer_space


@click.command()
@click.argument("storage")
@click.argument("study_name", metavar="STUDY")
@clear_errors
def space(storage: str, study_name: str) -> None:
    """Print the declaration of a search space that fits a study, ready to be pasted.

    STORAGE is where a search keeps its studies: the URL of a database, as of
    `optuna-dnas search --storage`, or the file of a journal. STUDY is the name of the study.

    Parameters such as layer_0_width, layer_1_width and n_layers become a repeated block. Any study
    will do, whatever its sampler. Nothing is written to it.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = load_study(storage, study_name)
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not trials:
        raise ValueError(f"The study {study.study_name!r} has no completed trial.")
    click.echo(declaration_code(infer_space(trials)))
