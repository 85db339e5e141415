"""A command in a container over a WebSocket (`v5.channel.k8s.io`, `v4`): streams are channels, the exit a Status."""

from collections.abc import AsyncIterator
from enum import IntEnum

import aiohttp
import orjson

from wherry.objects import Obj
from wherry.objects.errors import ApiError, from_status

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
PROTOCOLS = (V5, V4)
CHUNK = 32 * 1024


class Channel(IntEnum):
    """The first byte of each message."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255  # v5: the second byte names the channel that ends


class RemoteCommand:
    """Read `output()` to its end; then `exit_code` is known. Input may be written meanwhile by another task."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._status: Obj | None = None

    @property
    def half_closes(self) -> bool:
        """Whether the command can be told that its input has ended (v5)."""
        return self._socket.protocol == V5

    async def output(self) -> AsyncIterator[tuple[Channel, bytes]]:
        """Pieces of STDOUT and STDERR until the command ends."""
        async for message in self._socket:
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                continue
            data = message.data.encode() if isinstance(message.data, str) else message.data
            if not data:
                continue
            channel, payload = data[0], data[1:]
            if channel in (Channel.STDOUT, Channel.STDERR) and payload:
                yield Channel(channel), payload
            elif channel == Channel.ERROR and payload:
                self._status = orjson.loads(payload)

    async def write(self, data: bytes) -> None:
        """To the command's input. What comes after its end is dropped."""
        for start in range(0, len(data), CHUNK):
            await self._send(Channel.STDIN, data[start : start + CHUNK])

    async def close_stdin(self) -> None:
        """The input has ended; servers that speak only v4 cannot be told."""
        if self.half_closes:
            await self._send(Channel.CLOSE, bytes([Channel.STDIN]))

    async def resize(self, columns: int, rows: int) -> None:
        await self._send(Channel.RESIZE, orjson.dumps({"Width": columns, "Height": rows}))

    async def _send(self, channel: Channel, payload: bytes) -> None:
        if not self._socket.closed:
            try:
                await self._socket.send_bytes(bytes([channel]) + payload)
            except (aiohttp.ClientError, ConnectionError):
                return  # the reader of `output` sees the end, and why

    @property
    def exit_code(self) -> int:
        """Of the command that has ended. Raises the ApiError where it could not be run or the connection broke."""
        status = self._status
        if status is None:
            raise ApiError("the connection ended before the command did")
        if status.get("status") == "Success":
            return 0
        if status.get("reason") == "NonZeroExitCode":
            for cause in (status.get("details") or {}).get("causes") or ():
                if cause.get("reason") == "ExitCode":
                    return int(cause["message"])
        raise from_status(status)
