"""Why an architecture was chosen, for somebody who has not read the code."""

from optuna_dnas.explanation._course import Course
from optuna_dnas.explanation._course import Period
from optuna_dnas.explanation._course import SourceShare
from optuna_dnas.explanation._effects import Effect
from optuna_dnas.explanation._explain import Chosen
from optuna_dnas.explanation._explain import explain
from optuna_dnas.explanation._explain import Explanation
from optuna_dnas.explanation._explain import Provenance
from optuna_dnas.explanation._factors import FactorFinding
from optuna_dnas.explanation._figures import ReportFigure
from optuna_dnas.explanation._html import to_html
from optuna_dnas.explanation._words import summary


__all__ = [
    "Chosen",
    "Course",
    "Effect",
    "Explanation",
    "FactorFinding",
    "Period",
    "Provenance",
    "ReportFigure",
    "SourceShare",
    "explain",
    "summary",
    "to_html",
]
