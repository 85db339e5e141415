"""How long a stream lives: until one of its directions ends, nothing moves for hours, or the server stops."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiohttp import web

from wherry.objects.errors import TooManyRequests

IDLE = 4 * 3600.0
"""Seconds without a byte in either direction, as kubelet's stream server allows."""
MOST = 500
"""Streams open at once; each holds two connections."""
STOPPING = "the server is stopping: connect again when it is back"
IDLED = "the stream was closed: nothing moved on it for 4 hours"


class End(Enum):
    DONE = ""
    IDLE = IDLED
    STOPPED = STOPPING


@dataclass
class Lifetimes:
    """The bounds that all streams of a server share."""

    idle: float = IDLE
    most: int = MOST
    _open: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """End every stream, and refuse new ones."""
        self._stopping.set()

    def __enter__(self) -> "Lifetimes":
        """A stream begins. Raises TooManyRequests."""
        if self._open >= self.most:
            raise TooManyRequests(f"{self.most} streams into pods are open: close some first", retryAfterSeconds=1)
        self._open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._open -= 1

    async def until_over(self, moved: Callable[[], int] | None, *directions: Coroutine[Any, Any, object]) -> End:
        """Run the directions until the first ends; the others are cancelled. Their errors are raised.

        `moved` counts what has passed; where it stands still for `idle` seconds the stream is over. None: it may.
        """
        tasks: list[asyncio.Future[object]] = [asyncio.ensure_future(direction) for direction in directions]
        stopping: asyncio.Future[object] = asyncio.ensure_future(self._stopping.wait())
        patience = self.idle if moved else None
        try:
            while True:
                before = moved() if moved else 0
                done, _ = await asyncio.wait([*tasks, stopping], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task in done:
                        task.result()
                        return End.DONE
                if stopping in done:
                    return End.STOPPED
                if moved and moved() == before:
                    return End.IDLE
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)


class Departure(asyncio.Protocol):
    """Notices that a client goes away while nothing is written to it. It stands before the HTTP server's protocol."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._server: Any = request.protocol
        self._transport: Any = request.transport
        self._gone = asyncio.Event()
        if self._transport is None:
            self._gone.set()
        else:
            self._transport.set_protocol(self)

    async def wait(self) -> None:
        await self._gone.wait()

    def end(self) -> None:
        """Step aside: the connection may serve other requests."""
        if not self._gone.is_set():
            self._transport.set_protocol(self._server)

    def data_received(self, data: bytes) -> None:
        self._server.data_received(data)

    def eof_received(self) -> bool | None:
        answer: bool | None = self._server.eof_received()
        return answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._server.connection_lost(exc)

    def pause_writing(self) -> None:
        self._server.pause_writing()

    def resume_writing(self) -> None:
        self._server.resume_writing()
