"""The logs of many containers as one stream of lines; replicas that come later join, connections that break go on."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

from wherry.client.follow import Followed, following
from wherry.client.http import HttpClient
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, NotFound
from wherry.objects.pods import finished
from wherry.replicas.find import Replicas, container_of, containers

WAITING_LINES = 1000  # read and not yet printed, over all replicas
AGAIN_SECONDS = 0.2
LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """Which containers, and how much of each."""

    container: str = ""
    every: bool = False
    previous: bool = False
    tail: int | None = None
    since: str = ""  # RFC 3339


@dataclass(frozen=True, order=True)
class Source:
    """One run of one container: after a restart it is another."""

    pod: str
    container: str
    uid: str
    restarts: int


@dataclass(frozen=True)
class Line:
    source: Source
    time: str
    text: bytes


class Logs(Protocol):
    """The part of HttpClient that this needs."""

    def logs(self, namespace: str, pod: str, **options: str | int | bool) -> AsyncGenerator[bytes]: ...


def sources(pods: Iterable[Obj], wanted: Wanted) -> list[Source]:
    """Containers of these pods that have something to say."""
    found = []
    for pod in pods:
        asked = containers(pod) if wanted.every else [container_of(pod, wanted.container)]
        status = pod.get("status") or {}
        states = {
            each["name"]: each
            for key in ("initContainerStatuses", "containerStatuses")
            for each in status.get(key) or ()
        }
        for name in asked:
            state = states.get(name) or {}
            has_run = any(key in (state.get("state") or {}) for key in ("running", "terminated"))
            restarts = int(state.get("restartCount") or 0)
            if has_run or restarts:
                found.append(Source(pod["metadata"]["name"], name, pod["metadata"]["uid"], restarts))
    return found


async def lines(
    client: Logs, namespace: str, source: Source, wanted: Wanted, *, follow: bool = False
) -> AsyncIterator[Line]:
    """One container's lines with their times. Raises the ApiError of a connection that breaks."""
    options: dict[str, str | int | bool] = {"container": source.container, "timestamps": True}
    if follow:
        options["follow"] = True
    if wanted.previous:
        options["previous"] = True
    if wanted.tail is not None:
        options["tailLines"] = wanted.tail
    if wanted.since:
        options["sinceTime"] = wanted.since
    rest = b""
    async with aclosing(client.logs(namespace, source.pod, **options)) as chunks:
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield _line(source, line)
            if len(rest) > LONGEST_LINE:
                yield _line(source, rest)
                rest = b""
    if rest:
        yield _line(source, rest)


def _line(source: Source, raw: bytes) -> Line:
    time, _, text = raw.partition(b" ")
    return Line(source, time.decode("ascii", "replace"), text)


async def past(client: Logs, namespace: str, every: Iterable[Source], wanted: Wanted) -> AsyncIterator[Line]:
    """What there is, of all replicas, in the order in which it was written. Who has no such log is passed over."""
    streams = [lines(client, namespace, source, wanted) for source in every]
    heap: list[tuple[str, int, Line]] = []
    for index, stream in enumerate(streams):
        await _push(heap, index, stream)
    while heap:
        _, index, line = heapq.heappop(heap)
        yield line
        await _push(heap, index, streams[index])


async def _push(heap: list[tuple[str, int, Line]], index: int, stream: AsyncIterator[Line]) -> None:
    with suppress(BadRequest, NotFound):  # no previous one, or gone meanwhile
        async for line in stream:
            heapq.heappush(heap, (line.time, index, line))
            return


async def followed(
    client: HttpClient, replicas: Replicas, wanted: Wanted, said: Callable[[str], None]
) -> AsyncIterator[Line]:
    """Lines as they come, of replicas that come too. Ends when the one pod that was named has ended."""
    waiting: asyncio.Queue[Line | None] = asyncio.Queue(WAITING_LINES)
    worker = asyncio.create_task(_Following(client, replicas, wanted, waiting, said).run())
    try:
        while (line := await _next(waiting, worker)) is not None:
            yield line
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def _next(waiting: "asyncio.Queue[Line | None]", worker: "asyncio.Task[None]") -> Line | None:
    """The next line; what made the worker end, where it failed."""
    if waiting.empty() and not worker.done():
        getter = asyncio.ensure_future(waiting.get())
        done, _ = await asyncio.wait((getter, worker), return_when=asyncio.FIRST_COMPLETED)
        if getter in done:
            return getter.result()
        getter.cancel()
    if not waiting.empty():
        return waiting.get_nowait()
    worker.result()
    return None


class _Following:
    """Watches the pods, and has one task for each container's log."""

    def __init__(
        self,
        client: HttpClient,
        replicas: Replicas,
        wanted: Wanted,
        waiting: "asyncio.Queue[Line | None]",
        said: Callable[[str], None],
    ) -> None:
        self._client, self._replicas, self._wanted = client, replicas, wanted
        self._waiting, self._said = waiting, said
        self._tasks: dict[Source, asyncio.Task[None]] = {}

    async def run(self) -> None:
        what = Followed("Pod", self._replicas.namespace, **_narrowed(self._replicas))
        first = True
        try:
            async with following(self._client, what) as view:
                while True:
                    pods = [pod for pod in view.of("Pod") if pod in self._replicas]
                    self._join(pods, first=first)
                    first = False
                    if self._replicas.pod and (not pods or finished(pods[0])):
                        await asyncio.gather(*self._tasks.values())
                        return
                    await view.change()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _join(self, pods: list[Obj], *, first: bool) -> None:
        alive = {pod["metadata"]["uid"] for pod in pods}
        for source in [one for one, task in self._tasks.items() if task.done() and one.uid not in alive]:
            del self._tasks[source]
        if first and not pods:
            self._said("no replica yet: waiting for one")
        for source in sources(pods, self._wanted):
            if source not in self._tasks:
                if not first:
                    self._said(f"{source.pod} joined" + (f" ({source.container} restarted)" if source.restarts else ""))
                wanted = self._wanted if first else Wanted()
                self._tasks[source] = asyncio.create_task(self._one(source, wanted))

    async def _one(self, source: Source, wanted: Wanted) -> None:
        """Until the container ends; a connection that breaks before is made again where it broke."""
        last = known = ""
        while True:
            try:
                async for line in lines(self._client, self._replicas.namespace, source, wanted, follow=True):
                    if line.time > known:
                        last = line.time
                        await self._waiting.put(line)
                return
            except (BadRequest, NotFound):
                return
            except ApiError:
                known = last  # the server goes back to the full second
                wanted = Wanted(since=last) if last else wanted
                await asyncio.sleep(AGAIN_SECONDS)


def _narrowed(replicas: Replicas) -> dict[str, str]:
    """Let the server choose where it can."""
    if replicas.pod:
        return {"fields": f"metadata.name={replicas.pod}"}
    return {"labels": str(replicas.selectors[0])} if len(replicas.selectors) == 1 else {}
