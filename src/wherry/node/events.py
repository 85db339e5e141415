"""containerd's event stream as PodEvents.

containerd 1.6 has no CRI event stream, so this reads containerd's own. Two gaps are closed here: gRPC does not tell
when the subscription stands (an event of our own, sent until it comes back, does), and the CRI plugin learns of an exit
by the same events as we do (an exit is passed on once the CRI's status shows it).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from wherry.node import containerd_pb2
from wherry.node.rpc import unary
from wherry.node.runtime import IMAGES, PodEvent, RuntimeFailure

_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_STANDS = "/wherry/subscribed"
_TOPICS = {
    "/tasks/start": "start",
    "/tasks/exit": "exit",
    "/tasks/oom": "oom",
    "/containers/delete": "delete",
}
_IMAGE_TOPICS = ("/images/create", "/images/update", "/images/delete")
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
# The CRI deletes the task first, which takes tens of milliseconds; a busy one may be late by many seconds.
_SETTLE_SECONDS = (0.02, 0.03, 0.05, 0.1, 0.2, *([0.5] * 240))


class PodOf(Protocol):
    async def __call__(self, subject: str, *, forget: bool) -> str | None: ...


class Subscription:
    """One listener.

    `ready()` raises while the CRI does not answer; `settled(subject, what)` says whether it already answers what the
    event told.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        ready: Callable[[], Awaitable[None]],
        pod_of: PodOf,
        settled: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._channel = channel
        self._ready = ready
        self._pod_of = pod_of
        self._settled = settled
        self._stood = False
        self._out: asyncio.Queue[PodEvent] = asyncio.Queue()

    async def events(self) -> AsyncGenerator[PodEvent, None]:
        """Endless. The first event, and the first after each lost connection, has uid ""."""
        reader = asyncio.create_task(self._read_for_ever())
        try:
            while True:
                take = asyncio.create_task(self._out.get())
                try:
                    await asyncio.wait((take, reader), return_when=asyncio.FIRST_COMPLETED)
                    if not take.done():
                        reader.result()
                        return
                    yield take.result()
                finally:
                    take.cancel()
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def _read_for_ever(self) -> None:
        failed = 0
        while True:
            self._stood = False
            await self._read()
            failed = 0 if self._stood else failed + 1
            await asyncio.sleep(_RETRY_SECONDS[min(failed, len(_RETRY_SECONDS) - 1)])

    async def _read(self) -> None:
        """Until the stream breaks."""
        call = self._channel.unary_stream(
            "/containerd.services.events.v1.Events/Subscribe",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=containerd_pb2.Envelope.FromString,
        )(
            containerd_pb2.SubscribeRequest(
                filters=[f'topic=="{topic}"' for topic in (*_TOPICS, *_IMAGE_TOPICS, _STANDS)]
            ),
            metadata=_NAMESPACE,
        )
        async with asyncio.TaskGroup() as group:
            knocking = group.create_task(self._knock())
            try:
                async for envelope in call:
                    if envelope.topic == _STANDS:
                        if not knocking.done():
                            self._stood = True
                            self._out.put_nowait(PodEvent(uid="", what="connected"))
                        knocking.cancel()
                    elif envelope.topic in _IMAGE_TOPICS:
                        self._out.put_nowait(PodEvent(uid=IMAGES, what=IMAGES))
                    else:
                        group.create_task(self._pass_on(envelope))
            except grpc.aio.AioRpcError:
                return  # containerd ended or was never there: the next attempt will tell
            finally:
                knocking.cancel()
                call.cancel()

    async def _knock(self) -> None:
        event = AnyMessage(type_url="containerd.events.TaskOOM", value=b"")
        request = containerd_pb2.PublishRequest(topic=_STANDS, event=event)
        path = "/containerd.services.events.v1.Events/Publish"
        while True:
            with contextlib.suppress(RuntimeFailure):  # the stream's own failure ends the wait
                await self._ready()
                await unary(self._channel, path, request, Empty, timeout=5, metadata=_NAMESPACE)
            await asyncio.sleep(0.02)

    async def _pass_on(self, envelope: containerd_pb2.Envelope) -> None:
        what = _TOPICS[envelope.topic]
        subject = containerd_pb2.ContainerEvent.FromString(envelope.event.value).id
        if what == "exit" and containerd_pb2.TaskExit.FromString(envelope.event.value).id != subject:
            return  # the end of an exec
        try:
            if what in ("exit", "oom"):
                for seconds in _SETTLE_SECONDS:
                    await asyncio.sleep(seconds)
                    if await self._settled(subject, what):
                        break
            uid = await self._pod_of(subject, forget=what == "delete")
        except RuntimeFailure:
            uid = ""  # containerd is going: whatever it was, look at all
        if uid is not None:
            self._out.put_nowait(PodEvent(uid=uid, what=what))
