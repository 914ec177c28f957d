"""What is searched. A problem is made once in each process."""

from collections.abc import Callable

from benchmarks.budget_problems import AnonymousBudgetProblem
from benchmarks.budget_problems import BudgetProblem
from benchmarks.budget_problems import TimeBudgetProblem
from benchmarks.flat_problems import AnonymousCells
from benchmarks.flat_problems import CategoryTable
from benchmarks.flat_problems import Divergence
from benchmarks.flat_problems import Hartmann6
from benchmarks.flat_problems import Mixed
from benchmarks.flat_problems import Regression
from benchmarks.flat_problems import Sparse24
from benchmarks.options import open_table
from benchmarks.pareto_problems import ParetoProblem
from optuna_dnas.benchmarking import CellProblem
from optuna_dnas.benchmarking import Problem
from optuna_dnas.objectives import DigitsCellObjective
from optuna_dnas.objectives import NASBench101Objective


def _nasbench101(*metrics: str) -> NASBench101Objective:
    """Mean over the runs of 108 epochs."""
    return NASBench101Objective(open_table(), metrics=metrics)


def _digits(*metrics: str) -> DigitsCellObjective:
    """Mean over three trainings."""
    return DigitsCellObjective(metrics=metrics)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "nasbench101-test": lambda: CellProblem(_nasbench101("test_accuracy")),
    "nasbench101-validation": lambda: CellProblem(
        _nasbench101("validation_accuracy"), "test_accuracy"
    ),
    "nasbench101-flat": lambda: AnonymousCells(_nasbench101("test_accuracy")),
    "digits": lambda: CellProblem(_digits("validation_accuracy")),
    "digits-flat": lambda: AnonymousCells(_digits("validation_accuracy")),
    # About three quarters of the cells are more accurate than the reference point.
    "nasbench101-pareto": lambda: ParetoProblem(_nasbench101("test_accuracy", "params"), 0.9),
    "nasbench101-pareto-linear": lambda: ParetoProblem(
        _nasbench101("test_accuracy", "params"), 0.9, logarithmic=False
    ),
    "nasbench101-pareto-flops": lambda: ParetoProblem(_nasbench101("test_accuracy", "flops"), 0.9),
    "nasbench101-pareto-3": lambda: ParetoProblem(
        _nasbench101("test_accuracy", "flops", "training_time"), 0.9
    ),
    "digits-pareto": lambda: ParetoProblem(_digits("validation_accuracy", "flops"), 0.78),
    "digits-pareto-linear": lambda: ParetoProblem(
        _digits("validation_accuracy", "flops"), 0.78, logarithmic=False
    ),
    "digits-pareto-3": lambda: ParetoProblem(
        _digits("validation_accuracy", "flops", "training_time"), 0.78
    ),
    # Test accuracy; multiply-adds at most those of so many percent of the cells, or in a band.
    "nasbench101-flops-10": lambda: BudgetProblem(open_table(), 10),
    "nasbench101-flops-25": lambda: BudgetProblem(open_table(), 25),
    "nasbench101-flops-50": lambda: BudgetProblem(open_table(), 50),
    "nasbench101-flops-75": lambda: BudgetProblem(open_table(), 75),
    "nasbench101-flops-10-25": lambda: BudgetProblem(open_table(), 25, least=10),
    "nasbench101-flops-25-50": lambda: BudgetProblem(open_table(), 50, least=25),
    "nasbench101-flops-50-75": lambda: BudgetProblem(open_table(), 75, least=50),
    # Limits that only a query tells: the median of multiply-adds, of training times.
    "digits-flat-flops": lambda: AnonymousBudgetProblem(50),
    "digits-time": lambda: TimeBudgetProblem(50),
    "categories": CategoryTable,
    "regression": Regression,
    "hartmann6": Hartmann6,
    "mixed": Mixed,
    "sparse24": Sparse24,
    "divergence": Divergence,
}
