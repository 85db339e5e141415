"""An engine of the bench's own: new state, unusual addresses, and nothing of it left at the end."""

import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import Cluster, Refused, until
from bench.figures import Figure, seconds
from wherry.host.processes import lock_holder
from wherry.node.sandbox_image import oci_archive, tar
from wherry.objects import Obj

NETWORK = ("--port", "26543", "--bridge", "wherrybench0", "--pods", "10.189.0.0/16", "--services", "10.190.0.0/16")
APPLETS = ("sh", "echo", "httpd", "mkdir")


def archive(reference: str, busybox: Path = Path("/bin/busybox")) -> bytes:
    """The pods' image as an OCI archive: the host's static busybox, whose httpd is the server."""
    if not busybox.exists():
        raise SystemExit(f"{busybox} is missing: install busybox-static")
    layer = tar({"bin/busybox": busybox.read_bytes()}, {f"bin/{applet}": "busybox" for applet in APPLETS})
    return oci_archive(layer, reference, entrypoint=["/bin/sh"])


@dataclass(frozen=True)
class Own:
    """An engine of the bench's own: where it keeps its state, and how it is spoken to."""

    state: Path
    flags: tuple[str, ...]

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    def start(self) -> None:
        _wherry("node", "start", "--no-kubeconfig", *self.flags)

    def pid(self) -> int:
        pid = lock_holder(self.state / "db" / "lock")
        if pid is None:
            raise SystemExit("the engine has ended")
        return pid


@asynccontextmanager
async def running(image: str) -> AsyncIterator[tuple[Own, Figure]]:
    """Start from nothing, with the image in it: the engine, and how long it took to a Ready node."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as place:
        state = Path(place) / "state"
        flags = ("--name", "bench", "--state", str(state), "--run-dir", str(Path(place) / "run"), *NETWORK)
        own = Own(state, flags)
        began = time.perf_counter()
        try:
            own.start()
            await ready(own.kubeconfig)
            took = seconds("cold start to a Ready node and default ServiceAccount", time.perf_counter() - began)
            saved = Path(place) / "image.tar"
            saved.write_bytes(archive(image))
            _wherry("image", "load", *flags, str(saved))
            yield own, took
        finally:
            _wherry("node", "reset", "--yes", *flags)


async def ready(path: Path) -> None:
    """Wait for a node that is Ready and for the default namespace's ServiceAccount."""
    async with Cluster(path) as cluster:

        async def node() -> Obj:
            nodes = (await cluster.call("GET", "/api/v1/nodes"))["items"]
            for each in nodes:
                for condition in each["status"].get("conditions", ()):
                    if (condition["type"], condition["status"]) == ("Ready", "True"):
                        return dict(each)
            raise Refused(503, b"no node is Ready")

        await until(node, 120)
        await cluster.there("/api/v1/namespaces/default/serviceaccounts/default")


def _wherry(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "wherry.cli", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"wherry {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
