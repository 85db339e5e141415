"""An engine that is killed with 20 pods under load: what is lost, what changes of the pods, how long it takes."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import aiohttp

from bench.cluster import Cluster, Refused, until
from bench.engine import Own
from bench.figures import Figure, seconds
from bench.pods import Workloads, failure, first_answer
from wherry import process

PODS, RATE = 20, 200


async def measure(cluster: Cluster, own: Own) -> AsyncIterator[Figure]:
    """kill -9 in the middle of a load, start it again, and hold pods and answers against those from before."""
    workloads = Workloads(cluster)
    address = await workloads.apply("kill", PODS)
    await workloads.settled("kill", PODS)
    await first_answer(address)
    before = await _lives(cluster)
    stop = asyncio.Event()
    load = asyncio.create_task(_until(stop, address))
    try:
        await asyncio.sleep(1)
        engine = own.pid()
        if not await asyncio.to_thread(process.end, engine, signal.SIGKILL, 10):
            raise SystemExit(f"process {engine} has not ended")
        began = time.perf_counter()
        starting = asyncio.create_task(asyncio.to_thread(own.start))
        await until(lambda: cluster.raw("GET", "/readyz"), 60)
        took = time.perf_counter() - began
        await starting
        await asyncio.sleep(1)
    finally:
        stop.set()
        failures = await load
    after = await _lives(cluster)
    lost = Counter(filter(None, failures))
    for reason, count in lost.items():
        print(f"  lost {count}: {reason}", file=sys.stderr)
    yield seconds(f"kill -9 with {PODS} pods: until the API answers again", took)
    yield Figure(f"kill -9 with {PODS} pods: requests lost of {len(failures):,}", lost.total(), "")
    changed = sum(before[name] != after.get(name) for name in before)
    yield Figure(f"kill -9 with {PODS} pods: containers restarted, or Ready flipped", changed, "")
    await workloads.delete("kill")
    await workloads.none_left("kill")


async def _until(stop: asyncio.Event, address: str) -> Sequence[str]:
    began = time.perf_counter()
    tasks: list[asyncio.Task[str]] = []
    while not stop.is_set():
        wait = began + len(tasks) / RATE - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(failure(address)))
    return await asyncio.gather(*tasks)


async def _lives(cluster: Cluster) -> dict[str, tuple[str, int, str]]:
    """Of each pod: its container, that container's restarts, and since when the pod is ready."""

    async def listed() -> dict[str, tuple[str, int, str]]:
        path = f"/api/v1/namespaces/{cluster.namespace}/pods?labelSelector=app%3Dkill"
        out = {}
        for pod in (await cluster.call("GET", path))["items"]:
            (container,) = pod["status"]["containerStatuses"]
            (since,) = (each["lastTransitionTime"] for each in pod["status"]["conditions"] if each["type"] == "Ready")
            out[pod["metadata"]["name"]] = (container["containerID"], container["restartCount"], since)
        return out

    try:
        return await listed()
    except (aiohttp.ClientError, Refused):  # the connections to the engine that was killed
        return await listed()
