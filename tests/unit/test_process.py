"""Ending a process that is no child: by which signal, how long to wait, and what if it has ended."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator

import pytest

from wherry import process


@contextlib.contextmanager
def deaf() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does not hear SIGTERM."""
    words = "trap '' TERM; echo ready; read line"
    with subprocess.Popen(["sh", "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_is_ended_by_the_signal(by: signal.Signals) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert process.end(child.pid, by, 10)
    assert child.returncode == -by


def test_one_that_does_not_obey_is_told_of() -> None:
    with deaf() as child:
        assert not process.end(child.pid, signal.SIGTERM, 0.05)
        assert process.end(child.pid, signal.SIGKILL, 10)


def test_one_that_does_not_obey_is_killed() -> None:
    with deaf() as child:
        assert not process.finish(child.pid, 0.5)
    assert child.returncode == -signal.SIGKILL


def test_it_is_finished_by_sigterm_where_that_helps() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert process.finish(child.pid, 10)
    assert child.returncode == -signal.SIGTERM


def test_a_process_is_found_by_an_option_and_its_value() -> None:
    with subprocess.Popen(["sh", "-c", "read line", "-mark", "this one"], stdin=subprocess.PIPE) as child:
        assert list(process.given("-mark", "this one")) == [(child.pid, "sh")]
        assert not list(process.given("-mark", "another"))
        assert child.pid in process.pids()


def test_one_that_has_ended_has_ended() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert process.end(child.pid, signal.SIGTERM, 0)
