"""Requests through the proxy to a real server in this process: bodies both ways, failures, upgrades, the stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession, WSMsgType, web
from aiohttp.test_utils import unused_port

from wherry.apiserver.http.answers import error_response
from wherry.apiserver.http.proxy.backends import Backend
from wherry.apiserver.http.proxy.forward import forward, join_backend
from wherry.apiserver.http.streams.lifetime import Lifetimes
from wherry.objects.errors import ApiError

PREFIX = "/api/v1/namespaces/default/pods/web/proxy"


@dataclass
class Parts:
    client: ClientSession
    url: str
    backend: Backend
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


async def app(request: web.BaseRequest, parts: Parts) -> web.StreamResponse:
    """What the pod serves."""
    match request.path:
        case "/echo":
            return web.Response(status=201, body=await request.read(), headers={"X-Method": request.method})
        case "/moved":
            return web.Response(status=302, headers={"Location": "/echo"})
        case "/unchanged":
            return web.Response(status=304)
        case "/socket":
            socket = web.WebSocketResponse(protocols=("chat",))
            await socket.prepare(request)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(message.data.upper())
            return socket
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"first")
    assert request.transport is not None
    if request.path == "/torn":
        request.transport.abort()
    else:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        parts.gone.set()
    return answer


@contextlib.asynccontextmanager
async def proxied() -> AsyncIterator[Parts]:
    before = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as stack:
        ports = unused_port(), unused_port()
        client = ClientSession(auto_decompress=False)
        parts = Parts(client, f"http://127.0.0.1:{ports[0]}", Backend("http", "127.0.0.1", ports[1]))

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            path = request.raw_path
            try:
                if "Upgrade" in request.headers:
                    return await join_backend(request, parts.backend, path, parts.lifetimes)
                return await forward(request, parts.backend, path, PREFIX, parts.lifetimes)
            except ApiError as error:
                return error_response(error)

        async def serve(request: web.BaseRequest) -> web.StreamResponse:
            return await app(request, parts)

        for handler, port in ((serve, ports[1]), (handle, ports[0])):
            server = web.Server(handler, handler_cancellation=handler is serve)
            runner = web.ServerRunner(server, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", port).start()
        stack.callback(parts.lifetimes.stop)
        await stack.enter_async_context(client)
        yield parts
    async with asyncio.timeout(5):
        await asyncio.gather(*(asyncio.all_tasks() - before))


async def test_bodies_of_every_method_pass_both_ways() -> None:
    blob = bytes(range(256)) * 4096

    async def piecewise() -> AsyncIterator[bytes]:
        for start in range(0, len(blob), 1 << 16):
            yield blob[start : start + (1 << 16)]

    async with proxied() as parts:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for body in (blob, piecewise()):
                async with parts.client.request(method, f"{parts.url}/echo", data=body) as answer:
                    assert (answer.status, answer.headers["X-Method"]) == (201, method)
                    assert await answer.read() == blob
        async with parts.client.get(f"{parts.url}/echo") as answer:
            assert (answer.status, await answer.read()) == (201, b"")


async def test_answers_without_a_body_are_answered_so() -> None:
    async with proxied() as parts:
        async with parts.client.head(f"{parts.url}/echo") as answer:
            assert (answer.status, await answer.read()) == (201, b"")
        async with parts.client.get(f"{parts.url}/unchanged") as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with parts.client.get(f"{parts.url}/moved", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, f"{PREFIX}/echo")


async def test_a_pod_that_does_not_listen_is_a_status() -> None:
    async with proxied() as parts:
        parts.backend = parts.backend._replace(port=unused_port())
        for headers in ({}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
            async with parts.client.get(f"{parts.url}/", headers=headers) as answer:
                status = await answer.json()
            assert (answer.status, status["reason"]) == (503, "ServiceUnavailable")
            assert status["message"].startswith("error trying to reach service: dial tcp 127.0.0.1:")


async def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    async with proxied() as parts, parts.client.get(f"{parts.url}/torn") as answer:
        assert answer.status == 200
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await answer.read()


async def test_a_reader_that_goes_away_is_gone_for_the_pod_too() -> None:
    async with proxied() as parts:
        async with parts.client.get(f"{parts.url}/endless") as answer:
            assert await answer.content.readany() == b"first"
        async with asyncio.timeout(5):
            await parts.gone.wait()


async def test_the_stop_of_the_server_breaks_an_endless_answer_off() -> None:
    async with proxied() as parts, parts.client.get(f"{parts.url}/endless") as answer:
        assert await answer.content.readany() == b"first"
        parts.lifetimes.stop()
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await answer.read()


async def test_a_websocket_passes() -> None:
    async with proxied() as parts, parts.client.ws_connect(f"{parts.url}/socket", protocols=("chat",)) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"
