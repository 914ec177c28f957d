"""Declarations that fit studies without one."""

from typing import Any

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import Trial
import pytest

from optuna_dnas.search_space import ArchitectureSpace
from optuna_dnas.search_space import Choice
from optuna_dnas.search_space import declaration_code
from optuna_dnas.search_space import infer_space
from optuna_dnas.search_space import Inferred
from optuna_dnas.search_space import Integer
from optuna_dnas.search_space import Repeat


def trials_of(objective: Any, n: int = 60) -> list[FrozenTrial]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=n)
    return study.trials


def mlp(trial: Trial) -> float:
    for k in range(trial.suggest_int("n_layers", 1, 4)):
        trial.suggest_categorical(f"layer_{k}_width", [16, 32, 64])
        trial.suggest_categorical(f"layer_{k}_activation", ["relu", "tanh"])
    trial.suggest_categorical("head", ["mean", "cls"])
    trial.suggest_float("lr", 1e-5, 1.0, log=True)
    return 0.0


def counted_from_one(trial: Trial) -> float:
    for k in range(1, 1 + trial.suggest_int("depth", 0, 3)):
        trial.suggest_int(f"units{k}", 8, 64, step=8)
    return 0.0


def cell(trial: Trial) -> float:
    for k in range(6):
        trial.suggest_categorical(f"edge{k}", ["conv", "pool", "none"])
    return 0.0


def without_a_depth(trial: Trial) -> float:
    """Something else decides how many layers there are."""
    x = trial.suggest_float("x", 0.0, 1.0)
    for k in range(1 + int(3 * x)):
        trial.suggest_categorical(f"layer_{k}", ["a", "b"])
    trial.suggest_int("units", 1, 10_000, log=True)
    trial.suggest_categorical("op", ["conv", "pool"])
    return 0.0


def branches(trial: Trial) -> float:
    if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd":
        trial.suggest_categorical("nesterov", [True, False])
    return 0.0


def two_kinds(trial: Trial) -> float:
    """A number within names, and another one that is no series."""
    for k in range(trial.suggest_int("n_conv", 1, 2)):
        trial.suggest_int(f"conv2d_{k}_kernel", 1, 5, step=2)
    for k in range(trial.suggest_int("n_dense", 1, 3)):
        trial.suggest_int(f"dense_{k}_units", 8, 16, step=8)
    return 0.0


def hard_to_write(trial: Trial) -> float:
    """Names and options that are no plain Python."""
    for k in range(2):
        trial.suggest_categorical(f"2d_{k}_3x3", ['a"b', "c\\n", "\u00e9"])
        trial.suggest_categorical(f"2d_{k}_5x5", [True, None, float("inf")])
    for k in range(2):
        trial.suggest_categorical(f"limit{k}", ["x", "y"])
    trial.suggest_categorical("cost", ["low", "high"])
    trial.suggest_categorical("class", ["a", "b"])
    trial.suggest_categorical("grown-up", ["a", "b"])
    return 0.0


CASES = [
    (
        mlp,
        {
            "layers": Repeat(
                {"width": Choice(16, 32, 64), "activation": Choice("relu", "tanh")},
                depth=(1, 4),
                names="layer_{k}_{field}",
            ),
            "head": Choice("mean", "cls"),
        },
        ("lr",),
    ),
    (
        counted_from_one,
        {
            "units": Repeat(
                Integer(8, 64, 8), depth=(0, 3), names="units{k}", depth_name="depth", first=1
            )
        },
        (),
    ),
    (cell, {"edges": Repeat(Choice("conv", "pool", "none"), depth=6, names="edge{k}")}, ()),
    (
        without_a_depth,
        {"layer_0": Choice("a", "b"), "op": Choice("conv", "pool")},
        ("x", "layer_1", "units"),
    ),
    (branches, {"optimizer": Choice("sgd", "adam")}, ("nesterov",)),
]


@pytest.mark.parametrize(("objective", "parts", "beside"), CASES)
def test_the_declaration_is_found(
    objective: Any, parts: dict[str, Any], beside: tuple[str, ...]
) -> None:
    inferred = infer_space(trials_of(objective))
    assert inferred.space is not None
    assert dict(inferred.space.declared) == parts
    assert set(inferred.beside) >= set(beside)
    assert set(inferred.beside).isdisjoint(inferred.space.distributions)


@pytest.mark.parametrize(
    "objective", [mlp, counted_from_one, cell, branches, two_kinds, hard_to_write]
)
def test_what_is_printed_is_a_space_that_all_trials_are_of(objective: Any) -> None:
    trials = trials_of(objective)
    names: dict[str, Any] = {}
    exec(declaration_code(infer_space(trials)), names)
    space = names["space"]
    assert isinstance(space, ArchitectureSpace)
    assert all(space.covers(trial.params) for trial in trials)
    for trial in trials:
        for name, distribution in trial.distributions.items():
            assert space.distributions.get(name, distribution) == distribution


def test_two_kinds_of_blocks_have_a_depth_each() -> None:
    space = infer_space(trials_of(two_kinds)).space
    assert space is not None
    assert {name: part.depth for name, part in space.declared.items()} == {  # type: ignore[union-attr]
        "conv2ds": (1, 2),
        "denses": (1, 3),
    }


def test_the_code_is_short() -> None:
    code = declaration_code(infer_space(trials_of(mlp)))
    block = '{"width": Choice(16, 32, 64), "activation": Choice("relu", "tanh")}'
    assert code.splitlines() == [
        "from optuna_dnas.search_space import ArchitectureSpace, Choice, Repeat",
        "",
        "space = ArchitectureSpace(",
        f'    layers=Repeat({block}, depth=(1, 4), names="layer_{{k}}_{{field}}"),',
        '    head=Choice("mean", "cls"),',
        ")",
        "# Searched together with it, as they are: lr.",
    ]


def test_only_real_numbers_are_no_architecture() -> None:
    inferred = infer_space(trials_of(lambda trial: trial.suggest_float("x", 0, 1), 3))
    assert inferred == Inferred(None, ("x",))
    with pytest.raises(ValueError, match="No parameter is a choice"):
        declaration_code(inferred)
