"""How samplers are compared: problems, searches that count queries, and paired tests."""

from optuna_dnas._trials import is_feasible
from optuna_dnas.benchmarking._comparison import Comparison
from optuna_dnas.benchmarking._comparison import format_mean
from optuna_dnas.benchmarking._comparison import format_p
from optuna_dnas.benchmarking._comparison import format_summary
from optuna_dnas.benchmarking._comparison import format_table
from optuna_dnas.benchmarking._comparison import load_comparisons
from optuna_dnas.benchmarking._comparison import mean_and_error
from optuna_dnas.benchmarking._comparison import OVERHEADS
from optuna_dnas.benchmarking._comparison import REFERENCE
from optuna_dnas.benchmarking._problem import CellProblem
from optuna_dnas.benchmarking._problem import Problem
from optuna_dnas.benchmarking._problem import Progress
from optuna_dnas.benchmarking._records import append_records
from optuna_dnas.benchmarking._records import read_records
from optuna_dnas.benchmarking._run import run_search
from optuna_dnas.benchmarking._run import Search
from optuna_dnas.benchmarking._samplers import SamplerFactory
from optuna_dnas.benchmarking._samplers import SAMPLERS


__all__ = [
    "append_records",
    "CellProblem",
    "Comparison",
    "format_mean",
    "format_p",
    "format_summary",
    "format_table",
    "is_feasible",
    "load_comparisons",
    "mean_and_error",
    "OVERHEADS",
    "Problem",
    "Progress",
    "read_records",
    "REFERENCE",
    "run_search",
    "SamplerFactory",
    "SAMPLERS",
    "Search",
]
