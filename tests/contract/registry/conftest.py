"""The node's registry over the two stores: one in memory, and containerd's own."""

import asyncio
import gzip
import hashlib
import io
import os
import tarfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support.content import FakeContent, StoreFailure
from wherry.clock import SystemClock
from wherry.images.layout import CONFIG, LAYER, MANIFEST
from wherry.images.registry.server import login
from wherry.images.registry.server.blobs import Blobs
from wherry.images.registry.server.content import Content
from wherry.images.registry.server.handler import Registry
from wherry.images.registry.server.listen import listen
from wherry.images.registry.server.manifests import Manifests
from wherry.images.registry.server.naming import Naming
from wherry.images.registry.server.uploads import Uploads
from wherry.node.containerd import Containerd
from wherry.node.containerd_process import ContainerdProcess
from wherry.node.cri import CriRuntime
from wherry.node.registry_content import RegistryContent
from wherry.node.runtime import RuntimeFailure

HERE = "127.0.0.1:5050"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def descriptor(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}


@dataclass(frozen=True)
class Pushable:
    """An image's bytes."""

    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def pushable(content: bytes = b"", *, diff_id: str = "", layer: bytes = b"", platform: str = "amd64") -> Pushable:
    """One layer with one file; `content` is random if none is given, so that no test meets another's blobs."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        data = content or os.urandom(1000)
        member = tarfile.TarInfo("file")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    packed = layer or gzip.compress(file.getvalue(), mtime=0)
    rootfs = {"type": "layers", "diff_ids": [diff_id or digest_of(file.getvalue())]}
    config = orjson.dumps({"os": "linux", "architecture": platform, "rootfs": rootfs, "config": {}})
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": [descriptor(f"{LAYER}+gzip", packed)],
    }
    return Pushable(packed, config, orjson.dumps(manifest))


@dataclass
class World:
    """A registry and a client of it by its socket."""

    http: aiohttp.ClientSession
    registry: Registry
    content: Content
    containerd: Containerd | None
    socket: Path

    async def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, body. Header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("http") else f"http://registry{path}"
        data = io.BytesIO(body) if body is not None else None
        async with self.http.request(method, url, data=data, headers=named) as answer:
            return answer.status, answer.headers, await answer.read()

    async def blob(self, data: bytes, name: str = "app") -> str:
        status, _, body = await self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", data)
        assert status == 201, body
        return digest_of(data)

    async def manifest(self, data: bytes, reference: str, kind: str = MANIFEST, name: str = "app") -> int:
        path = f"/v2/{name}/manifests/{reference}"
        status, headers, body = await self.ask("PUT", path, data, Content_Type=kind)
        assert status != 201 or headers["Docker-Content-Digest"] == digest_of(data)
        assert status == 201 or orjson.loads(body)["errors"][0]["message"]
        return status

    async def image(self, reference: str = "1", made: Pushable | None = None, name: str = "app") -> Pushable:
        made = made or pushable()
        await self.blob(made.layer, name)
        await self.blob(made.config, name)
        assert await self.manifest(made.manifest, reference, name=name) == 201
        return made


def code(body: bytes) -> str:
    """The specification's word for a refusal."""
    return str(orjson.loads(body)["errors"][0]["code"])


def registry_of(content: Content, directory: Path, failure: type[Exception]) -> Registry:
    uploads = Uploads(content, SystemClock())
    manifests = Manifests(content, Naming((HERE, "localhost:5050")), "linux/amd64")
    return Registry(Blobs(content, uploads), manifests, login.of(directory / "registry", [HERE]), failure)


@asynccontextmanager
async def served(
    content: Content, failure: type[Exception], directory: Path, containerd: Containerd | None = None
) -> AsyncIterator[World]:
    registry, socket = registry_of(content, directory, failure), directory / "registry.sock"
    async with AsyncExitStack() as stack:
        await listen(registry, socket, None, stack)
        connector = aiohttp.UnixConnector(str(socket))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
        yield World(http, registry, content, containerd, socket)


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """One for all tests of a module: none has another's blobs."""
    root = tmp_path_factory.mktemp("ctd")
    (root / "cni").mkdir()
    containerd = Containerd(ContainerdProcess(root / "root", root / "state", root / "cni"))
    try:
        asyncio.run(containerd.start())
        yield containerd
    finally:
        asyncio.run(containerd.remove())


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[World]:
    async with served(FakeContent(), StoreFailure, tmp_path) as world:
        yield world


@pytest.fixture
async def real(tmp_path: Path, containerd: Containerd) -> AsyncIterator[World]:
    async with (
        CriRuntime(containerd.socket) as runtime,
        RegistryContent(containerd.socket, runtime, SystemClock()) as content,
        served(content, RuntimeFailure, tmp_path, containerd) as world,
    ):
        yield world


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.root)])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name() -> str:
    """A repository that no other test knows."""
    return f"team/app-{uuid.uuid4().hex[:8]}"
