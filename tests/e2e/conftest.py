"""An engine of its own for the end-to-end tests: own name, state, port, bridge, networks; nothing is left behind."""

import asyncio
import os
import shutil
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

    def wherry(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "wherry.cli", *words, *self.options]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        env = {**os.environ, "KUBECONFIG": str(self.root / "st" / "kubeconfig")}
        env |= {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
        done = subprocess.run(
            ["kubectl", *words], capture_output=True, text=True, timeout=60, env=env, input=stdin, check=False
        )
        assert not check or done.returncode == 0, f"kubectl {words}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on this machine, and no package of Debian 12 has it")
    root = tmp_path_factory.mktemp("e2e")
    options: tuple[str, ...] = (
        "--name",
        "we2e",
        "--state",
        str(root / "st"),
        "--run-dir",
        str(root / "rn"),
        "--port",
        "17443",
    )
    options += ("--bridge", "we2e0", "--pods", "10.187.0.0/16", "--services", "10.188.0.0/16")
    engine = Engine(root, options)
    started = engine.wherry("node", "start")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        socket = str(root / "rn" / "containerd" / "containerd.sock")
        asyncio.run(import_archive(socket, busybox_archive(IMAGE)))
        yield engine
    finally:
        reset = engine.wherry("node", "reset", "--yes")
        assert reset.returncode == 0, reset.stdout + reset.stderr
