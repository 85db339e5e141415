"""A client of the runtime's remote-command server (SPDY/3.1): one exec or attach session and its streams.

The runtime's SPDY keeps no windows of its own: it ignores WINDOW_UPDATE and sends none. What holds a fast side back is
the connection itself, so this side does the same; to enforce SPDY's 64 KiB window would stop every longer stream.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from wherry.apiserver.http.streams import spdy
from wherry.apiserver.http.streams.upgrade import PATIENCE, Place, Upgraded, upgrade
from wherry.objects.errors import InternalError, ServiceUnavailable

ERROR, STDIN, STDOUT, STDERR, RESIZE = "error", "stdin", "stdout", "stderr", "resize"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
"""Both report the exit code as a Status on the error stream; over SPDY they are the same."""


class RemoteCommand:
    """The streams by name. `output` gives what comes; `write`, `finish` and `reset` are for those that go."""

    def __init__(self, connection: Upgraded, names: Sequence[str]) -> None:
        self._connection = connection
        self._ids: Mapping[str, int] = {name: 2 * number + 1 for number, name in enumerate(names)}
        self._names = {number: name for name, number in self._ids.items()}
        self._finished: set[str] = set()
        self._early: list[spdy.Frame] = []

    async def start(self) -> None:
        """Open every stream and wait until each is accepted: what is sent before that is lost at the other side."""
        compressor = spdy.Compressor()
        for name, number in self._ids.items():
            self._send(spdy.syn_stream(number, {"streamType": name}, compressor))
        waiting = set(self._names)
        while waiting:
            frame = await self._frame()
            if frame is None or frame.kind in (spdy.RST_STREAM, spdy.GOAWAY):
                raise InternalError("the container runtime refused a stream of the session")
            if frame.kind == spdy.SYN_REPLY:
                waiting.discard(frame.stream)
            else:
                self._early.append(frame)

    async def output(self) -> AsyncIterator[tuple[str, bytes, bool]]:
        """(stream, bytes, whether it ends with them), until the connection ends."""
        while (frame := self._early.pop(0) if self._early else await self._frame()) is not None:
            name = self._names.get(frame.stream, "")
            if frame.kind == spdy.GOAWAY:
                return
            if frame.kind == spdy.DATA and name:
                yield name, frame.payload, frame.fin
            elif name and (frame.fin or frame.kind == spdy.RST_STREAM):
                yield name, b"", True

    async def write(self, name: str, payload: bytes) -> None:
        """Send on a stream that has not been finished; held back while the container does not read."""
        if name in self._finished or name not in self._ids:
            return
        for start in range(0, len(payload), spdy.PIECE):
            self._send(spdy.data(self._ids[name], payload[start : start + spdy.PIECE]))
            await self._connection.writer.drain()

    def finish(self, name: str) -> None:
        """Say that nothing more comes on this stream."""
        if name in self._ids and name not in self._finished:
            self._finished.add(name)
            self._send(spdy.data(self._ids[name], fin=True))

    def say_goodbye(self) -> None:
        """Tell the runtime that the session is over."""
        self._send(spdy.goaway())

    def _send(self, frame: bytes) -> None:
        if not self._connection.writer.is_closing():
            self._connection.writer.write(frame)

    async def _frame(self) -> spdy.Frame | None:
        """The next frame that says something, or None at the connection's end. Pings are answered on the way."""
        reader = self._connection.reader
        while True:
            try:
                head = await reader.readexactly(spdy.HEAD.size)
                frame = spdy.decode(head, await reader.readexactly(spdy.length_of(head)))
            except (asyncio.IncompleteReadError, OSError):
                return None
            if frame.kind == spdy.PING and frame.stream % 2 == 0:  # odd ones answer pings of ours
                self._send(spdy.ping(frame.stream))
            elif frame.kind == spdy.SYN_STREAM:
                self._send(spdy.rst_stream(frame.stream, spdy.REFUSED))
            elif frame.kind not in (spdy.PING, spdy.SETTINGS, spdy.WINDOW_UPDATE):
                return frame


@contextlib.asynccontextmanager
async def remote_command(place: Place, names: Sequence[str]) -> AsyncIterator[RemoteCommand]:
    """A started session with these streams. Raises ApiError where the runtime does not take it."""
    headers = [
        ("Host", f"{place.host}:{place.port}"),
        ("Connection", "Upgrade"),
        ("Upgrade", "SPDY/3.1"),
        ("Content-Length", "0"),
        *(("X-Stream-Protocol-Version", name) for name in PROTOCOLS),
    ]
    async with upgrade(place, "POST", headers) as connection:
        if not connection.accepted:
            said = (await connection.refusal()).text or ""
            raise InternalError(f"unable to upgrade connection: {said.strip() or connection.status}")
        chosen = connection.header("X-Stream-Protocol-Version")
        if chosen not in PROTOCOLS:
            raise InternalError(f"the container runtime speaks only the remote-command protocol {chosen!r}")
        session = RemoteCommand(connection, names)
        try:
            async with asyncio.timeout(PATIENCE):
                await session.start()
        except (TimeoutError, spdy.ProtocolError) as error:
            raise ServiceUnavailable(f"the container runtime did not open the session's streams: {error}") from error
        try:
            yield session
        finally:
            session.say_goodbye()
