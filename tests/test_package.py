"""What holds for the package as a whole."""

import importlib.metadata
import subprocess
import sys

import optuna_dnas
from optuna_dnas import DNASConfig


def test_version_is_the_distributions() -> None:
    assert optuna_dnas.__version__ == importlib.metadata.version("optuna-dnas")


def test_import_leaves_torch_alone() -> None:
    code = "import sys, optuna_dnas, optuna_dnas.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_latent_is_loaded_without_the_compiler_of_torch() -> None:
    # It takes longer to import than everything else takes together.
    code = (
        "import sys\n"
        "from optuna_dnas.controller import load_or_pretrain\n"
        "from optuna_dnas.search_space import NASBench101Space\n"
        "load_or_pretrain(NASBench101Space(), None, device='cpu')\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_paper_preset_is_the_papers() -> None:
    config = DNASConfig.paper()
    assert config.declared.n_startup_trials == 100
    assert config.declared.n_pseudo_labelled == 10_000
    assert config.declared.pool_strategies[0].n_elite == 3
    assert [s.source for s in config.declared.strategies] == ["gradient"]
    assert config.semi_supervised is not None
