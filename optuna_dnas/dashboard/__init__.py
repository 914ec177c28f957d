"""Studies of architectures in optuna-dashboard, which comes with ``optuna-dnas[dashboard]``."""

from optuna_dnas.dashboard._callback import DashboardCallback


__all__ = ["DashboardCallback"]
