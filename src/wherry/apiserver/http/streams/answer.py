"""What each stream request gets: a log, a joined connection, a translated session. The only place that chooses."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
from aiohttp import WSCloseCode, web

from wherry.apiserver.http.routes import not_allowed
from wherry.apiserver.http.streams import channels, spdy, tunnel
from wherry.apiserver.http.streams.channels import Channels
from wherry.apiserver.http.streams.lifetime import STOPPING, Departure, End, Lifetimes
from wherry.apiserver.http.streams.options import exec_options, forwarded_ports, log_options
from wherry.apiserver.http.streams.remote import remote_command
from wherry.apiserver.http.streams.tunnel import Tunnel
from wherry.apiserver.http.streams.upgrade import HandedOver, Joined, Place, Upgraded, carried, upgrade
from wherry.apiserver.ports import ExecOptions, PodAccess
from wherry.apiserver.verbs.context import Target
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, ServiceUnavailable

CARRIED = (
    *("Connection", "Upgrade", "X-Stream-Protocol-Version"),
    *("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions"),
)
"""The headers of a client's upgrade that the stream server gets; its WebSocket protocols are added without tokens."""
BEARER = "base64url.bearer.authorization.k8s.io."
FAREWELL = 1.0
"""Seconds to say why a stream ends."""


@dataclass
class Streams:
    """Answers the subresources of pods that are streams."""

    access: PodAccess
    lifetimes: Lifetimes = field(default_factory=Lifetimes)

    def stop(self) -> None:
        """End every stream at once, telling its client why where its protocol can."""
        self.lifetimes.stop()

    async def answer(self, request: web.BaseRequest, target: Target, pod: Obj) -> web.StreamResponse:
        if request.method != "GET" and (request.method != "POST" or target.subresource == "log"):
            raise not_allowed()
        with self.lifetimes:
            if target.subresource == "log":
                return await self._log(request, pod)
            kind = request.headers.get("Upgrade", "").lower()
            if "upgrade" not in request.headers.get("Connection", "").lower() or not kind:
                raise BadRequest("Upgrade request required")
            offered = request.headers.get("Sec-WebSocket-Protocol", "") if kind == "websocket" else ""
            if target.subresource == "portforward":
                place = place_of(await self.access.port_forward(pod, forwarded_ports(request.query)))
                inner = tunnel.inner_protocols(offered)
                return await (self._tunnel(request, place, inner) if inner else self._join(request, place))
            options = exec_options(request.query)
            start = self.access.exec if target.subresource == "exec" else self.access.attach
            place = place_of(await start(pod, options))
            if channels.PROTOCOL in protocols(offered):
                return await self._translate(request, place, options)
            return await self._join(request, place, _farewell if kind == "spdy/3.1" else None)

    # -- logs

    async def _log(self, request: web.BaseRequest, pod: Obj) -> web.StreamResponse:
        chunks = self.access.logs(pod, log_options(request.query, datetime.now(UTC)))
        answer = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        departure = Departure(request)
        sending = _Sending(answer, chunks)
        try:
            end = await self.lifetimes.until_over(None, sending.run(request), departure.wait())
        finally:
            departure.end()
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if end is not End.DONE and request.transport is not None:
            request.transport.abort()  # cut short: to end it properly would say that the log is whole
        return answer

    # -- upgraded connections

    async def _join(
        self, request: web.BaseRequest, place: Place, farewell: Callable[[End], bytes] | None = None
    ) -> web.StreamResponse:
        headers = [("Host", f"{place.host}:{place.port}"), *carried(request.headers, CARRIED), *_offers(request)]
        async with upgrade(place, request.method, headers) as connection:
            return await join(request, connection, self.lifetimes, farewell)

    async def _tunnel(self, request: web.BaseRequest, place: Place, inner: list[str]) -> web.StreamResponse:
        headers = [("Host", f"{place.host}:{place.port}"), ("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]
        headers += [("Content-Length", "0"), *(("X-Stream-Protocol-Version", name) for name in inner)]
        async with upgrade(place, "POST", headers) as connection:
            if not connection.accepted:
                return await connection.refusal()
            chosen = connection.header("X-Stream-Protocol-Version")
            socket = _websocket(tunnel.PREFIX + chosen)
            await socket.prepare(request)
            through = Tunnel(socket, connection)
            end = End.DONE
            with contextlib.suppress(ConnectionError):
                end = await self.lifetimes.until_over(lambda: through.moved, through.inward(), through.outward())
            await _close(socket, end)
            return socket

    async def _translate(self, request: web.BaseRequest, place: Place, options: ExecOptions) -> web.StreamResponse:
        async with remote_command(place, channels.streams_of(options)) as session:
            socket = _websocket(channels.PROTOCOL)
            await socket.prepare(request)
            both = Channels(socket, session, options)
            end = End.DONE
            with contextlib.suppress(ConnectionError, TimeoutError):
                await socket.send_bytes(bytes([channels.first_channel(options)]))
                end = await self.lifetimes.until_over(lambda: both.moved, both.inward(), both.outward())
                if end is not End.DONE:
                    async with asyncio.timeout(FAREWELL):
                        await both.end(ServiceUnavailable(end.value))
            await _close(socket, End.DONE)  # the Status has said why; another code would hide it
            return socket


async def join(
    request: web.BaseRequest,
    connection: Upgraded,
    lifetimes: Lifetimes,
    farewell: Callable[[End], bytes] | None = None,
) -> web.StreamResponse:
    """Answer with a server's own upgraded connection, or with its refusal.

    `farewell` gives the last frame where the server did not end it.
    """
    if not connection.accepted:
        return await connection.refusal()
    joined = Joined(request, connection)
    end = End.STOPPED
    try:
        with contextlib.suppress(ConnectionError):
            end = await lifetimes.until_over(lambda: joined.moved, joined.to_other(), joined.to_client())
    finally:
        said = end is not End.DONE and farewell is not None and joined.say(farewell(end))
        await joined.close(now=end is not End.DONE and not said)
    return HandedOver()


def _farewell(end: End) -> bytes:
    """A Status on a remote command's error stream, which clients open first; without one they report success."""
    status = ServiceUnavailable(end.value or STOPPING).status()
    return spdy.data(1, orjson.dumps(status), fin=True)


@dataclass
class _Sending:
    """A log on its way to the client. Errors before the first bytes are raised, later ones end the text."""

    answer: web.StreamResponse
    chunks: AsyncIterator[bytes]

    async def run(self, request: web.BaseRequest) -> None:
        first = await anext(self.chunks, None)
        await self.answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            try:
                if first is not None:
                    await self.answer.write(first)
                async for chunk in self.chunks:
                    await self.answer.write(chunk)
            except ApiError as error:
                await self.answer.write(f"{error.message}\n".encode())
            await self.answer.write_eof()


def place_of(url: str) -> Place:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Place(parts.hostname or "127.0.0.1", parts.port or 80, path)


def protocols(offered: str) -> list[str]:
    """The names in a Sec-WebSocket-Protocol header, without the one that is a bearer token."""
    names = [name.strip() for name in offered.split(",")]
    return [name for name in names if name and not name.startswith(BEARER)]


def _offers(request: web.BaseRequest) -> list[tuple[str, str]]:
    names = protocols(",".join(request.headers.getall("Sec-WebSocket-Protocol", [])))
    return [("Sec-WebSocket-Protocol", ", ".join(names))] if names else []


def _websocket(protocol: str) -> web.WebSocketResponse:
    return web.WebSocketResponse(
        protocols=(protocol,),
        compress=False,
        decode_text=False,
        max_msg_size=channels.LONGEST_MESSAGE,
        timeout=FAREWELL,
    )


async def _close(socket: web.WebSocketResponse, end: End) -> None:
    code = WSCloseCode.OK if end is End.DONE else WSCloseCode.GOING_AWAY
    with contextlib.suppress(ConnectionError):
        await socket.close(code=code, message=end.value.encode())
