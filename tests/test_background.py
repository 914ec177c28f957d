"""Calls in the background: what they return and raise, forks, and the end of the process."""

from pathlib import Path
import subprocess
import sys
import threading

import pytest

from optuna_dnas._background import BackgroundCall
from optuna_dnas._background import stop_if_process_ends


def test_a_call_goes_on_in_another_thread_until_its_result_is_needed() -> None:
    started, go_on = threading.Event(), threading.Event()

    def work() -> threading.Thread:
        started.set()
        assert go_on.wait(timeout=60)
        return threading.current_thread()

    call = BackgroundCall(work)
    assert started.wait(timeout=60)
    go_on.set()
    assert call.result() is call.result() is not threading.current_thread()


def test_what_the_function_raises_is_raised_where_its_result_is_needed() -> None:
    error = ZeroDivisionError("once")

    def work() -> None:
        raise error

    call = BackgroundCall(work)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            call.result()
        assert caught.value is error


def test_nothing_stops_while_the_process_goes_on() -> None:
    stop_if_process_ends()
    assert BackgroundCall(stop_if_process_ends).result() is None


def _run_python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_forked_process_does_not_wait_for_a_thread_that_it_has_not() -> None:
    printed = _run_python(
        """
import os
import threading
import warnings
from optuna_dnas._background import BackgroundCall

warnings.simplefilter("ignore")  # of Python 3.12: this process has threads
started, go_on = threading.Event(), threading.Event()

def work():
    started.set()
    go_on.wait()
    return os.getpid()

call = BackgroundCall(work)
started.wait()
child = os.fork()
go_on.set()
if not child:
    os._exit(0 if call.result() == os.getpid() else 1)
print(os.waitpid(child, 0)[1], call.result() == os.getpid())
"""
    )
    assert printed == "0 True\n"


@pytest.mark.parametrize("moment", ["importing torch", "training"])
def test_a_process_ends_although_a_thread_is_busy(moment: str, tmp_path: Path) -> None:
    """With neither an abort, as native code without an interpreter would cause, nor a file."""
    _run_python(
        """
from pathlib import Path
import sys
import threading
from optuna_dnas._background import BackgroundCall
from optuna_dnas.controller import ControllerConfig
from optuna_dnas.controller._weights import load_or_pretrain
from optuna_dnas.search_space import NASBench101Space

training = threading.Event()

def work():
    load_or_pretrain(
        NASBench101Space(max_vertices=4),
        ControllerConfig(n_cells=500, n_steps=10**9),
        device="cpu",
        directory=Path(sys.argv[1]),
        on_progress=lambda *_: training.set(),
    )

BackgroundCall(work)
assert sys.argv[2] != "training" or training.wait(timeout=60)
""",
        str(tmp_path),
        moment,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_thread_that_outlives_the_main_one_does_for_itself_what_was_stopped() -> None:
    printed = _run_python(
        """
import threading
from optuna_dnas._background import BackgroundCall
from optuna_dnas._background import stop_if_process_ends

def work():
    threading.main_thread().join()
    stop_if_process_ends()
    return threading.current_thread()

call = BackgroundCall(work)
user = threading.Thread(target=lambda: print(call.result() is user))
user.start()
"""
    )
    assert printed == "True\n"
