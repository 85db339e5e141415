"""Upgraded connections to a stream server of the node or of a pod: the handshake, and the join with a client's own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from wherry.apiserver.http.streams import spdy
from wherry.objects.errors import ServiceUnavailable

CHUNK = 1 << 16
HIGH = 1 << 18
"""So many bytes of a client may wait for the other side; then its connection is not read any more."""
PATIENCE = 10.0
"""Seconds for the other side to accept a connection and to answer the handshake."""
LONGEST_HEAD = 1 << 16
LONGEST_BODY = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where a stream server listens."""

    host: str
    port: int
    path: str
    tls: bool = False


@dataclass(frozen=True)
class Upgraded:
    """A connection after its handshake. `head` is the answer as it came, its lines ended by an empty one."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes

    @property
    def accepted(self) -> bool:
        return self.status == 101

    @property
    def status(self) -> int:
        words = self.head.split(b"\r\n", 1)[0].split()
        return int(words[1]) if len(words) > 1 and words[1].isdigit() else 502

    def header(self, name: str) -> str:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.strip().lower() == name.lower():
                return value.strip()
        return ""

    async def refusal(self) -> web.Response:
        """The answer of a server that does not upgrade, for the client."""
        length = self.header("Content-Length")
        wanted = min(int(length), LONGEST_BODY) if length.isdigit() else LONGEST_BODY
        with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE):
                body = await self._body(wanted)
                kind = self.header("Content-Type") or "text/plain"
                return web.Response(status=self.status, body=body, headers={"Content-Type": kind})
        return web.Response(status=502, text="the stream server refused to upgrade and did not say why")

    async def _body(self, wanted: int) -> bytes:
        body = b""
        while len(body) < wanted and (more := await self.reader.read(wanted - len(body))):
            body += more
        return body


@contextlib.asynccontextmanager
async def upgrade(
    place: Place, method: str, headers: Iterable[tuple[str, str]], ssl: Any = None
) -> AsyncIterator[Upgraded]:
    """Ask for an upgrade; the caller judges the answer. Raises ServiceUnavailable where nobody answers."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(place.host, place.port, limit=LONGEST_HEAD, ssl=ssl)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", "") or "timed out"
        raise ServiceUnavailable(f"error trying to reach service: dial tcp {place.host}:{place.port}: {why}") from error
    try:
        lines = [f"{method} {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        yield Upgraded(reader, writer, await _head(reader))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ServiceUnavailable("the stream server did not answer the request to upgrade the connection") from error


def carried(headers: Mapping[str, str], names: Iterable[str]) -> list[tuple[str, str]]:
    """Those of a request's headers that are passed on, in the request's order. Never a credential."""
    wanted = {name.lower() for name in names}
    return [(name, value) for name, value in headers.items() if name.lower() in wanted]


class HandedOver(web.StreamResponse):
    """The answer of a request whose connection has been taken over: nothing is written any more."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class Joined:
    """A client's connection, taken from the HTTP server and joined byte for byte to an upgraded one."""

    def __init__(self, request: web.BaseRequest, other: Upgraded) -> None:
        transport: Any = request.transport
        if transport is None:
            raise ConnectionResetError("the client went away during the handshake")
        server: Any = request.protocol
        early: bytes = getattr(server, "_message_tail", b"")
        self._client = transport
        self._other = other
        self._tap = _Tap(transport, server)
        self._edge = spdy.Edge()
        self.moved = 0
        transport.set_protocol(self._tap)
        if early:
            self._tap.data_received(early)
        transport.write(other.head)

    async def to_other(self) -> None:
        """Until the client has said all."""
        while data := await self._tap.read():
            self.moved += 1
            self._other.writer.write(data)
            await self._other.writer.drain()
        if self._other.writer.can_write_eof():
            self._other.writer.write_eof()
            await self._tap.lost.wait()

    async def to_client(self) -> None:
        """Until the other side has said all."""
        while data := await self._other.reader.read(CHUNK):
            self.moved += 1
            self._edge.follow(data)
            self._client.write(data)
            await self._tap.drained.wait()

    def say(self, frame: bytes) -> bool:
        """Put a SPDY frame of our own between the other side's; False where one of those is half sent."""
        sayable = self._edge.clean and not self._client.is_closing()
        if sayable:
            self._client.write(frame)
        return sayable

    async def close(self, *, now: bool = False) -> None:
        """End the client's connection: when what was written is sent, or `now`."""
        if now:
            self._client.abort()
        else:
            self._client.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._tap.lost.wait()
        self._client.abort()


class _Tap(asyncio.Protocol):
    """Collects what a client sends, within bounds, and tells the HTTP server when the connection is gone."""

    def __init__(self, transport: Any, server: asyncio.Protocol) -> None:
        self._transport = transport
        self._server = server
        self._waiting = bytearray()
        self._ended = False
        self._paused = False
        self._arrived = asyncio.Event()
        self.drained = asyncio.Event()
        self.drained.set()
        self.lost = asyncio.Event()

    async def read(self) -> bytes:
        """What has come since; b"" after the end."""
        while not self._waiting and not self._ended:
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        if self._paused and not self.lost.is_set():
            self._paused = False
            self._transport.resume_reading()
        return data

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        self._arrived.set()
        if len(self._waiting) >= HIGH and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._arrived.set()
        return self._transport.get_extra_info("ssl_object") is None  # TLS connections have no half-closed state here

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._arrived.set()
        self.drained.set()
        self.lost.set()
        self._server.connection_lost(exc)

    def pause_writing(self) -> None:
        self.drained.clear()

    def resume_writing(self) -> None:
        self.drained.set()
