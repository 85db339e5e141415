"""Which requests are tried again, and how failures are told; against a small real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from wherry.client import connection
from wherry.client.connection import APPLY, Connection, NeverSent, Request, Unreachable, proxy_for
from wherry.client.kubeconfig import Access, Cluster, KubeconfigError, User
from wherry.objects.errors import ApiError, Forbidden, ServiceUnavailable, TooManyRequests

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def status(code: int, reason: str, **headers: str) -> web.Response:
    body = {"kind": "Status", "reason": reason, "message": f"it is {reason}", "code": code}
    return web.json_response(body, status=code, headers={key.replace("_", "-"): text for key, text in headers.items()})


class Script:
    """Answers one after the other, and counts."""

    def __init__(self, *answers: web.Response) -> None:
        self.answers = list(answers)
        self.asked: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        said = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return web.Response(body=said.body, status=said.status, headers=said.headers)  # each can be sent only once


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(connection, "LONGEST_WAIT", 0.002)


@pytest.fixture
async def served() -> AsyncIterator[Callable[[Answer], Awaitable[Access]]]:
    servers: list[TestServer] = []

    async def start(answer: Answer) -> Access:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return Access("x", Cluster(f"http://127.0.0.1:{server.port}"), User())

    yield start
    for server in servers:
        await server.close()


Served = Callable[[Answer], Awaitable[Access]]


async def ask(access: Access, request: Request) -> object:
    async with asyncio.timeout(10), Connection(access) as made:
        return await made.json(request)


@pytest.mark.parametrize(
    ("request_", "times"),
    [
        (Request(path="/"), 4),
        (Request(method="PATCH", path="/", body={}, content=APPLY), 4),
        (Request(method="POST", path="/", body={}), 1),
        (Request(method="DELETE", path="/"), 1),
    ],
)
async def test_only_what_cannot_happen_twice_is_tried_again(served: Served, request_: Request, times: int) -> None:
    script = Script(status(503, "ServiceUnavailable"))
    access = await served(script.answer)
    with pytest.raises(ServiceUnavailable, match="it is ServiceUnavailable"):
        await ask(access, request_)
    assert len(script.asked) == times


async def test_whoever_is_told_to_come_later_comes_later(served: Served) -> None:
    script = Script(status(429, "TooManyRequests", Retry_After="0"), web.json_response({"fine": True}))
    assert await ask(await served(script.answer), Request(method="POST", path="/", body={})) == {"fine": True}


async def test_it_ends_some_time(served: Served) -> None:
    with pytest.raises(TooManyRequests):
        await ask(await served(Script(status(429, "TooManyRequests")).answer), Request(path="/"))


async def test_what_is_refused_is_not_tried_again(served: Served) -> None:
    script = Script(status(403, "Forbidden"))
    with pytest.raises(Forbidden):
        await ask(await served(script.answer), Request(path="/"))
    assert len(script.asked) == 1


async def test_answers_that_are_no_kubernetes_are_told_as_they_are(served: Served) -> None:
    with pytest.raises(ApiError, match="HTTP 502: <h1>bad gateway"):
        await ask(await served(Script(web.Response(status=502, text="<h1>bad gateway")).answer), Request(path="/"))
    with pytest.raises(ApiError, match="is this a Kubernetes API"):
        await ask(await served(Script(web.Response(text="hello")).answer), Request(path="/"))


async def test_a_server_that_is_not_there_is_told_with_its_address() -> None:
    access = Access("x", Cluster("http://127.0.0.1:1"), User())
    with pytest.raises(NeverSent, match=r"the API server http://127.0.0.1:1 cannot be reached: Connection refused"):
        await ask(access, Request(path="/"))


async def test_a_silent_server_is_not_waited_for_for_ever(served: Served) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"half a li")
        assert request.transport is not None
        request.transport.abort()
        return answer

    access = await served(silent)
    async with Connection(access) as made:
        with pytest.raises(Unreachable, match="broke off"):
            assert [line async for line in made.lines(Request(path="/"))] == []


async def test_lines_are_put_together(served: Served) -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in (b"on", b"e\ntw", b"o\n\nthr", b"ee\n"):
            await answer.write(piece)
        return answer

    async with Connection(await served(dripping)) as made:
        assert [line async for line in made.lines(Request(path="/"))] == [b"one", b"two", b"three"]


async def test_empty_parameters_are_not_sent(served: Served) -> None:
    script = Script(web.json_response({}))
    await ask(await served(script.answer), Request(path="/p", query=(("a", "1"), ("b", ""))))
    assert script.asked[0].path_qs == "/p?a=1"


def test_the_proxy_is_the_kubeconfig_s_else_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for(Cluster("https://far")) is None
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "near")
    assert proxy_for(Cluster("https://far")) == "http://proxy:3128"
    assert proxy_for(Cluster("https://near")) is None
    assert proxy_for(Cluster("https://127.0.0.2:6443")) is None
    assert proxy_for(Cluster("https://near", proxy="http://own:1")) == "http://own:1"
    with pytest.raises(KubeconfigError, match=r"socks5://own is no http\(s\) proxy|is no http"):
        proxy_for(Cluster("https://far", proxy="socks5://own"))
