"""Studies of architectures in optuna-dashboard, which comes with ``optuna-dnas[dashboard]``."""

from optuna_dnas.dashboard._app import wsgi
from optuna_dnas.dashboard._callback import DashboardCallback
from optuna_dnas.dashboard._format import optuna_dashboard


__all__ = ["DashboardCallback", "optuna_dashboard", "wsgi"]
