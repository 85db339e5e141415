"""How many calls a second the API answers: by a client of Python that shares the machine, and by wrk."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from bench.cluster import STRATEGIC, Cluster
from bench.figures import Figure, rate
from wherry.objects import Obj

OBJECTS = 2000


def configmap(number: int) -> Obj:
    meta = {"name": f"c{number}", "labels": {"tenth": str(number % 10)}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"text": "v" * 200}}


async def measure(cluster: Cluster) -> AsyncIterator[Figure]:
    """Leaves 2,000 ConfigMaps behind, for the namespace's deletion."""
    path = f"/api/v1/namespaces/{cluster.namespace}/configmaps"
    yield rate("create, 16 at once", await per_second(lambda i: cluster.raw("POST", path, configmap(i)), OBJECTS, 16))
    yield rate(
        "patch, 16 at once",
        await per_second(
            lambda i: cluster.raw("PATCH", f"{path}/c{i}", {"data": {"text": f"{i}"}}, STRATEGIC), OBJECTS, 16
        ),
    )
    yield rate(
        "get, 16 at once", await per_second(lambda i: cluster.raw("GET", f"{path}/c{i % OBJECTS}"), 2 * OBJECTS, 16)
    )
    yield rate("list of 2,000, 2 at once", await per_second(lambda i: cluster.raw("GET", path), 60, 2))
    selected = f"{path}?labelSelector=tenth%3D3"
    yield rate(
        "list of 200 of 2,000 by label, 4 at once", await per_second(lambda i: cluster.raw("GET", selected), 100, 4)
    )
    if shutil.which("wrk"):
        yield rate("get by wrk, 16 connections, TLS", await by_wrk(cluster, f"{path}/c1"))


async def per_second(job: Callable[[int], Awaitable[object]], total: int, width: int) -> float:
    numbers = iter(range(total))

    async def worker() -> None:
        for number in numbers:
            await job(number)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(width):
            tasks.create_task(worker())
    return total / (time.perf_counter() - began)


async def by_wrk(cluster: Cluster, path: str) -> float:
    """wrk knows no client certificates, so it asks as a ServiceAccount that may read all for this while."""
    name = cluster.namespace
    accounts = f"/api/v1/namespaces/{name}/serviceaccounts/default/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await cluster.call("POST", accounts, request))["status"]["token"]
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": name}
    await cluster.call("POST", bindings, {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]})
    try:
        await asyncio.sleep(1)  # a distributed server's authorizer hears of the binding a little later
        options = ("-t1", "-c16", "-d5s", "-H", f"Authorization: Bearer {token}")
        wrk = await asyncio.create_subprocess_exec("wrk", *options, cluster.url + path, stdout=asyncio.subprocess.PIPE)
        said = (await wrk.communicate())[0].decode()
    finally:
        await cluster.call("DELETE", f"{bindings}/{name}")
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise SystemExit(f"wrk failed:\n{said}")
    return float(found[1])
