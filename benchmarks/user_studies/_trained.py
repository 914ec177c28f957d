"""The studies of the examples, whose networks are really trained.

A trial takes a second or two. A seed chooses what is searched; a network's own is its trial's
number, as the examples have it.
"""

from collections.abc import Callable
import functools
import importlib.util
from pathlib import Path
from types import ModuleType

import optuna

from benchmarks.user_studies._case import Case
from optuna_dnas.search_space import ArchitectureSpace


_EXAMPLES = Path(__file__).parents[2] / "examples"


class Trained(Case):
    """The validation loss of an example's networks, within the limits of its space.

    Whoever is not told the space learns from ``trial.set_constraint`` how far a network is beyond
    a limit, after it was trained.

    Args:
        seed: Not used.
        example: The name of the example; its ``SPACE`` and ``Objective`` are those of a user.
    """

    n_trials = 60
    optimum = None
    space: ArchitectureSpace

    def __init__(self, seed: int, *, example: str) -> None:
        super().__init__(seed)
        module = _load(example)
        self.space = module.SPACE
        self._objective: Callable[[optuna.Trial], float] = module.Objective()

    def __call__(self, trial: optuna.Trial) -> float:
        loss = self._objective(trial)
        cost = self.space.cost(self.space.params_to_architecture(trial.params))
        if cost is not None:
            for key, excess in self.space.limits.excesses(cost).items():
                trial.set_constraint(key, excess)
        return loss


@functools.cache
def _load(example: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(example, _EXAMPLES / f"{example}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


TRAINED: dict[str, Callable[[int], Case]] = {
    f"trained-{example}": functools.partial(Trained, example=example)
    for example in ("own_space", "transformer")
}
