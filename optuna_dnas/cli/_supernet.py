"""``optuna-dnas supernet``."""

import importlib

import click


_COMMANDS = ("train", "search", "retrain", "export")


class _Commands(click.Group):
    """They show defaults of what needs torch, and are not imported before they are asked for."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order in which they are used."""
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Of `list_commands`."""
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"optuna_dnas.cli._supernet_{name}")
        command: click.Command = getattr(module, name)
        return command


_EXAMPLE = """\b
For example:
  optuna-dnas supernet train --dataset digits --steps 200 --output ckpt
  optuna-dnas supernet search --checkpoint ckpt --dataset digits --trials 30 \\
    --storage sqlite:///s.db
  optuna-dnas supernet retrain --storage sqlite:///s.db --study-name digits-supernet \\
    --dataset digits --epochs 60 --output best
  optuna-dnas supernet export --network best --output best-network
"""


@click.group(cls=_Commands, epilog=_EXAMPLE)
def supernet() -> None:
    """Search for the best mobile network for your images.

    One network that holds all others is trained once. It tells within a moment about how good
    each of them is, and the best one is then trained from scratch.
    """
