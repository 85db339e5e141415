"""Answers that leave in one write: what clients of each HTTP version see, byte by byte."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from wherry.apiserver.http.whole import Whole

CONTENT = b'{"kind":"ConfigMap"}'


async def answer(request: web.BaseRequest) -> web.StreamResponse:
    return Whole(CONTENT * int(request.query.get("times", "1")), 201 if request.method == "POST" else 200)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address: tuple[str, int] = runner.addresses[0]
    yield address[1]
    await runner.cleanup()


async def asked(port: int, *requests: bytes) -> bytes:
    """All that comes back on one connection until the server closes it, as the last request asks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
    async with asyncio.timeout(10):
        said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_head_and_content_are_whole(port: int) -> None:
    head, _, content = (await asked(port, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).partition(
        b"\r\n\r\n"
    )
    assert content == CONTENT
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 201 Created"
    names = dict(line.split(": ", 1) for line in lines[1:])
    assert names.pop("Date").endswith(" GMT")
    assert names == {
        "Content-Type": "application/json",
        "Cache-Control": "no-cache, private",
        "Connection": "close",
        "Content-Length": str(len(CONTENT)),
    }


async def test_a_connection_goes_on_after_an_answer(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    said = await asked(port, one, one, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert said.count(CONTENT) == 3
    assert said.count(b"Connection:") == 1


async def test_an_old_client_is_told_that_the_connection_stays(port: int) -> None:
    said = await asked(port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n")
    first, second = said.split(CONTENT)[:2]
    assert b"Connection: keep-alive\r\n" in first
    assert b"Connection: close\r\n" in second


async def test_more_than_the_buffers_hold(port: int) -> None:
    said = await asked(port, b"GET /?times=200000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert said.endswith(b"\r\n\r\n" + CONTENT * 200_000)
