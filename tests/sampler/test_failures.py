"""What fails says so and the study goes on; a wrong argument is refused."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from optuna.samplers import RandomSampler
from optuna.trial import TrialState
import pytest

from optuna_dnas import DNASConfig
from optuna_dnas import DNASSampler
from optuna_dnas.controller._controller import FrozenController
from optuna_dnas.strategies import DenseRegions

from .toy import BOTH_KINDS
from .toy import CELLS
from .toy import Kind
from .toy import make_sampler
from .toy import MODEL_SOURCES
from .toy import n_different
from .toy import n_different_cells
from .toy import OBJECTIVES
from .toy import run
from .toy import sources_of


@BOTH_KINDS
@pytest.mark.parametrize("part", ["make", "fit", "propose"])
def test_a_model_that_fails_says_so_and_the_study_goes_on(
    kind: Kind,
    part: str,
    config: DNASConfig,
    messages: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of memory")

    if part == "make":
        monkeypatch.setattr("optuna_dnas.sampler.make_controller", fail)
    elif part == "fit":
        monkeypatch.setattr(FrozenController, "fit", fail)
    else:
        monkeypatch.setattr(DenseRegions, "propose", fail)
    study = run(kind, make_sampler(kind, config), 14)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 14
    assert sources_of(study) == ["startup"] * 8 + ["fallback"] * 6
    for number, message in zip(range(8, 14), messages(), strict=True):
        assert message.startswith(f"Trial {number} is sampled at random")
        assert "RuntimeError: out of memory" in message
    assert (n_different_cells if kind == "cell" else n_different)(study) == 14
    monkeypatch.undo()
    study.optimize(OBJECTIVES[kind], n_trials=1)
    assert sources_of(study)[-1] in MODEL_SOURCES


class _BrokenSampler(RandomSampler):
    def before_trial(self, *args: Any) -> None:
        raise RuntimeError("before")

    def after_trial(self, *args: Any) -> None:
        raise RuntimeError("after")


def test_hooks_never_raise(config: DNASConfig, messages: Callable[[], list[str]]) -> None:
    sampler = make_sampler("flat", config, independent_sampler=_BrokenSampler(seed=0))
    study = run("flat", sampler, 2)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2
    assert [m.split(" failed: ")[0] for m in messages()] == [
        f"`{hook}` of trial {number}"
        for number in (0, 1)
        for hook in ("before_trial", "after_trial")
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"space": "nasbench101"}, TypeError),
        ({"seed": -1}, ValueError),
        ({"n_startup_trials": -1}, ValueError),
        ({"device": "gpu"}, ValueError),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named_with_its_value(
    arguments: Mapping[str, Any], error: type[Exception]
) -> None:
    ((name, value),) = arguments.items()
    with pytest.raises(error, match=rf"`{name}` .*{value!r}"):
        DNASSampler(**arguments)


def test_options_are_keywords() -> None:
    with pytest.raises(TypeError):
        DNASSampler(CELLS)  # type: ignore[misc]
