"""The objective of any weight-sharing model, in studies."""

from collections.abc import Iterator
from copy import deepcopy
import inspect
import math
import pickle
import sys
import textwrap
import threading
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
import pytest
import torch

from optuna_dnas import DNASSampler
from optuna_dnas._declaration import declared_metrics
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import LATENCY
from optuna_dnas.objectives import Metric
from optuna_dnas.objectives import SupernetObjective
from optuna_dnas.objectives import WeightSharingModel
from optuna_dnas.objectives.training import InsufficientMemoryError
from optuna_dnas.objectives.training import LatencyConfig
from optuna_dnas.objectives.training import LatencyMeter
from optuna_dnas.search_space import Cost
from optuna_dnas.search_space import FlatSpace
from optuna_dnas.search_space import MobileNetSpace
from optuna_dnas.search_space import MobileNetSpec
from optuna_dnas.search_space import SearchSpace

from .toy import OTHER_SPEC
from .toy import SHAPE
from .toy import SPEC


Params = dict[str, Any]

# The same network: where in its stage a layer is skipped does not matter.
TWIN = MobileNetSpec.parse("k3e3 k5e1 k5e3 k3e1 skip")
WIDTHS = FlatSpace({"width": IntDistribution(1, 9), "depth": IntDistribution(1, 9)})


class FakeModel:
    """Accuracy, cost and digest are told by functions; keeps what it has been asked for."""

    def __init__(self, space: SearchSpace[Any] | None = None, **answers: Any) -> None:
        self.space = space or MobileNetSpace(SHAPE)
        self.answers = {"digest": "weights 0", "cost": lambda _: None} | answers
        self.active: Any = None
        self.evaluated: list[Any] = []

    def activate(self, architecture: Any) -> None:
        self.active = architecture

    def cost(self) -> Cost | None:
        cost: Cost | None = self.answers["cost"](self.active)
        return cost

    def evaluate(self) -> dict[str, float]:
        self.evaluated.append(self.active)
        default = {"validation_accuracy": 1 / (1 + len(self.evaluated))}
        results: dict[str, float] = self.answers.get("evaluate", lambda _: default)(self.active)
        return results

    def digest(self) -> str:
        digest: str = self.answers["digest"]
        return digest


def flat_cost(params: Params) -> Cost:
    return Cost(flops=10 * params["width"], params=params["width"] + params["depth"])


def flat_model(**answers: Any) -> FakeModel:
    defaults = {"cost": flat_cost, "evaluate": lambda p: {"validation_accuracy": p["width"] / 10}}
    return FakeModel(WIDTHS, **(defaults | answers))


def run(
    objective: SupernetObjective[Any], *architectures: Any, study: optuna.Study | None = None
) -> list[FrozenTrial]:
    """The trials of the architectures, with the parameters as written."""
    study = study or optuna.create_study(directions=objective.directions)
    n_before = len(study.trials)
    for architecture in architectures:
        params = architecture
        if isinstance(architecture, MobileNetSpec):
            params = dict(zip(objective.search_space, str(architecture).split(), strict=True))
        study.enqueue_trial(params)
    study.optimize(objective, n_trials=len(architectures))
    return study.trials[n_before:]


def build_network(spec: Any) -> torch.nn.Module:
    return torch.nn.Flatten()


def meter(**options: Any) -> LatencyMeter[Any]:
    config = LatencyConfig(n_repeats=1, n_warm_up=0)
    defaults = {"build": build_network, "image_shape": (1, 2, 2), "config": config}
    return LatencyMeter(**(defaults | options))


def test_trial_keeps_what_is_known_of_a_subnet() -> None:
    model = FakeModel()
    objective = SupernetObjective(model)
    (trial,) = run(objective, SPEC)
    cost = model.space.cost(SPEC)
    assert trial.value == 0.5
    assert cost is not None
    assert trial.user_attrs == {
        "architecture": str(SPEC),
        "architecture_hash": model.space.hash(SPEC),
        "flops": cost.flops,
        "params": cost.params,
        "supernet_digest": trial.user_attrs["supernet_digest"],
    }
    assert model.evaluated == [SPEC]
    assert objective.metric_names == ["validation_accuracy"]
    assert objective.directions == [StudyDirection.MAXIMIZE]


def test_what_else_a_model_tells_is_kept() -> None:
    results = {"validation_accuracy": 0.25, "top5": torch.tensor(0.75)}
    (trial,) = run(SupernetObjective(FakeModel(evaluate=lambda _: results)), SPEC)
    assert trial.value == 0.25
    assert trial.user_attrs["top5"] == 0.75
    assert "validation_accuracy" not in trial.user_attrs


def test_a_model_may_offer_any_metric_and_any_cost() -> None:
    model = FakeModel(
        WIDTHS,
        evaluate=lambda params: {"psnr": 3.0 * params["width"], "ssim": 0.5},
        cost=lambda params: Cost(memory_mb=0.5 * params["depth"]),
    )
    objective = SupernetObjective(
        model,
        metrics=["psnr", "memory_mb"],
        offered=[Metric("psnr", unit="dB"), Metric("ssim")],
        cost_names=["memory_mb"],
        limits={"memory_mb": (1, 3)},
    )
    assert objective.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    study = optuna.create_study(directions=objective.directions)
    study.enqueue_trial({"width": 2, "depth": 8})
    study.optimize(objective, n_trials=1)
    (trial,) = study.trials
    assert trial.values == [6.0, 4.0]
    assert trial.constraints == {"max_memory_mb": 1.0, "min_memory_mb": -3.0}
    assert (trial.user_attrs["ssim"], trial.user_attrs["memory_mb"]) == (0.5, 4.0)
    assert declared_metrics(study) == tuple(objective.offered)


def test_a_cost_that_is_limited_must_be_told() -> None:
    model = FakeModel(WIDTHS, cost=lambda _: Cost(flops=1))
    objective = SupernetObjective(model, limits={"params": 5})
    with pytest.raises(ValueError, match=r"`model.cost\(\)` must give params, .*Cost\(flops=1\)"):
        run(objective, {"width": 1, "depth": 1})


def test_costs_of_the_space_can_be_optimised() -> None:
    model = FakeModel()
    objective = SupernetObjective(model, metrics=["flops", "validation_accuracy", "params"])
    assert objective.directions == [
        StudyDirection.MINIMIZE,
        StudyDirection.MAXIMIZE,
        StudyDirection.MINIMIZE,
    ]
    (trial,) = run(objective, SPEC)
    cost = model.space.cost(SPEC)
    assert cost is not None
    assert trial.values == [cost.flops, 0.5, cost.params]


def test_exact_limits_are_known_to_the_space() -> None:
    cost = MobileNetSpace(SHAPE).cost(SPEC)
    objective = SupernetObjective(
        FakeModel(), limits={"flops": cost.flops - 1, "params": (cost.params, None)}
    )
    assert objective.limits == {"max_flops": cost.flops - 1, "min_params": cost.params}
    assert objective.space.limits == objective.cost_limits
    (trial,) = run(objective, SPEC)
    assert trial.constraints == {"max_flops": 1, "min_params": 0}
    assert objective.evaluate_constraints(trial.params) == trial.constraints


def test_costs_that_only_the_model_knows_are_constraints() -> None:
    objective = SupernetObjective(
        flat_model(),
        metrics=["validation_accuracy", "flops"],
        limits={"flops": 35, "params": (4, None)},
    )
    assert objective.limits == {"max_flops": 35, "min_params": 4}
    assert not objective.space.limits
    (trial,) = run(objective, {"width": 4, "depth": 2})
    assert trial.values == [0.4, 40]
    assert trial.user_attrs["params"] == 6
    assert trial.constraints == {"max_flops": 5, "min_params": -2}
    assert objective.evaluate_constraints(trial.params) == trial.constraints
    assert objective.evaluate(trial.params) == (0.4, 40)


def test_the_sampler_learns_costs_that_only_the_model_knows() -> None:
    """The best of those within a limit is found, and what breaks it is proposed less and less."""
    objective = SupernetObjective(flat_model(), limits={"flops": 35})
    study = optuna.create_study(
        direction="maximize", sampler=DNASSampler(space=objective.space, seed=0)
    )
    study.optimize(objective, n_trials=40)
    assert study.best_trial.params["width"] == 3
    is_broken = [trial.constraints["max_flops"] > 0 for trial in study.trials]
    assert sum(is_broken[-10:]) < sum(is_broken[:10])


def test_nobody_has_to_know_a_cost_that_nobody_asks_for() -> None:
    (trial,) = run(SupernetObjective(FakeModel(WIDTHS)), {"width": 1, "depth": 1})
    assert trial.state == TrialState.COMPLETE
    assert "flops" not in trial.user_attrs


@pytest.mark.parametrize("options", [{"limits": {"params": 9}}, {"metrics": ["flops"]}])
def test_a_cost_that_is_asked_for_has_to_be_known(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"`model.cost\(\)` must give \w+, limited or optimised, but got None"
    ):
        run(SupernetObjective(FakeModel(WIDTHS), **options), {"width": 1, "depth": 1})


@pytest.mark.parametrize("metrics", [["validation_accuracy"], ["flops", "params"]])
def test_an_equivalent_subnet_is_evaluated_once(metrics: list[str]) -> None:
    model = FakeModel()
    first, twin, other, again = run(
        SupernetObjective(model, metrics=metrics), SPEC, TWIN, OTHER_SPEC, SPEC
    )
    assert model.evaluated == [SPEC, OTHER_SPEC]
    assert [t.user_attrs.get("reused_from") for t in (first, twin, other, again)] == [
        *(None, 0, None, 0)
    ]
    assert twin.values == first.values == again.values
    assert twin.user_attrs["architecture"] == str(TWIN)
    key = "validation_accuracy"
    assert twin.user_attrs.get(key) == first.user_attrs.get(key)


def test_other_weights_are_evaluated_again() -> None:
    study = optuna.create_study(direction="maximize")
    for digest in ("weights 0", "weights 1"):
        model = FakeModel(digest=digest)
        run(SupernetObjective(model), SPEC, study=study)
        assert model.evaluated == [SPEC]
    assert len({trial.user_attrs["supernet_digest"] for trial in study.trials}) == 2


def test_a_worker_reuses_what_another_one_has_evaluated() -> None:
    """Each has a model of its own, with the same digest."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(direction="maximize", storage=storage, study_name="shared")
    run(SupernetObjective(FakeModel()), SPEC, study=study)
    model = FakeModel()
    other = optuna.load_study(storage=storage, study_name="shared")
    (trial,) = run(SupernetObjective(model), TWIN, study=other)
    assert model.evaluated == []
    assert trial.user_attrs["reused_from"] == 0


def test_latency_is_optimised_and_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here every layer takes a millisecond."""
    monkeypatch.setattr(LatencyMeter, "measure", lambda _, spec: float(str(spec).count("e")))
    model = FakeModel()
    objective = SupernetObjective(
        model,
        metrics=["validation_accuracy", "latency"],
        limits={"latency": 4.0},
        latency_meter=meter(),
    )
    assert objective.limits == {"max_latency": 4.0}
    slow = MobileNetSpec.parse("k3e3 k5e1 k5e3 k5e3 k5e3")
    fast, twin, slower = run(objective, SPEC, TWIN, slow)
    assert fast.values == twin.values == [0.5, 4.0]
    assert fast.constraints == twin.constraints == {"max_latency": 0.0}
    assert fast.user_attrs["latency_device"] == objective.latency_conditions["latency_device"]
    assert (slower.state, slower.constraints) == (TrialState.PRUNED, {"max_latency": 1.0})
    assert model.evaluated == [SPEC]


def test_latency_that_nobody_asks_for_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LatencyMeter, "measure", lambda *_: pytest.fail("measured"))
    objective = SupernetObjective(FakeModel(), latency_meter=meter())
    (trial,) = run(objective, SPEC)
    assert "latency" not in trial.user_attrs
    assert objective.latency_conditions == {}


def test_an_architecture_that_is_none_is_pruned_with_the_reason() -> None:
    def refuse(_: Any) -> Any:
        raise OutOfDomainError("too deep")

    (trial,) = run(SupernetObjective(FakeModel(evaluate=refuse)), SPEC)
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs["invalid"] == "too deep"


def test_too_little_memory_is_pruned_and_the_study_goes_on() -> None:
    def fail(spec: Any) -> Any:
        if spec == SPEC:
            raise InsufficientMemoryError("too large")
        return {"validation_accuracy": 0.5}

    trials = run(SupernetObjective(FakeModel(evaluate=fail)), SPEC, OTHER_SPEC)
    assert [trial.state for trial in trials] == [TrialState.PRUNED, TrialState.COMPLETE]
    assert trials[0].user_attrs["failure"] == "too large"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["test_accuracy"]}, "`metrics` must be of .* but got 'test_accuracy'"),
        ({"limits": {"flops": 0}}, r"`limits\['flops'\]` must be positive, but got 0"),
        ({"limits": {"flops": 1}}, r"`limits\['flops'\]` must be at least .*, but got 1"),
        (
            {"limits": {"latency": 0.0}, "latency_meter": meter()},
            r"`limits\['latency'\]` must be positive",
        ),
        ({"offered": [LATENCY]}, "`offered` must be metrics of different names"),
        (
            {"limits": {"memory": 5}},
            r"`limits` must be of \('flops', 'params', 'latency'\), but got 'memory'",
        ),
        ({"limits": {"latency": 1.0}}, "`latency_meter` must be given .* but got None"),
        ({"metrics": ["latency"]}, "`latency_meter` must be given .* but got None"),
    ],
)
def test_errors_name_argument_and_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SupernetObjective(FakeModel(), **options)


def test_a_model_without_accuracy_is_an_error() -> None:
    objective = SupernetObjective(FakeModel(evaluate=lambda _: {"accuracy": 1.0}))
    with pytest.raises(ValueError, match=r"must give 'validation_accuracy', but got {'accuracy'"):
        run(objective, SPEC)


def test_the_example_of_the_documentation_works() -> None:
    text = textwrap.dedent(inspect.getdoc(WeightSharingModel).split("::\n", 1)[1])  # type: ignore[union-attr]
    names: dict[str, Any] = {}
    exec(text[: text.index("objective =")], names)
    torch.manual_seed(0)
    hidden, output = torch.nn.Linear(4, 64), torch.nn.Linear(64, 3)
    model = names["SlimmableModel"](hidden, output, torch.randn(9, 4), torch.arange(9) % 3)
    objective: SupernetObjective[Params] = SupernetObjective(model, limits={"flops": 350})
    trials = run(objective, {"width": 64}, {"width": 50})
    logits = output(hidden(model.images).relu())
    assert trials[0].value == (logits.argmax(dim=1) == model.labels).float().mean().item()
    whole = sum(p.numel() for layer in (hidden, output) for p in layer.parameters())
    assert trials[0].user_attrs["params"] == whole
    assert [trial.constraints["max_flops"] for trial in trials] == [98, 0]


class WatchedModel(FakeModel):
    """Accuracy by width; notes whenever what it is asked for is not of the thread that it was."""

    def __init__(self) -> None:
        super().__init__(WIDTHS)
        self.owner = 0
        self.n_disturbed = 0

    def activate(self, architecture: Any) -> None:
        super().activate(architecture)
        self.owner = threading.get_ident()

    def _check(self) -> None:
        sum(range(2_000))  # Long enough for another thread to take its turn.
        self.n_disturbed += self.owner != threading.get_ident()

    def cost(self) -> Cost | None:
        self._check()
        return flat_cost(self.active)

    def evaluate(self) -> dict[str, float]:
        self._check()
        return {"validation_accuracy": self.active["width"] / 10}


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads change as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_threads_of_several_studies_share_a_model() -> None:
    """Each value is that of its own subnet; one objective would not be enough."""
    model = WatchedModel()
    studies = []

    def search(seed: int) -> None:
        objective = SupernetObjective(model, limits={"flops": 50})
        sampler = optuna.samplers.RandomSampler(seed=seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=40, n_jobs=2)
        studies.append(study)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.n_disturbed == 0
    for trial in (trial for study in studies for trial in study.trials):
        assert trial.value == trial.params["width"] / 10
        assert trial.user_attrs["flops"] == flat_cost(trial.params).flops
    assert len(studies) == 2


@pytest.mark.usefixtures("restless")
def test_latency_of_a_subnet_is_measured_in_its_turn() -> None:
    """What the meter builds is of the model, too."""
    model = WatchedModel()

    def build(architecture: Any) -> torch.nn.Module:
        model.activate(architecture)
        model._check()
        return torch.nn.Flatten()

    objective = SupernetObjective(
        model, metrics=["validation_accuracy", "latency"], latency_meter=meter(build=build)
    )
    study = optuna.create_study(directions=objective.directions)
    study.optimize(objective, n_trials=40, n_jobs=4)
    assert model.n_disturbed == 0


def test_an_objective_is_copied_and_pickled_after_it_was_used() -> None:
    objective = SupernetObjective(flat_model())
    run(objective, {"width": 4, "depth": 2})
    assert deepcopy(objective).evaluate({"width": 5, "depth": 1}) == 0.5
    objective = SupernetObjective(FakeModel())
    objective.model.answers = {"digest": "", "cost": flat_cost}  # Of what can be pickled.
    copy = pickle.loads(pickle.dumps(objective))
    assert copy.evaluate(objective.space.architecture_to_params(SPEC)) == 0.5


@pytest.mark.parametrize("metrics", [["validation_accuracy"], ["flops"]])
def test_an_accuracy_that_is_no_number_is_a_failure(metrics: list[str]) -> None:
    def accuracy(spec: Any) -> dict[str, float]:
        return {"validation_accuracy": math.nan if spec == SPEC else 0.5}

    objective = SupernetObjective(FakeModel(evaluate=accuracy), metrics=metrics)
    first, second = run(objective, SPEC, OTHER_SPEC)
    assert (first.state, second.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert first.user_attrs["failure"] == "The validation_accuracy of the subnet is nan."
