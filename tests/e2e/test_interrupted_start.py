"""Ctrl-C while the node starts: nothing stands in the way of the next start."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine, Slot

pytestmark = pytest.mark.root


def interrupted(engine: Engine, sign: Path) -> None:
    """Start, and interrupt when the file is there."""
    argv = (sys.executable, "-m", "wherry.cli", "node", "start", "--no-kubeconfig", *engine.options)
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 20
    while not sign.exists() and child.poll() is None and time.monotonic() < end:
        time.sleep(0.001)  # files are not waited for
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert (child.returncode, "Traceback" in err) == (130, False), err


def containerds(engine: Engine) -> int:
    found = [path.read_bytes().decode(errors="replace").split("\0") for path in Path("/proc").glob("[0-9]*/cmdline")]
    return sum(Path(words[0]).name == "containerd" and str(engine.root) in " ".join(words) for words in found)


def test_the_next_start_works(slot: Slot, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("e2e")  # a short path: sockets are in it
    engine = Engine(root, slot.options(root))
    state, run = root / "st", root / "rn"
    try:
        # Each a moment later: before containerd, as it listens, with the engine's keys half made.
        for sign in (run / "config.toml", run / "containerd" / "containerd.sock", state / "pki"):
            interrupted(engine, sign)
            assert engine.wherry("node", "status").stdout.startswith(f"we2e{slot.number} is down")
        started = engine.wherry("node", "start", "--no-kubeconfig")
        assert (started.returncode, " is up after " in started.stdout) == (0, True), started.stderr
        assert containerds(engine) == 1
    finally:
        reset = engine.wherry("node", "reset", "--yes")
    assert reset.returncode == 0, reset.stderr
    assert containerds(engine) == 0
    assert not run.exists()
