"""Port-forward inside a WebSocket (kubectl 1.31 and later): the SPDY bytes go in binary messages, cut anywhere."""

from dataclasses import dataclass

from aiohttp import WSMsgType, web

from wherry.apiserver.http.streams.upgrade import CHUNK, Upgraded

PREFIX, SUFFIX = "SPDY/3.1+", ".k8s.io"


def inner_protocols(offered: str) -> list[str]:
    """The SPDY protocols that a client would tunnel, of its Sec-WebSocket-Protocol header."""
    names = [name.strip() for name in offered.split(",")]
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX) and name.endswith(SUFFIX)]


@dataclass
class Tunnel:
    """A client's WebSocket and the runtime's SPDY connection. `moved` grows with every message."""

    socket: web.WebSocketResponse
    connection: Upgraded
    moved: int = 0

    async def inward(self) -> None:
        async for message in self.socket:
            if message.type is not WSMsgType.BINARY:
                return
            self.moved += 1
            self.connection.writer.write(message.data)
            await self.connection.writer.drain()

    async def outward(self) -> None:
        while data := await self.connection.reader.read(CHUNK):
            self.moved += 1
            await self.socket.send_bytes(data)
