"""Files are written as a whole or not at all, and a cache is where the user may write."""

import os
from pathlib import Path
import resource
import stat
import subprocess
import sys

import pytest

from optuna_dnas._files import _temporary_cache
from optuna_dnas._files import cache_directory
from optuna_dnas._files import write_atomically


@pytest.fixture
def umask() -> int:
    """That of the user."""
    known = os.umask(0)
    os.umask(known)
    return known


def test_a_new_file_has_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "report.html"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    path.chmod(0o604)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_full_device_is_told() -> None:
    with pytest.raises(OSError, match="No space left on device: it cannot be written"):
        write_atomically("/dev/full", b"new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def limited(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it where no file may be larger than a thousand bytes, as on a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=folder, preexec_fn=limit, capture_output=True, text=True)


def test_a_full_disk_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")
    code = (
        "from optuna_dnas._files import write_atomically\n"
        "write_atomically('report.html', bytes(100_000))"
    )
    done = limited(code, tmp_path)
    assert done.returncode == 1
    assert "it cannot be written; the file before it is kept: 'report.html'" in done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_part_of_a_new_file(tmp_path: Path) -> None:
    code = (
        "from optuna_dnas._files import write_atomically\n"
        "write_atomically('report.html', bytes(100_000))"
    )
    assert limited(code, tmp_path).returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_long_name_is_no_longer_for_us(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_the_cache_is_that_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "optuna-dnas"


def unknown_home(*_: object) -> str:
    raise RuntimeError("could not determine the home directory")


@pytest.fixture(params=[unknown_home, lambda *_: "~/.cache/optuna-dnas"], ids=["error", "tilde"])
def homeless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """No home directory, as a user without a name has; the folder of temporary files."""
    monkeypatch.setattr("platformdirs.user_cache_dir", request.param)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _temporary_cache.cache_clear()
    return tmp_path


def test_without_a_home_the_cache_is_among_temporary_files(homeless: Path) -> None:
    folder = cache_directory()
    assert folder == homeless / f"optuna-dnas-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_directory() == folder


def test_what_another_user_has_put_there_is_not_the_cache(
    homeless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = homeless / "optuna-dnas-12345"
    theirs.mkdir()
    monkeypatch.setattr("os.getuid", lambda: 12345)
    folder = cache_directory()
    assert folder.parent == homeless
    assert folder != theirs
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
