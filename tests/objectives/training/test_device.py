"""Number formats and settings of a device, also of those that are not here."""

from collections.abc import Iterator
import threading
from typing import Any

import pytest
import torch

from optuna_dnas.objectives.training import cudnn_settings
from optuna_dnas.objectives.training import precision_text
from optuna_dnas.objectives.training import resolve_precision


CUDA, CPU = torch.device("cuda"), torch.device("cpu")
CUDNN: Any = torch.backends.cudnn


def settings() -> tuple[Any, ...]:
    return CUDNN.enabled, CUDNN.benchmark, CUDNN.deterministic, CUDNN.conv.fp32_precision


@pytest.fixture
def restored() -> Iterator[None]:
    """What a test sets is put back."""
    before, matmul = settings(), torch.backends.cuda.matmul.fp32_precision
    yield
    CUDNN.enabled, CUDNN.benchmark, CUDNN.deterministic, CUDNN.conv.fp32_precision = before
    torch.backends.cuda.matmul.fp32_precision = matmul


pytestmark = [
    pytest.mark.usefixtures("restored"),
    pytest.mark.skipif(not hasattr(CUDNN, "conv"), reason="PyTorch 2.9 brought these names."),
]


@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_settings_of_convolutions_are_ours_whatever_the_user_has_set(precision: str) -> None:
    CUDNN.conv.fp32_precision = precision
    CUDNN.benchmark = True
    before = settings()
    with cudnn_settings(CUDA, deterministic=True):
        assert settings() == (True, False, True, "tf32")
    assert settings() == before
    with cudnn_settings(CPU, deterministic=True):
        assert settings() == before


def test_threads_that_overlap_leave_the_settings_of_the_user() -> None:
    """The first to enter is the first to leave."""
    CUDNN.benchmark = True
    before = settings()
    is_within, may_leave = threading.Event(), threading.Event()
    seen: list[Any] = []

    def second() -> None:
        with cudnn_settings(CUDA, deterministic=True):
            is_within.set()
            may_leave.wait(30)
            seen.append(settings())

    thread = threading.Thread(target=second)
    with cudnn_settings(CUDA, deterministic=True):
        thread.start()
        is_within.wait(30)
    may_leave.set()
    thread.join(30)
    assert seen == [(True, False, True, "tf32")]
    assert settings() == before


def test_precision_is_told_where_it_is_not_single(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert precision_text("auto", "cpu") == precision_text("single", "cpu") == ""
    assert precision_text("bfloat16", "cpu") == " bfloat16"
    for capability, name in (((9, 0), "bfloat16"), ((7, 0), "float16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_, c=capability: c)
        assert precision_text("auto", "cuda") == f" {name}"
        assert precision_text("single", "cuda:0") == ""
        assert str(resolve_precision("auto", CUDA)) == f"torch.{name}"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert precision_text("single", "cuda") == " tf32"
    assert precision_text("single", "cpu") == ""
