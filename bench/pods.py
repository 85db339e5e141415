"""From an apply to pods that answer, to fifty, to none; and what is lost of a steady load while pods are replaced."""

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

from bench.cluster import MERGE, STRATEGIC, Cluster, Refused, until
from bench.figures import Figure, seconds
from wherry.objects import Obj

IMAGE = "docker.io/library/wherry-bench:1"
PORT = 8080
# The shell is the first process, which signals end only by a handler of its own.
SERVE = (
    "mkdir -p /tmp/www; echo ok > /tmp/www/index.html; trap 'exit 0' TERM; "
    f"busybox httpd -f -p {PORT} -h /tmp/www & wait"
)
TIMES = 5  # of which the median counts
ROLLOUTS, RATE, LASTS = 3, 500, 12.0


def deployment(name: str, replicas: int) -> Obj:
    container = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-c", SERVE],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "5m", "memory": "10Mi"}},
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str) -> Obj:
    ports = [{"port": 80, "targetPort": PORT}]
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}


class Workloads:
    """Deployments and Services in a cluster's namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._services = f"/api/v1/namespaces/{cluster.namespace}/services"
        self._deployments = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments"

    async def apply(self, name: str, replicas: int) -> str:
        """Create both; the Service's address."""
        await self._cluster.call("POST", self._deployments, deployment(name, replicas))
        made = await self._cluster.call("POST", self._services, service(name))
        return str(made["spec"]["clusterIP"])

    async def patch(self, name: str, change: Obj, content: str = MERGE) -> None:
        await self._cluster.call("PATCH", f"{self._deployments}/{name}", change, content)

    async def delete(self, name: str) -> None:
        await self._cluster.call("DELETE", f"{self._deployments}/{name}")

    async def settled(self, name: str, replicas: int) -> None:
        """Wait until all replicas are of the latest template and ready."""
        async for seen in self._cluster.watch(f"{self._deployments}?watch=1&fieldSelector=metadata.name={name}"):
            status = seen.get("status", {})
            counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "readyReplicas")]
            if status.get("observedGeneration") == seen["metadata"]["generation"] and counts == [replicas] * 3:
                return

    async def none_left(self, name: str) -> None:
        pods = f"/api/v1/namespaces/{self._cluster.namespace}/pods?labelSelector=app%3D{name}"

        async def none() -> None:
            if (await self._cluster.call("GET", pods))["items"]:
                raise Refused(409, b"there are pods left")

        await until(none, 600)


async def failure(address: str, patience: float = 5.0) -> str:
    """One request on a connection of its own: why it was not answered with 200; "" if it was."""
    stage = "connecting"
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(address, 80)
            stage = "waiting for the answer"
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                said = (await reader.readline()).decode(errors="replace").strip()
                return "" if said.split(" ", 2)[1:2] == ["200"] else f"answered {said or 'nothing'}"
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return f"{type(error).__name__} while {stage}"


async def first_answer(address: str) -> float:
    async def answer() -> float:
        if await failure(address, 0.2):
            raise Refused(503, b"the Service does not answer")
        return time.perf_counter()

    return await until(answer, 120)


async def measure(cluster: Cluster) -> AsyncIterator[Figure]:
    workloads = Workloads(cluster)
    ready, served = [], []
    for number in range(TIMES):
        began = time.perf_counter()
        address = await workloads.apply(f"w{number}", 3)
        first = asyncio.create_task(first_answer(address))
        await workloads.settled(f"w{number}", 3)
        ready.append(time.perf_counter() - began)
        served.append(await first - began)
    yield seconds(f"apply to 3 ready pods (median of {TIMES})", statistics.median(ready))
    yield seconds(f"apply to the first 200 by the Service (median of {TIMES})", statistics.median(served))
    for number in range(1, TIMES):
        await workloads.delete(f"w{number}")
        await workloads.none_left(f"w{number}")
    began = time.perf_counter()
    await workloads.patch("w0", {"spec": {"replicas": 50}})
    await workloads.settled("w0", 50)
    yield seconds("scale 3 to 50, all ready", time.perf_counter() - began)
    began = time.perf_counter()
    await workloads.patch("w0", {"spec": {"replicas": 0}})
    await workloads.none_left("w0")
    yield seconds("scale 50 to 0, all gone", time.perf_counter() - began)


async def rollouts(cluster: Cluster) -> AsyncIterator[Figure]:
    """Requests of a steady load without keep-alive that fail while the pods are replaced."""
    workloads = Workloads(cluster)
    address = await workloads.apply("roll", 3)
    await workloads.settled("roll", 3)
    await first_answer(address)
    failures: list[str] = []
    for number in range(ROLLOUTS):
        load = asyncio.create_task(steady(address))
        await asyncio.sleep(2)
        stamp = {"spec": {"template": {"metadata": {"annotations": {"bench": str(number)}}}}}
        await workloads.patch("roll", stamp, STRATEGIC)
        await workloads.settled("roll", 3)
        failures += await load
    lost = Counter(filter(None, failures))
    for reason, count in lost.items():
        print(f"  lost {count}: {reason}", file=sys.stderr)
    yield Figure(f"requests lost in {ROLLOUTS} rollouts at {RATE}/s", lost.total(), "")
    yield Figure("requests sent in them", len(failures), "", compared=False)
    await workloads.delete("roll")
    await workloads.none_left("roll")


async def steady(address: str) -> list[str]:
    """RATE requests a second, each when its time has come, however long the others take."""
    began, tasks = time.perf_counter(), []
    for number in range(int(RATE * LASTS)):
        wait = began + number / RATE - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(failure(address)))
    return await asyncio.gather(*tasks)
