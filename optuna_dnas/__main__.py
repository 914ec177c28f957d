"""``python -m optuna_dnas``: for launchers of several processes, which start modules."""

from optuna_dnas.cli import main


if __name__ == "__main__":
    main(prog_name="optuna-dnas")
