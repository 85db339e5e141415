"""What ends without being asked to: the engine by kill -9, containerd by kill -9. Pods run on, and are taken back."""

import asyncio
import contextlib
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.e2e.conftest import IMAGE, Engine
from tests.e2e.pods import Obj, container, create, get, pod, ready
from wherry import process
from wherry.host.processes import lock_holder
from wherry.node.cri import CriRuntime
from wherry.node.runtime import SandboxSpec

pytestmark = pytest.mark.root

SERVE = "mkdir -p /tmp/www; echo hi > /tmp/www/x; trap 'exit 0' TERM; httpd -f -p 5000 -h /tmp/www & wait"
NAMES = tuple(f"served{number}" for number in range(20))
CLIENTS = 4


def serving(name: str) -> Obj:
    probe = {"httpGet": {"path": "/x", "port": 5000}, "periodSeconds": 1}
    made = pod(name, container(SERVE, readinessProbe=probe))
    made["metadata"]["labels"]["app"] = "served"
    return made


SERVICE: Obj = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "served"},
    "spec": {"selector": {"app": "served"}, "ports": [{"port": 80, "targetPort": 5000}]},
}


@dataclass
class Load:
    """Clients that each send one request after the other, until they are stopped."""

    address: str
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                with urllib.request.urlopen(f"http://{self.address}/x", timeout=3) as reply:
                    reply.read()
                self.answered += 1
            except (urllib.error.URLError, OSError) as error:
                self.lost.append(str(error))

    @contextlib.contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="module")
def served(engine: Engine) -> str:
    """The address of a Service with twenty ready pods."""
    create(engine, SERVICE, *map(serving, NAMES))
    engine.kubectl("wait", "pod", "-l", "app=served", "--for=condition=Ready", "--timeout=55s")
    return engine.kubectl("get", "service", "served", "-o", "jsonpath={.spec.clusterIP}")


def engine_pid(engine: Engine) -> int:
    """The process that holds this engine's state."""
    pid = lock_holder(engine.root / "st" / "db" / "lock")
    assert pid is not None
    return pid


def killed(pid: int) -> None:
    """kill -9, and wait for the end."""
    assert process.end(pid, signal.SIGKILL, 10)


def lives(engine: Engine) -> list[tuple[str, int, str]]:
    """What must not change of a pod that is left alone: its container, its restarts, since when it is ready."""
    out = []
    pods = json.loads(engine.kubectl("get", "pods", "-l", "app=served", "-o", "json"))["items"]
    assert len(pods) == len(NAMES)
    for status in [each["status"] for each in pods]:
        (one,) = status["containerStatuses"]
        (since,) = [each["lastTransitionTime"] for each in status["conditions"] if each["type"] == "Ready"]
        out.append((one["containerID"], one["restartCount"], since))
    return out


async def orphaned(engine: Engine, uid: str) -> str:
    """A pod's sandbox that the API knows nothing of."""
    spec = SandboxSpec(name="left", namespace="default", uid=uid, log_directory=str(engine.root / "left"))
    async with CriRuntime(engine.containerd) as runtime:
        return await runtime.run_sandbox(spec)


async def until_removed(engine: Engine, uid: str) -> None:
    async with CriRuntime(engine.containerd) as runtime, asyncio.timeout(20):
        events = runtime.events()
        async for _ in events:
            if uid not in {sandbox.uid for sandbox in await runtime.sandboxes()}:
                break
        await events.aclose()


def restart(engine: Engine) -> float:
    """Seconds until the engine answers again."""
    began = time.monotonic()
    started = engine.wherry("node", "start")
    assert started.returncode == 0, started.stdout + started.stderr
    engine.kubectl("get", "--raw", "/readyz")
    return time.monotonic() - began


def test_pods_outlive_a_killed_engine_and_what_the_api_has_lost_is_removed(engine: Engine, served: str) -> None:
    before = lives(engine)
    with Load(served).running() as load:
        killed(engine_pid(engine))
        asyncio.run(orphaned(engine, "uid-left"))
        took = restart(engine)
        asyncio.run(until_removed(engine, "uid-left"))
    assert load.lost == []
    assert load.answered > 10
    assert lives(engine) == before
    assert took < 20, "1 to 2 s on an idle machine; several test runs may share it"


def test_a_container_that_ended_meanwhile_is_restarted(engine: Engine) -> None:
    create(engine, pod("dies", container("sleep 1000 & echo $! > /pid; wait; exit 3")))
    ready(engine, "dies")
    (status,) = get(engine, "dies")["status"]["containerStatuses"]
    container_id = status["containerID"].removeprefix("containerd://")
    killed(engine_pid(engine))

    async def stop() -> None:
        async with CriRuntime(engine.containerd) as runtime:
            await runtime.stop_container(container_id, 0)

    asyncio.run(stop())
    restart(engine)
    engine.kubectl("wait", "pod/dies", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "--timeout=30s")
    (status,) = get(engine, "dies")["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["containerID"] == f"containerd://{container_id}"


def test_a_killed_containerd_is_started_again_and_pods_run_on(engine: Engine, served: str) -> None:
    pidfile = engine.root / "rn" / "containerd" / "containerd.pid"
    first = int(pidfile.read_text().split()[0])
    before = lives(engine)
    with Load(served).running() as load:
        killed(first)
        create(engine, pod("after"))
        ready(engine, "after")
    assert int(pidfile.read_text().split()[0]) != first
    assert load.lost == []
    assert lives(engine) == before
    node = json.loads(engine.kubectl("get", "nodes", "-o", "json"))["items"][0]
    assert [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"] == ["True"]
    assert IMAGE in engine.kubectl("get", "pod", "after", "-o", "jsonpath={.status.containerStatuses[0].image}")


def test_a_pod_that_is_deleted_while_containerd_is_down_goes_in_the_end(engine: Engine) -> None:
    create(engine, pod("goes"))
    ready(engine, "goes")
    killed(int((engine.root / "rn" / "containerd" / "containerd.pid").read_text().split()[0]))
    engine.kubectl("delete", "pod", "goes", "--timeout=40s")


def test_an_engine_killed_while_pods_start_finishes_what_it_began(engine: Engine) -> None:
    template = {"metadata": {"labels": {"app": "many"}}, "spec": pod("many")["spec"]}
    spec = {"replicas": 10, "selector": {"matchLabels": {"app": "many"}}, "template": template}
    many = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many"}, "spec": spec}
    create(engine, many)
    engine.kubectl("wait", "deployment/many", "--for=jsonpath={.status.readyReplicas}", "--timeout=30s")
    killed(engine_pid(engine))
    restart(engine)
    engine.kubectl("rollout", "status", "deployment/many", "--timeout=60s")
    pods = json.loads(engine.kubectl("get", "pods", "-l", "app=many", "-o", "json"))["items"]
    assert [one["restartCount"] for each in pods for one in each["status"]["containerStatuses"]] == [0] * 10

    async def sandboxes() -> list[str]:
        async with CriRuntime(engine.containerd) as runtime:
            return sorted(one.uid for one in await runtime.sandboxes() if one.name.startswith("many-"))

    assert asyncio.run(sandboxes()) == sorted(each["metadata"]["uid"] for each in pods)
    engine.kubectl("delete", "deployment", "many", "--timeout=30s")
    engine.kubectl("wait", "--for=delete", "pod", "-l", "app=many", "--timeout=60s")
