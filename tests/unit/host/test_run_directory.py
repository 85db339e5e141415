"""The run directory is in memory, whatever holds it, and gone without a trace."""

import os
from pathlib import Path

import pytest

from wherry.host import run_directory


def kind(path: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return next((words[2] for words in reversed(mounts) if words[1] == str(path)), "")


@pytest.mark.root
def test_it_is_mounted_once_and_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    run = tmp_path / "a" / "run"
    assert run_directory.make(run)
    try:
        (run / "file").write_text("x")
        assert not run_directory.make(run)
        assert (kind(run), (run / "file").read_text(), run.stat().st_mode & 0o777) == ("tmpfs", "x", 0o700)
    finally:
        run_directory.remove(run)
    assert not run.exists()
    assert kind(run) == ""
    run_directory.remove(run)


@pytest.mark.root
def test_what_an_engine_of_before_has_there_on_a_disk_is_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    run_directory.make(tmp_path)
    assert (tmp_path / "lock").exists()
    assert not os.path.ismount(tmp_path)


def test_in_memory_already_it_is_a_directory_like_others() -> None:
    run = Path("/dev/shm") / f"wherry-test-{os.getpid()}"
    run_directory.make(run)
    try:
        assert not run.is_mount()
    finally:
        run_directory.remove(run)
    assert not run.exists()
