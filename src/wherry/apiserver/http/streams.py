"""Streams into pods: logs, and the raw upgraded connections of exec, attach and port-forward (SPDY/3.1).

An upgrade is joined byte for byte to the node's own stream server for that session; nothing of it is interpreted here.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from wherry.apiserver.http.body import TRUE
from wherry.apiserver.ports import ExecOptions, LogOptions, PodAccess
from wherry.apiserver.verbs.context import Target
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest
from wherry.objects.times import parse as parse_time

CHUNK = 65536
HOP_HEADERS = frozenset(("host", "authorization", "content-length"))


@dataclass
class Streams:
    access: PodAccess

    async def answer(self, request: web.BaseRequest, target: Target, pod: Obj) -> web.StreamResponse:
        if target.subresource == "log":
            return await self._log(request, pod)
        if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
            raise BadRequest(
                "unable to upgrade: this server speaks SPDY/3.1 for exec, attach and port-forward; "
                "with kubectl 1.29 and later set KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false and "
                "KUBECTL_PORT_FORWARD_WEBSOCKETS=false"
            )
        if target.subresource == "portforward":
            ports = [int(port) for text in request.query.getall("ports", []) for port in text.split(",") if port]
            url = await self.access.port_forward(pod, ports)
        else:
            options = exec_options(pod, request)
            start = self.access.exec if target.subresource == "exec" else self.access.attach
            url = await start(pod, options)
        return await _join(request, url)

    async def _log(self, request: web.BaseRequest, pod: Obj) -> web.StreamResponse:
        chunks = self.access.logs(pod, log_options(pod, request, datetime.now(UTC)))
        answer = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        first = await anext(chunks, None)
        await answer.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            if first is not None:
                await answer.write(first)
            async for chunk in chunks:
                await answer.write(chunk)
            await answer.write_eof()
        return answer


def log_options(pod: Obj, request: web.BaseRequest, now: datetime) -> LogOptions:
    query = request.query
    since: datetime | None = None
    if query.get("sinceSeconds"):
        since = now - timedelta(seconds=int(query["sinceSeconds"]))
    elif query.get("sinceTime"):
        since = parse_time(query["sinceTime"])
    return LogOptions(
        container=container_of(pod, query.get("container", "")),
        follow=query.get("follow", "") in TRUE,
        previous=query.get("previous", "") in TRUE,
        timestamps=query.get("timestamps", "") in TRUE,
        since=since,
        tail_lines=int(query["tailLines"]) if query.get("tailLines") else None,
        limit_bytes=int(query["limitBytes"]) if query.get("limitBytes") else None,
        stream=query.get("stream", "All") or "All",
    )


def exec_options(pod: Obj, request: web.BaseRequest) -> ExecOptions:
    query = request.query
    return ExecOptions(
        container=container_of(pod, query.get("container", "")),
        command=tuple(query.getall("command", [])),
        stdin=query.get("stdin", "") in TRUE,
        stdout=query.get("stdout", "") in TRUE,
        stderr=query.get("stderr", "") in TRUE,
        tty=query.get("tty", "") in TRUE,
    )


def container_of(pod: Obj, asked: str) -> str:
    """The container a request means. Raises BadRequest where it is not clear or not there."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    main = [container["name"] for container in spec["containers"]]
    every = main + [container["name"] for container in spec.get("initContainers") or ()]
    if asked:
        if asked not in every:
            raise BadRequest(f"container {asked} is not valid for pod {name}")
        return asked
    if len(main) == 1:
        return str(main[0])
    raise BadRequest(f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]")


async def _join(request: web.BaseRequest, url: str) -> web.StreamResponse:
    """Pass this request on to the node's stream server, then every byte both ways until one side ends."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        head = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}"]
        head += [f"{key}: {value}" for key, value in request.headers.items() if key.lower() not in HOP_HEADERS]
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            raise ApiError(f"unable to upgrade connection: {answer.decode('latin-1').splitlines()[0]}")
        await _splice(request, answer, reader, writer)
    finally:
        writer.close()
    return web.Response()


async def _splice(
    request: web.BaseRequest, answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    transport: Any = request.transport
    connection: Any = request.protocol
    inbound: asyncio.Queue[bytes | None] = asyncio.Queue()
    tap = _Tap(inbound)
    tail = getattr(connection, "_message_tail", b"")
    transport.set_protocol(tap)
    if tail:
        inbound.put_nowait(bytes(tail))
    transport.write(answer)

    async def up() -> None:
        while (data := await inbound.get()) is not None:
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def down() -> None:
        while data := await reader.read(CHUNK):
            transport.write(data)
            await tap.drained.wait()

    tasks = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[1].done() and tasks[0].done():
            await asyncio.wait([tasks[1]], timeout=5)
    finally:
        for task in tasks:
            task.cancel()
        transport.close()


class _Tap(asyncio.Protocol):
    """Takes over a connection's bytes after the upgrade."""

    def __init__(self, inbound: "asyncio.Queue[bytes | None]") -> None:
        self._inbound = inbound
        self.drained = asyncio.Event()
        self.drained.set()

    def data_received(self, data: bytes) -> None:
        self._inbound.put_nowait(data)

    def eof_received(self) -> bool:
        self._inbound.put_nowait(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._inbound.put_nowait(None)
        self.drained.set()

    def pause_writing(self) -> None:
        self.drained.clear()

    def resume_writing(self) -> None:
        self.drained.set()
