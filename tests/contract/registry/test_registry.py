"""Push and pull against Debian's docker-registry, and against one that fails in the ways that registries do."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.registry import docker_registry
from tests.unit.images.size.test_size import NAME, image, tar
from wherry.clock import SystemClock
from wherry.images.layout import Layout
from wherry.images.registry.client import Repository
from wherry.images.registry.credentials import Credentials
from wherry.images.registry.session import RegistryError, Session
from wherry.images.registry.transfer import Progress, pull, push


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a real registry with nothing in it."""
    async with docker_registry(tmp_path) as address:
        yield address


@asynccontextmanager
async def repository(host: str, name: str = "team/app", known: Credentials | None = None) -> AsyncIterator[Repository]:
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        yield Repository(Session(http, host, SystemClock(), known, plain=True), name)


def files(folder: Path) -> Layout:
    return image(folder, tar({"a": b"1" * 100_000}), tar({"b": os.urandom(3_000_000)}))


async def test_what_is_pushed_can_be_pulled(registry: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    mine, theirs = files(tmp_path / "mine"), Layout.create(tmp_path / "theirs")
    async with repository(registry) as remote:
        first = await push(mine, NAME, remote, "1", told.append)
        again = await push(mine, NAME, remote, "1", told.append)
        assert await remote.tags() == ["1"]
        made = await pull(remote, "1", theirs, "localhost/copy:1", "linux/amd64", told.append)
    assert first.sent > 3_000_000
    assert (again.sent, again.kept) == (0, first.sent)
    assert made.digest == first.digest == again.digest
    found = theirs.find("localhost/copy:1")
    assert found is not None
    for layer in theirs.read_json(found.digest)["layers"]:
        data = theirs.path(layer["digest"]).read_bytes()
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == layer["digest"]
    assert {each.what for each in told} == {"uploads", "downloads", "is there"}


async def test_blobs_of_another_repository_are_mounted(registry: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    mine = files(tmp_path / "mine")
    async with repository(registry, "base") as base:
        await push(mine, NAME, base, "1", told.append)
    told.clear()
    async with repository(registry, "app") as app:
        pushed = await push(mine, NAME, app, "1", told.append, sources=["base"])
    assert {each.what for each in told} == {"mounted"}
    assert pushed.sent == 0


async def test_many_pushes_at_once_leave_whole_images(registry: str, tmp_path: Path) -> None:
    layouts = [files(tmp_path / str(number)) for number in range(4)]

    async def one(number: int) -> str:
        async with repository(registry) as remote:
            return (await push(layouts[number], NAME, remote, str(number), lambda told: None)).digest

    digests = await asyncio.gather(*(one(number) for number in range(4)))
    async with repository(registry) as remote:
        for number, digest in enumerate(digests):
            theirs = Layout.create(tmp_path / f"copy{number}")
            assert (
                await pull(remote, str(number), theirs, "localhost/c:1", "linux/amd64", lambda told: None)
            ).digest == digest


async def test_an_image_that_is_not_there_is_an_error_that_says_so(registry: str, tmp_path: Path) -> None:
    async with repository(registry) as remote:
        with pytest.raises(RegistryError) as caught:
            await pull(remote, "none", Layout.create(tmp_path), "localhost/x:1", "linux/amd64", lambda told: None)
    assert caught.value.status == 404


class Unkind:
    """A registry that wants a token, is out of order now and then, and breaks off in the middle of blobs."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.asked: list[str] = []
        self.failures = 2
        self.breaks = 2
        self.ranges = True
        self.wrong = False
        self.host = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/token", self.token)
        app.router.add_get("/v2/{name:.+}/blobs/{digest}", self.get)
        return app

    async def token(self, request: web.Request) -> web.Response:
        assert request.headers.get("Authorization") == Credentials("me", "secret").basic
        self.asked.append(request.query["scope"])
        return web.json_response({"token": "granted"})

    async def get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer granted":
            challenge = f'Bearer realm="http://{self.host}/token",service="test",scope="x"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        first = int(request.headers.get("Range", "bytes=0-")[6:-1]) if self.ranges else 0
        data = self.blob[first:] if not self.wrong else b"x" * (len(self.blob) - first)
        response = web.StreamResponse(status=206 if first else 200, headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        if self.breaks:
            self.breaks -= 1
            await response.write(data[: len(data) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(data)
        return response


@asynccontextmanager
async def unkind(blob: bytes) -> AsyncIterator[Unkind]:
    server = Unkind(blob)
    runner = web.AppRunner(server.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.host = "{}:{}".format(*runner.addresses[0])
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_download_survives_tokens_outages_and_breaks(ranges: bool) -> None:
    blob = os.urandom(500_000)
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    async with unkind(blob) as server, repository(server.host, known=Credentials("me", "secret")) as remote:
        server.ranges = ranges
        got = b"".join([chunk async for chunk in remote.blob(digest, len(blob))])
        assert server.asked == ["repository:team/app:pull"]
    assert got == blob


async def test_a_blob_that_is_something_else_is_refused() -> None:
    blob = os.urandom(1000)
    async with unkind(blob) as server, repository(server.host, known=Credentials("me", "secret")) as remote:
        server.wrong, server.breaks = True, 0
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        with pytest.raises(RegistryError, match="arrived as something else"):
            async for _ in remote.blob(digest, len(blob)):
                pass
