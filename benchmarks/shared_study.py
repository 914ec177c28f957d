"""Studies that several workers share, and those that killed workers have left.

    python -m benchmarks.shared_study repeats sqlite:///study.db study.log
    python -m benchmarks.shared_study repeats redis://127.0.0.1:6379 grpc://127.0.0.1:13000
    python -m benchmarks.shared_study stale --seeds 0:40

`repeats`: workers without a seed search one study of the digits cells. Evaluations are looked up,
so that they ask as often at the same moment as they ever will. A storage is a database, a journal
file, a Redis server that keeps a journal, or a server that `run_grpc_proxy_server` runs.

`stale`: searches of the digits cells in studies with trials that run for ever, as their workers
were killed: while `asking`, so that nobody knows what for; just before, while `evaluating` random
cells; or `long-ago`, while evaluating the best cells of all.
"""

from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from functools import partial
import multiprocessing
import threading
from typing import NamedTuple
import uuid

import click
import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.storages import GrpcStorageProxy
from optuna.storages import JournalStorage
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal import JournalRedisBackend
from optuna.trial import TrialState
from scipy import stats
from tqdm import tqdm

from benchmarks.options import POSITIVE
from benchmarks.options import seeds_option
from benchmarks.workers import map_unordered
from optuna_dnas import DNASSampler
from optuna_dnas._optuna_compat import publish_params
from optuna_dnas.objectives import DigitsCellObjective


KINDS = ("asking", "evaluating", "long-ago")


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Measure searches that workers share."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


class Share(NamedTuple):
    """What one worker does."""

    storage: str
    study_name: str
    n_trials: int
    start: threading.Barrier


@main.command()
@click.argument("storages", metavar="STORAGE...", nargs=-1, required=True)
@click.option("--workers", "n_workers", type=POSITIVE, default=4)
@click.option("--trials", "n_trials", type=POSITIVE, default=400, help="Of all workers.")
def repeats(storages: tuple[str, ...], n_workers: int, n_trials: int) -> None:
    """Count trials whose cell another trial had evaluated, or was evaluating."""
    click.echo("| storage | trials | repeats |\n|---|---|---|")
    for storage in storages:
        n_complete, n_repeats = count_repeats(storage, n_workers, n_trials)
        click.echo(f"| {storage.partition(':')[0]} | {n_complete} | {n_repeats} |")


def count_repeats(storage: str, n_workers: int, n_trials: int) -> tuple[int, int]:
    """The numbers of complete trials, and of those that evaluated again what one of them had."""
    study_name = f"shared-study-{uuid.uuid4().hex}"
    opened = open_storage(storage)
    study = optuna.create_study(storage=opened, study_name=study_name, direction="maximize")
    with multiprocessing.Manager() as manager:
        share = Share(storage, study_name, n_trials // n_workers, manager.Barrier(n_workers))
        for _ in map_unordered(work, [share] * n_workers, n_workers):
            pass
    trials = study.get_trials(states=[TrialState.COMPLETE])
    optuna.delete_study(study_name=study_name, storage=opened)
    cells = {trial.user_attrs["architecture_hash"] for trial in trials}
    return len(trials), len(trials) - len(cells)


def work(share: Share) -> None:
    """One worker, without a seed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    objective = DigitsCellObjective()
    study = optuna.load_study(
        study_name=share.study_name,
        storage=open_storage(share.storage),
        sampler=DNASSampler(space=objective.space),
    )
    share.start.wait(timeout=120)
    study.optimize(objective, n_trials=share.n_trials)


def open_storage(text: str) -> BaseStorage:
    """A storage of any kind."""
    scheme, separator, address = text.partition("://")
    if not separator:
        return JournalStorage(JournalFileBackend(text))
    if scheme == "redis":
        return JournalStorage(JournalRedisBackend(text, prefix="shared-study"))
    if scheme == "grpc":
        host, _, port = address.partition(":")
        return GrpcStorageProxy(host=host, port=int(port))
    return RDBStorage(text)


class Case(NamedTuple):
    """One search."""

    kind: str
    n_stale: int
    seed: int


@main.command()
@seeds_option("0:40")
@click.option("--kind", "kinds", type=click.Choice(KINDS), multiple=True)
@click.option("--stale", "numbers", type=POSITIVE, multiple=True, default=(10, 30))
@click.option("--after", "budgets", type=POSITIVE, multiple=True, default=(25, 50))
@click.option("--workers", "n_workers", type=POSITIVE, default=2, help="Processes.")
def stale(
    seeds: range,
    kinds: tuple[str, ...],
    numbers: tuple[int, ...],
    budgets: tuple[int, ...],
    n_workers: int,
) -> None:
    """Compare the best accuracy with that of studies without stale trials, paired by seed."""
    groups = [("none", 0), *((kind, n) for kind in kinds or KINDS for n in numbers)]
    cases = [Case(*group, seed) for group in groups for seed in seeds]
    search = partial(best_accuracies, budgets=budgets)
    found = dict(tqdm(map_unordered(search, cases, n_workers), total=len(cases), unit="search"))
    click.echo("| killed while | trials | after | best accuracy | difference | p (two-sided) |")
    click.echo("|---|---|---|---|---|---|")
    for kind, n_stale in groups:
        for column, budget in enumerate(budgets):
            best = np.array([found[Case(kind, n_stale, seed)][column] for seed in seeds])
            base = np.array([found[Case("none", 0, seed)][column] for seed in seeds])
            click.echo(f"| {kind} | {n_stale} | {budget} | {_comparison(best, base)} |")


def best_accuracies(case: Case, budgets: Sequence[int]) -> tuple[Case, list[float]]:
    """Percent, after so many finished trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    objective = DigitsCellObjective()
    sampler = DNASSampler(space=objective.space, seed=case.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    leave_trials(study, objective, case)
    study.optimize(objective, n_trials=max(budgets))
    values = [trial.value for trial in study.get_trials(states=[TrialState.COMPLETE])]
    best = np.maximum.accumulate(np.array(values, dtype=float))
    return case, [100 * float(best[budget - 1]) for budget in budgets]


def leave_trials(study: optuna.Study, objective: DigitsCellObjective, case: Case) -> None:
    """Trials that nobody will ever finish."""
    space = objective.space
    cells = list(space.sample(np.random.default_rng(case.seed), case.n_stale))
    start = datetime.now()
    if case.kind == "long-ago":
        table = objective.table
        best = np.argsort(-table.mean("validation_accuracy"))[: case.n_stale]
        cells = [table.cell(int(row)) for row in best]
        start -= timedelta(days=1)
    for cell in cells:
        trial = optuna.create_trial(state=TrialState.RUNNING)
        trial.datetime_start = start
        study.add_trial(trial)
        if case.kind != "asking":
            params = space.architecture_to_params(cell)
            publish_params(study, study.get_trials(deepcopy=False)[-1], params)


def _comparison(best: np.ndarray, base: np.ndarray) -> str:
    gap = best - base
    mean = f"{best.mean():.3f} ± {best.std(ddof=1):.3f}"
    if not gap.any():
        return f"{mean} | |"
    error = gap.std(ddof=1) / np.sqrt(len(gap))
    return f"{mean} | {gap.mean():+.3f} ± {error:.3f} | {stats.ttest_1samp(gap, 0).pvalue:.2f}"


if __name__ == "__main__":
    main()
