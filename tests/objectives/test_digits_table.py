"""The table of digits that comes with the package."""

from collections.abc import Callable
from importlib import resources
import io
import itertools
import math
from pathlib import Path
import pickle
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from optuna_dnas.exceptions import CorruptFileError
from optuna_dnas.exceptions import OutOfDomainError
from optuna_dnas.objectives import DigitsTable
from optuna_dnas.search_space import ModelSpec
from optuna_dnas.search_space import NASBench101Space


ACCURACIES = ("train_accuracy", "validation_accuracy", "test_accuracy")
NAMES = ("training_time", *ACCURACIES)
STOPS = ("halfway", "final")
TABLE = DigitsTable.load()
SPACE = NASBench101Space(max_vertices=5, network=TABLE.settings.network)
FILE = resources.files("optuna_dnas.objectives").joinpath("digits.npz")
CHAIN_OF_6 = ModelSpec.parse(
    "conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu"
    "|010000/001000/000100/000010/000001/000000"
)


def writings(spec: ModelSpec) -> set[ModelSpec]:
    """The cell in all vertex orders in which every edge goes forward."""
    n = len(spec.ops)
    orders = [[0, *interior, n - 1] for interior in itertools.permutations(range(1, n - 1))]
    matrices = [(spec.matrix[np.ix_(order, order)], order) for order in orders]
    return {
        ModelSpec(matrix, [spec.ops[v] for v in order])
        for matrix, order in matrices
        if not np.tril(matrix).any()
    }


def test_table_holds_the_unique_cells_of_the_space() -> None:
    specs = SPACE.tokens_to_architectures(SPACE.enumerate_tokens())
    assert len(TABLE) == len(specs) == 2_532
    digests = [bytes(digest).hex() for digest in TABLE.hashes]
    assert digests == sorted(spec.hash() for spec in specs)
    assert digests == [TABLE.cell(i).hash() for i in range(len(TABLE))]
    assert {TABLE.cell(i) for i in range(len(TABLE))} == set(specs)
    assert all(spec in TABLE for spec in specs)


def test_isomorphic_cells_have_one_answer() -> None:
    n_writings = 0
    for index in range(len(TABLE)):
        spec = TABLE.cell(index)
        twins = writings(spec)
        assert spec in twins
        assert {TABLE.query(twin) for twin in twins} == {TABLE.query(spec)}
        n_writings += len(twins)
    assert n_writings > 1.2 * len(TABLE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stop", STOPS)
def test_mean_is_that_of_the_runs(name: str, stop: str) -> None:
    means = TABLE.mean(name, stop=stop)
    for index in range(0, len(TABLE), 10):
        spec = TABLE.cell(index)
        runs = [getattr(TABLE.query(spec, repeat=r, stop=stop), name) for r in range(3)]
        assert means[index] == getattr(TABLE.query(spec, stop=stop), name) == np.mean(runs)


def test_costs_are_those_of_the_space() -> None:
    costs = [SPACE.cost(TABLE.cell(i)) for i in range(len(TABLE))]
    assert TABLE.mean("flops").tolist() == [cost.flops for cost in costs]
    assert TABLE.mean("params").tolist() == [cost.params for cost in costs]
    assert TABLE.query(TABLE.cell(7)).trainable_parameters == costs[7].params


@pytest.mark.parametrize("name", ACCURACIES)
def test_accuracies_are_shares_of_the_images(name: str) -> None:
    n_images = TABLE.settings.n_images[name.removesuffix("_accuracy")]
    for stop, index in itertools.product(STOPS, range(0, len(TABLE), 10)):
        accuracy = getattr(TABLE.query(TABLE.cell(index), repeat=1, stop=stop), name)
        assert 0 < accuracy == round(accuracy * n_images) / n_images <= 1


def test_training_takes_time_and_helps() -> None:
    halfway, final = ({name: TABLE.mean(name, stop=stop) for name in NAMES} for stop in STOPS)
    assert (halfway["training_time"] > 0).all()
    assert (halfway["training_time"] < final["training_time"]).all()
    for name in ACCURACIES:
        assert halfway[name].mean() < final[name].mean()


def test_table_describes_itself() -> None:
    settings = TABLE.settings
    assert TABLE.metric_names == NAMES
    assert TABLE.n_repeats == len(settings.seeds) == 3
    assert sum(settings.n_images.values()) == 1_797
    assert settings.n_images["train"] == settings.data["n_train"]
    assert settings.network.stem_channels == settings.config["stem_channels"]
    assert repr(TABLE) == "DigitsTable.load()"


def test_process_reads_the_table_once() -> None:
    assert DigitsTable.load() is TABLE
    text = pickle.dumps(TABLE)
    assert len(text) < 200
    assert pickle.loads(text) is TABLE


def test_table_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        TABLE.hashes[0, 0] = 1
    best = TABLE.mean("flops").copy()
    TABLE.mean("flops")[:] = 0.0
    assert (TABLE.mean("flops") == best).all()


def test_table_is_small_and_quick_to_load() -> None:
    assert len(FILE.read_bytes()) <= 500_000
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        DigitsTable()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


def test_table_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys\n"
        "from optuna_dnas.objectives import DigitsCellObjective\n"
        "objective = DigitsCellObjective()\n"
        "objective.evaluate(objective.space.architecture_to_params(objective.table.cell(0)))\n"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeat": 3}, r"`repeat` must be in 0\.\.2, but got 3"),
        ({"repeat": -1}, r"`repeat` must be in 0\.\.2, but got -1"),
        ({"stop": "end"}, r"`stop` must be one of \('halfway', 'final'\), but got 'end'"),
    ],
)
def test_error_names_option_and_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TABLE.query(TABLE.cell(0), **options)


def test_mean_of_another_metric_or_stop_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`metric` must be of .*'params'.*, but got 'accuracy'"):
        TABLE.mean("accuracy")
    with pytest.raises(ValueError, match=r"`stop` must be one of .*, but got 'end'"):
        TABLE.mean("test_accuracy", stop="end")


def test_larger_cell_is_out_of_domain() -> None:
    assert CHAIN_OF_6 not in TABLE
    assert "a text" not in TABLE
    with pytest.raises(OutOfDomainError, match=r"does not hold the cell conv3x3-bn-relu,"):
        TABLE.query(CHAIN_OF_6)


def rewritten(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The file with other arrays."""
    with np.load(io.BytesIO(FILE.read_bytes())) as archive:
        arrays = dict(archive)
    change(arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_cut_file_is_corrupt(tmp_path: Path, share: float) -> None:
    content = FILE.read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(content[: math.floor(share * len(content))])
    with pytest.raises(CorruptFileError, match=r"cut\.npz: cannot be read as a table of digits"):
        DigitsTable(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_changed_byte_is_noticed(tmp_path: Path, share: float) -> None:
    content = bytearray(FILE.read_bytes())
    content[math.floor(share * len(content))] ^= 0xFF
    path = tmp_path / "changed.npz"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"changed\.npz: "):
        DigitsTable(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("n_correct"), "n_correct"),
        (lambda arrays: arrays.update(settings=np.zeros(3, np.uint8)), "cannot be read"),
        (lambda arrays: arrays.update(flops=arrays["flops"][1:]), "`flops` should be"),
        (lambda arrays: arrays.update(cells=arrays["cells"][::-1]), "not sorted by hash"),
        (
            lambda arrays: arrays.update(n_correct=arrays["n_correct"].astype(float)),
            "`n_correct` should be .* of uint16, but is .* of float64",
        ),
        (
            lambda arrays: arrays.update(n_correct=arrays["n_correct"][:, :2]),
            r"`n_correct` should be \(2532, 3, 2, 3\) .*, but is \(2532, 2, 2, 3\)",
        ),
        (
            lambda arrays: arrays.update(n_correct=arrays["n_correct"] + np.uint16(900)),
            "more images are correct than there are",
        ),
    ],
)
def test_file_of_another_content_is_corrupt(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(rewritten(change))
    with pytest.raises(CorruptFileError, match=rf"other\.npz: .*{message}"):
        DigitsTable(path)


def test_pickles_of_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    path.write_bytes(
        rewritten(lambda arrays: arrays.update(flops=np.array([print] * 2_532, dtype=object)))
    )
    with pytest.raises(CorruptFileError, match="allow_pickle=False"):
        DigitsTable(path)


def test_another_file_is_another_table(tmp_path: Path) -> None:
    path = tmp_path / "twice.npz"
    path.write_bytes(rewritten(lambda arrays: arrays.update(flops=2 * arrays["flops"])))
    table = pickle.loads(pickle.dumps(DigitsTable(path)))
    assert (table.mean("flops") == 2 * TABLE.mean("flops")).all()
    with pytest.raises(FileNotFoundError, match=r"missing\.npz"):
        DigitsTable(tmp_path / "missing.npz")
