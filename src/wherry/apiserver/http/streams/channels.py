"""Remote commands by WebSocket (`v5.channel.k8s.io`), translated to the runtime's SPDY.

The first byte of each message names its channel. 255 closes the channel that the next byte names; v5 has it for stdin.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from aiohttp import WSMsgType, web

from wherry.apiserver.http.streams.remote import ERROR, RESIZE, STDERR, STDIN, STDOUT, RemoteCommand
from wherry.apiserver.ports import ExecOptions
from wherry.objects.errors import ApiError, InternalError

PROTOCOL = "v5.channel.k8s.io"
NUMBERS = {STDIN: 0, STDOUT: 1, STDERR: 2, ERROR: 3, RESIZE: 4}
NAMES = {number: name for name, number in NUMBERS.items()}
CLOSE = 255
LONGEST_STATUS = 1 << 16
LONGEST_MESSAGE = 32 << 20


def streams_of(options: ExecOptions) -> list[str]:
    """The SPDY streams of a session, in the order in which the runtime expects them."""
    wanted = {
        ERROR: True,
        STDIN: options.stdin,
        STDOUT: options.stdout,
        STDERR: options.stderr and not options.tty,  # a terminal has one output
        RESIZE: options.tty,
    }
    return [name for name, asked in wanted.items() if asked]


def first_channel(options: ExecOptions) -> int:
    """The lowest channel that a client reads: an empty message on it says that the session is there."""
    if options.stdout:
        return NUMBERS[STDOUT]
    return NUMBERS[STDERR] if options.stderr and not options.tty else NUMBERS[ERROR]


@dataclass
class Channels:
    """One session: a client's WebSocket and the runtime's streams. `moved` grows with every message."""

    socket: web.WebSocketResponse
    session: RemoteCommand
    options: ExecOptions
    moved: int = 0

    async def inward(self) -> None:
        """What the client sends, until it goes away."""
        async for message in _messages(self.socket):
            self.moved += 1
            if not message:
                continue
            channel, rest = message[0], message[1:]
            if channel == CLOSE and rest[:1] == bytes([NUMBERS[STDIN]]):
                self.session.finish(STDIN)
            elif NAMES.get(channel) in (STDIN, RESIZE) and rest:
                await self.session.write(NAMES[channel], rest)

    async def outward(self) -> None:
        """What the container writes, and the Status at last."""
        status = b""
        open_streams = set(streams_of(self.options)) - {STDIN, RESIZE}
        async for name, payload, ends in self.session.output():
            self.moved += 1
            if name == ERROR:
                status = (status + payload)[:LONGEST_STATUS]
            elif payload and name in open_streams:
                await self.socket.send_bytes(bytes([NUMBERS[name]]) + payload)
            if ends:
                open_streams.discard(name)
                if name == STDIN:  # the container reads no more
                    self.session.finish(STDIN)
            if not open_streams:
                break
        else:
            if not status:
                await self.end(InternalError("the connection to the container was lost before its command ended"))
                return
        await self._status(status or orjson.dumps({"metadata": {}, "status": "Success"}))

    async def end(self, error: ApiError) -> None:
        """Tell the client why there is no more."""
        await self._status(orjson.dumps(error.status()))

    async def _status(self, status: bytes) -> None:
        if not self.socket.closed:
            await self.socket.send_bytes(bytes([NUMBERS[ERROR]]) + status)


async def _messages(socket: web.WebSocketResponse) -> AsyncIterator[bytes]:
    async for message in socket:
        if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
            yield message.data
