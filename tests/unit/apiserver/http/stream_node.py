"""A node's stream server and an API server before it, both in this process, on loopback ports of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, web

from wherry.apiserver.http.answers import error_response
from wherry.apiserver.http.streams import Streams, spdy
from wherry.apiserver.http.streams.lifetime import Lifetimes
from wherry.apiserver.ports import ExecOptions, LogOptions
from wherry.apiserver.verbs.context import Target
from wherry.kinds.core.pod import POD
from wherry.objects import Obj
from wherry.objects.errors import ApiError

ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"


@dataclass
class Session:
    """The runtime's side of a connection: its request's head, and the streams by the order of their opening."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str = ""
    ids: list[int] = field(default_factory=list)

    async def accept(self, protocol: str = "v4.channel.k8s.io") -> None:
        self.writer.write(ACCEPT + f"X-Stream-Protocol-Version: {protocol}\r\n\r\n".encode())

    async def streams(self, count: int) -> None:
        """Take so many streams and accept each."""
        while len(self.ids) < count:
            frame = await self.frame()
            assert frame.kind == spdy.SYN_STREAM
            self.ids.append(frame.stream)
            self.writer.write(b"\x80\x03\x00\x02\x00\x00\x00\x04" + frame.stream.to_bytes(4, "big"))

    async def frame(self) -> spdy.Frame:
        head = await self.reader.readexactly(8)
        return spdy.decode(head, await self.reader.readexactly(spdy.length_of(head)))

    def send(self, stream: int, payload: bytes = b"", *, fin: bool = False) -> None:
        self.writer.write(spdy.data(self.ids[stream], payload, fin=fin))

    def finish(self, *streams: int) -> None:
        for stream in streams:
            self.send(stream, fin=True)


Script = Callable[[Session], Awaitable[None]]


@dataclass
class Node:
    """What `PodAccess` asks of a node; each connection runs `script`, and `gone` is set when it has ended."""

    script: Script
    url: str = ""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    heads: list[str] = field(default_factory=list)
    lines: Sequence[bytes] = ()
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(reader, writer)
        session.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(session.head)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.script(session)
        writer.close()
        self.gone.set()

    async def logs(self, pod: Obj, options: LogOptions) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield line
        if options.follow:
            try:
                await self.more.wait()
            finally:
                self.gone.set()

    async def exec(self, pod: Obj, options: ExecOptions) -> str:
        return self.url

    attach = exec

    async def port_forward(self, pod: Obj, ports: Sequence[int]) -> str:
        return self.url


@dataclass
class Api:
    """An API server that serves nothing but streams."""

    node: Node
    streams: Streams
    port: int
    client: ClientSession

    async def websocket(self, what: str, *protocols: str, **headers: str) -> ClientWebSocketResponse:
        return await self.client.ws_connect(
            f"http://127.0.0.1:{self.port}/{what}", protocols=protocols, headers=headers, max_msg_size=0
        )

    async def raw(self, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(text.replace("\n", "\r\n").encode())
        return reader, writer


@contextlib.asynccontextmanager
async def api(script: Script, lifetimes: Lifetimes | None = None, lines: Sequence[bytes] = ()) -> AsyncIterator[Api]:
    """Leaves no task and no connection behind, and checks that."""
    before = asyncio.all_tasks()
    node = Node(script, lines=lines)
    streams = Streams(node, lifetimes or Lifetimes())

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        what = request.path.strip("/")
        try:
            return await streams.answer(request, Target(POD, "default", "web", what), {})
        except ApiError as error:
            return error_response(error)

    async with contextlib.AsyncExitStack() as stack:
        server = await asyncio.start_server(node.serve, "127.0.0.1", 0)
        stack.callback(server.close)
        node.url = f"http://127.0.0.1:{_port(server)}/exec/token"
        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(streams.stop)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        client = await stack.enter_async_context(ClientSession())
        yield Api(node, streams, _port(site._server), client)
    async with asyncio.timeout(5):
        await asyncio.gather(*(asyncio.all_tasks() - before))


def _port(server: Any) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port
