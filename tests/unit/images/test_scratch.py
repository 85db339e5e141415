"""The directories of builds: each goes with its build, and with the next one if its build was killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.images.scratch import BUILD, CONTEXT, scratch

_KILLS_ITSELF = """
import os, signal, sys; from pathlib import Path; from wherry.images.scratch import BUILD, scratch
with scratch(Path(sys.argv[1]), BUILD) as directory:
    (directory / "layout").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def there(store: Path) -> list[str]:
    return sorted(path.name[:7] for path in store.iterdir() if path.is_dir())


def test_a_directory_is_there_as_long_as_its_build(tmp_path: Path) -> None:
    with scratch(tmp_path, BUILD) as directory:
        (directory / "layout").mkdir()
        assert directory.parent == tmp_path
    assert there(tmp_path) == []


def test_a_build_that_fails_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path, BUILD):
        raise KeyboardInterrupt
    assert there(tmp_path) == []


def test_what_a_killed_build_left_goes_when_the_next_begins(tmp_path: Path) -> None:
    (tmp_path / ".context-older" / "app").mkdir(parents=True)
    killed = subprocess.run([sys.executable, "-c", _KILLS_ITSELF, str(tmp_path)])
    assert (killed.returncode, there(tmp_path)) == (-signal.SIGKILL, [".build-"])
    with scratch(tmp_path, BUILD) as directory:
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == [directory]


def test_builds_that_run_at_the_same_time_leave_each_other_alone(tmp_path: Path) -> None:
    with scratch(tmp_path, CONTEXT), scratch(tmp_path, BUILD), scratch(tmp_path, BUILD):
        assert there(tmp_path) == [".build-", ".build-", ".contex"]


def test_other_directories_of_the_store_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "layout").mkdir()
    with scratch(tmp_path, BUILD):
        assert there(tmp_path) == [".build-", "layout"]


def test_what_cannot_be_removed_is_told_and_does_not_stop_a_build(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".build-file").touch()
    with scratch(tmp_path, BUILD):
        assert there(tmp_path) == [".build-"]
    assert ".build-file is left of a build that was killed, and cannot be removed" in caplog.text
