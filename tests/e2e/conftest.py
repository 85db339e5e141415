"""An engine of its own for the end-to-end tests: own name, state, port, bridge, networks; nothing is left behind.

Several test runs go side by side on one machine: each takes the first free slot, and names and networks follow from it.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.images import busybox_archive
from wherry.node.content import import_archive

IMAGE = "docker.io/library/webapp:e2e"


@dataclass(frozen=True)
class Engine:
    """How to reach it, and how to speak kubectl's words to it."""

    root: Path
    options: tuple[str, ...]

    @property
    def containerd(self) -> str:
        """The socket of this engine's own containerd."""
        return str(self.root / "rn" / "containerd" / "containerd.sock")

    def wherry(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "wherry.cli", *words, *self.options]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        env = {**os.environ, "KUBECONFIG": str(self.root / "st" / "kubeconfig")}
        done = subprocess.run(
            ["kubectl", *words], capture_output=True, text=True, timeout=60, env=env, input=stdin, check=False
        )
        assert not check or done.returncode == 0, f"kubectl {words}: {done.stdout}{done.stderr}"
        return done.stdout


@dataclass(frozen=True)
class Slot:
    """What one test run has for itself on this machine."""

    number: int

    @property
    def port(self) -> int:
        return 17443 + self.number

    @property
    def registry_port(self) -> int:
        return 17543 + self.number

    def options(self, root: Path) -> tuple[str, ...]:
        """The settings of an engine that keeps everything under `root`."""
        number, first = self.number, 20000 + 300 * self.number
        return (
            *("--name", f"we2e{number}", "--bridge", f"we2e{number}", "--port", str(self.port)),
            *("--registry-port", str(self.registry_port)),
            *("--state", str(root / "st"), "--run-dir", str(root / "rn")),
            *("--pod-network", f"10.187.{4 * number}.0/22", "--service-network", f"10.188.{number}.0/24"),
            *("--node-ports", f"{first}-{first + 299}"),
        )


@pytest.fixture(scope="session", autouse=True)
def user_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stands in for the kubeconfig of whoever runs the tests: `node start` and `reset` write to it."""
    file = tmp_path_factory.mktemp("user") / "config"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(file))
        yield file


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Of a job in the background SIGINT is ignored, and so it would be of all that the tests start and interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def slot() -> Iterator[Slot]:
    for number in range(32):
        lock = os.open(f"/tmp/wherry-e2e-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield Slot(number)
        finally:
            os.close(lock)
        return
    pytest.fail("32 test runs are under way on this machine already")


@pytest.fixture(scope="session")
def with_kubectl() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine, and the one of Debian 12 is 1.20: put 1.27 or later into the PATH")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, slot: Slot, with_kubectl: None) -> Iterator[Engine]:
    root = tmp_path_factory.mktemp("e2e")
    engine = Engine(root, slot.options(root))
    started = engine.wherry("node", "start")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        asyncio.run(import_archive(engine.containerd, busybox_archive(IMAGE)))
        yield engine
    finally:
        reset = engine.wherry("node", "reset", "--yes")
        assert reset.returncode == 0, reset.stdout + reset.stderr
