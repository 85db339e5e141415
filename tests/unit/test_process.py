"""Ending a process that is no child: by which signal, how long to wait, and what if it has ended."""

import signal
import subprocess

import pytest

from wherry import process


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_is_ended_by_the_signal(by: signal.Signals) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert process.end(child.pid, by, 10)
    assert child.returncode == -by


def test_one_that_does_not_obey_is_told_of() -> None:
    deaf = "trap '' TERM; echo ready; read line"
    with subprocess.Popen(["sh", "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        assert not process.end(child.pid, signal.SIGTERM, 0.05)
        assert process.end(child.pid, signal.SIGKILL, 10)


def test_one_that_has_ended_has_ended() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert process.end(child.pid, signal.SIGTERM, 0)
