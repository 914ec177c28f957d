"""A command that is killed in the middle of its work."""

from pathlib import Path
import signal
import subprocess
import time


def run_and_kill(command: list[str], output: Path, n_lines: int, *, folder: Path) -> None:
    """Start ``command``, kill it once ``output`` has so many lines, and see its workers end."""
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (output.exists() and output.read_text().count("\n") >= n_lines):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline, "A worker has outlived its parent."
        time.sleep(0.01)
