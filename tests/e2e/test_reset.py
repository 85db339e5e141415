"""`wherry node reset` leaves the host as it was before `wherry node start`.

The engine runs in network and mount namespaces of the test's own, so that they can be compared as a whole while other
things go on on this machine; control groups and processes are the machine's, and looked through for the engine's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import IMAGE, Engine, Slot
from tests.support.images import busybox_archive

pytestmark = pytest.mark.root

HOLD = "ip link set lo up; mount -t tmpfs none /var/lib/cni; echo ready; exec sleep infinity"
IMPORT = """
import asyncio, sys
from wherry.node.content import import_archive
asyncio.run(import_archive(sys.argv[1], sys.stdin.buffer.read()))
"""
# Of these the kernel changes some by itself, as interfaces come and go.
RESTLESS = ("nf_conntrack_count", "route.flush", ".mtu", "gc_", "tcp_mem", "udp_mem")
OBJECTS = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "left"}},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": IMAGE,
                    "command": ["sleep", "3600"],
                    "resources": {"requests": {"cpu": "10m"}},
                    "ports": [{"containerPort": 80, "hostPort": number}],
                }
            ]
        },
    }
    for number, name in enumerate(("one", "two"), 8080)
] + [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "left"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "left"},
            "ports": [{"name": "tcp", "port": 80}, {"name": "udp", "protocol": "UDP", "port": 53}],
        },
    }
]


@dataclass(frozen=True)
class Host:
    """The namespaces that stand for the host."""

    pid: int
    root: Path
    name: str

    def run(self, *argv: str, stdin: bytes = b"", **env: str) -> str:
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--net", "--mount", *argv],
            capture_output=True,
            timeout=60,
            input=stdin,
            env={**os.environ, **env},
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout.decode()}{done.stderr.decode()}"
        return done.stdout.decode()

    def state(self) -> dict[str, list[str]]:
        """What a reset must bring back."""
        sysctls = self.run("sysctl", "--all", "--ignore", "--pattern", "^net").splitlines()
        return {
            "nftables": self.run("nft", "list", "ruleset").splitlines(),
            "links": [line.split()[1] for line in self.run("ip", "-o", "link").splitlines()],
            "routes": self.run("ip", "route", "show", "table", "all").splitlines(),
            "mounts": [line for line in self.run("cat", "/proc/self/mountinfo").splitlines() if str(self.root) in line],
            "sysctls": [line for line in sysctls if not any(word in line for word in RESTLESS)],
            "control groups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{self.name}")),
            "processes": self._processes(),
            "addresses of pods": self.run("find", "/var/lib/cni", "-type", "f").splitlines(),
        }

    def _processes(self) -> list[str]:
        """Those that have to do with the engine's directories, or live in the host's network."""
        found = []
        network = os.readlink(f"/proc/{self.pid}/ns/net")
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                ours = os.readlink(entry / "ns" / "net") == network
            except OSError:
                continue
            if words and (str(self.root) in words or ours) and "unshare" not in words and words != "sleep infinity ":
                found.append(words)
        return found


@pytest.fixture
def host(tmp_path: Path, slot: Slot, with_kubectl: None) -> Iterator[Host]:
    Path("/var/lib/cni").mkdir(exist_ok=True)
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-ec", HOLD], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "ready\n"
        yield Host(holder.pid, tmp_path, f"we2e{slot.number}")
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_nothing_is_left(host: Host, slot: Slot, tmp_path: Path) -> None:
    engine = Engine(tmp_path, slot.options(tmp_path))
    before = host.state()
    wherry = (sys.executable, "-m", "wherry.cli", "node")
    try:
        host.run(*wherry, "start", *engine.options)
        host.run(sys.executable, "-c", IMPORT, engine.containerd, stdin=busybox_archive(IMAGE))
        kubeconfig = str(tmp_path / "st" / "kubeconfig")
        objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS}).encode()
        host.run("kubectl", "apply", "-f", "-", stdin=objects, KUBECONFIG=kubeconfig)
        wait = ("kubectl", "wait", "--timeout=40s")
        host.run(*wait, "--for=condition=Ready", "pod", "--all", KUBECONFIG=kubeconfig)
        host.run(*wait, "--for=jsonpath={.status.loadBalancer.ingress}", "service/left", KUBECONFIG=kubeconfig)
        during = host.state()
    finally:
        host.run(*wherry, "reset", "--yes", *engine.options)
    after = host.state()
    assert {what for what in before if before[what] != during[what]} == set(before)
    assert {what: _difference(before[what], after[what]) for what in before} == {what: ([], []) for what in before}


def _difference(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """What is gone and what is new."""
    return [each for each in before if each not in after], [each for each in after if each not in before]
