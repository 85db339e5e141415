"""kubectl of several versions against the tests' engine, as their users run it: no setting in the environment."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import Engine
from wherry.node.content import import_archive
from wherry.node.sandbox_image import oci_archive, tar

NEW, OLD = "1.33", "1.27"
"""The oldest and the newest that are held to everything. By default 1.27 streams by SPDY, 1.33 by WebSocket."""
_APPLETS = (
    "sh",
    "cat",
    "cp",
    "echo",
    "env",
    "head",
    "httpd",
    "ls",
    "mkdir",
    "rm",
    "sleep",
    "stty",
    "tail",
    "tar",
    "true",
)


def find(version: str) -> str:
    """The path of `kubectl.VERSION` on the PATH or beside the kubectl there; "" where this machine has none."""
    name = f"kubectl.{version}"
    known = shutil.which(name)
    if known is not None:
        return known
    default = shutil.which("kubectl")
    beside = Path(default).resolve().parent / name if default else None
    return str(beside) if beside is not None and beside.exists() else ""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    """One binary, and the engine and namespace that it speaks to."""

    binary: str
    engine: Engine
    namespace: str = "default"

    @property
    def environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("KUBECTL_")}
        return {**env, "KUBECONFIG": str(self.engine.root / "st" / "kubeconfig")}

    def argv(self, *words: str) -> list[str]:
        return [self.binary, "--namespace", self.namespace, *words]

    def run(self, *words: str, stdin: bytes = b"", **environment: str) -> Done:
        env = {**self.environment, **environment}
        done = subprocess.run(self.argv(*words), input=stdin, capture_output=True, timeout=60, env=env, check=False)
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def __call__(self, *words: str, stdin: bytes = b"", **environment: str) -> str:
        """What it prints; it must succeed."""
        done = self.run(*words, stdin=stdin, **environment)
        assert done.code == 0, f"kubectl {' '.join(words)}: {done.out}{done.err}"
        return done.out

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """In the background, ended when the block ends."""
        pipe = subprocess.PIPE
        with subprocess.Popen(self.argv(*words), stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment) as process:
            try:
                yield process
            finally:
                process.kill()


SERVE = "echo ' * Running on http://0.0.0.0:5000/'; trap 'exit 0' TERM; httpd -f -p 5000 -h /www & wait"


def webapp_archive(reference: str) -> bytes:
    """An image that answers as the article's: `Hello, World!` on port 5000; it ends at once when it is told to."""
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    files = {"bin/busybox": Path("/bin/busybox").read_bytes(), "www/index.html": b"Hello, World!"}
    return oci_archive(tar(files, links), reference, entrypoint=["/bin/sh", "-c", SERVE], user="")


async def load(engine: Engine, *references: str) -> None:
    for reference in references:
        await import_archive(engine.containerd, webapp_archive(reference))
