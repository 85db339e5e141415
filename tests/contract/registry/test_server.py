"""The node's registry by the distribution specification: blobs and uploads, its bounds and failures, collections."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from tests.contract.registry.conftest import World, code, digest_of, pushable, registry_of
from tests.support.content import FakeContent, StoreFailure
from tests.support.runtime import FakeRuntime
from tests.unit.images.size.test_size import NAME, image, tar
from wherry.clock import SystemClock
from wherry.images.layout import MANIFEST, Layout
from wherry.images.registry.client import Repository
from wherry.images.registry.credentials import Credentials
from wherry.images.registry.server.listen import claim, listen
from wherry.images.registry.server.uploads import MOST_UPLOADS
from wherry.images.registry.session import Session
from wherry.images.registry.transfer import pull, push
from wherry.node import content_pb2 as pb
from wherry.node.content_calls import ContentCalls
from wherry.node.image_gc import GRACE, collect
from wherry.node.registry_content import RegistryContent


async def test_a_client_finds_out_that_it_is_a_registry(world: World) -> None:
    status, headers, _ = await world.ask("GET", "/v2/")
    assert (status, headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", "/v2/UPPER/tags/list", 400, "NAME_INVALID"),
        ("GET", "/v2/a%2F..%2Fb/manifests/1", 400, "NAME_INVALID"),
        ("GET", "/v2/app/blobs/sha256:12", 400, "DIGEST_INVALID"),
        ("GET", "/v2/app/manifests/.no", 400, "MANIFEST_INVALID"),
        ("POST", "/v2/app/manifests/1", 405, "UNSUPPORTED"),
        ("GET", "/elsewhere", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("GET", "/v2/none/manifests/1", 404, "MANIFEST_UNKNOWN"),
        ("GET", f"/v2/none/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
        ("PATCH", "/v2/none/blobs/uploads/none", 404, "BLOB_UPLOAD_UNKNOWN"),
    ],
)
async def test_what_cannot_be_is_refused_in_the_specifications_words(
    fake: World, method: str, path: str, status: int, word: str
) -> None:
    got, _, body = await fake.ask(method, path)
    assert (got, code(body)) == (status, word)


async def test_a_blob_goes_up_in_one_piece_and_comes_down_whole_or_in_parts(world: World) -> None:
    data = os.urandom(2_500_000)
    digest = await world.blob(data)
    path = f"/v2/app/blobs/{digest}"
    status, headers, body = await world.ask("HEAD", path)
    assert (status, headers["Content-Length"], headers["Docker-Content-Digest"]) == (200, str(len(data)), digest)
    status, _, body = await world.ask("GET", path)
    assert (status, body) == (200, data)
    for asked, expected in (("bytes=10-19", data[10:20]), ("bytes=2499990-", data[-10:]), ("bytes=-5", data[-5:])):
        status, headers, body = await world.ask("GET", path, Range=asked)
        assert (status, body) == (206, expected)
        assert headers["Content-Range"].endswith(f"/{len(data)}")
    status, headers, _ = await world.ask("GET", path, Range="bytes=2500000-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(data)}")


async def test_the_empty_blob_is_a_blob(world: World) -> None:
    digest = await world.blob(b"")
    status, _, body = await world.ask("GET", f"/v2/app/blobs/{digest}")
    assert (status, body) == (200, b"")


async def begin(world: World, name: str = "app") -> str:
    status, headers, _ = await world.ask("POST", f"/v2/{name}/blobs/uploads/")
    assert status == 202
    return str(headers["Location"])


async def test_a_blob_goes_up_in_chunks_that_follow_each_other(world: World) -> None:
    data = os.urandom(3000)
    location = await begin(world)
    status, headers, _ = await world.ask("PATCH", location, data[:1000], Content_Range="0-999")
    assert (status, headers["Range"]) == (202, "0-999")
    status, headers, body = await world.ask("PATCH", location, data[2000:], Content_Range="2000-2999")
    assert (status, headers["Range"], code(body)) == (416, "0-999", "BLOB_UPLOAD_INVALID")
    status, _, body = await world.ask("PATCH", location, data[1000:], Content_Range="1000-1500")
    assert (status, code(body)) == (400, "SIZE_INVALID")
    status, headers, _ = await world.ask("PATCH", location, data[1000:2000], Content_Range="1000-1999")
    assert status == 202
    status, headers, _ = await world.ask("GET", location)
    assert (status, headers["Range"]) == (204, "0-1999")
    status, headers, _ = await world.ask("PUT", f"{location}?digest={digest_of(data)}", data[2000:])
    assert (status, headers["Location"]) == (201, f"/v2/app/blobs/{digest_of(data)}")
    assert (await world.ask("GET", headers["Location"]))[2] == data
    assert (await world.ask("GET", location))[0] == 404


async def test_bytes_that_are_not_the_digests_are_refused_and_never_served(world: World) -> None:
    data, other = os.urandom(1000), digest_of(os.urandom(10))
    status, _, body = await world.ask("POST", f"/v2/app/blobs/uploads/?digest={other}", data)
    assert (status, code(body)) == (400, "DIGEST_INVALID")
    location = await begin(world)
    await world.ask("PATCH", location, data)
    status, _, body = await world.ask("PUT", f"{location}?digest={other}")
    assert (status, code(body)) == (400, "DIGEST_INVALID")
    for digest in (other, digest_of(data)):
        assert (await world.ask("HEAD", f"/v2/app/blobs/{digest}"))[0] == 404


async def test_an_upload_needs_a_digest_at_its_end(world: World) -> None:
    location = await begin(world)
    status, _, body = await world.ask("PUT", location, b"data")
    assert (status, code(body)) == (400, "DIGEST_INVALID")


async def test_a_cancelled_upload_is_gone(world: World) -> None:
    location, data = await begin(world), os.urandom(100)
    await world.ask("PATCH", location, data)
    assert (await world.ask("DELETE", location))[0] == 204
    status, _, body = await world.ask("PUT", f"{location}?digest={digest_of(data)}")
    assert (status, code(body)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert (await world.ask("HEAD", f"/v2/app/blobs/{digest_of(data)}"))[0] == 404


async def test_uploads_are_cancelled_right_after_their_bytes_came(world: World) -> None:
    for _ in range(100):
        location = await begin(world)
        await world.ask("PATCH", location, os.urandom(100))
        assert (await world.ask("DELETE", location))[0] == 204


async def test_an_upload_belongs_to_its_repository(fake: World) -> None:
    location = await begin(fake, "one")
    assert (await fake.ask("PATCH", location.replace("/one/", "/two/"), b"data"))[0] == 404


async def test_an_upload_that_breaks_off_goes_on_where_it_stopped(world: World) -> None:
    data = os.urandom(3_000_000)
    location = await begin(world)
    _, writer = await asyncio.open_unix_connection(str(world.socket))
    writer.write(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode())
    writer.write(data[:2_000_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(10):  # until the server has seen the end of it
        while True:
            came = int((await world.ask("GET", location))[1]["Range"].partition("-")[2]) + 1
            status, _, _ = await world.ask("PATCH", location, data[came:], Content_Range=f"{came}-{len(data) - 1}")
            if status == 202:
                break
            assert status in (409, 416)
    assert (await world.ask("HEAD", f"/v2/app/blobs/{digest_of(data)}"))[0] == 404
    assert (await world.ask("PUT", f"{location}?digest={digest_of(data)}"))[0] == 201
    assert (await world.ask("GET", f"/v2/app/blobs/{digest_of(data)}"))[2] == data


async def test_one_blob_from_many_clients_at_once(world: World) -> None:
    data = os.urandom(3_000_000)
    digests = await asyncio.gather(*(world.blob(data, f"app{number}") for number in range(5)))
    assert set(digests) == {digest_of(data)}
    assert (await world.ask("GET", f"/v2/app/blobs/{digests[0]}"))[2] == data


async def test_a_blob_that_is_here_is_mounted_and_not_sent(world: World) -> None:
    digest = await world.blob(os.urandom(100), "base")
    status, headers, _ = await world.ask("POST", f"/v2/app/blobs/uploads/?mount={digest}&from=base")
    assert (status, headers["Location"]) == (201, f"/v2/app/blobs/{digest}")
    status, headers, _ = await world.ask("POST", f"/v2/app/blobs/uploads/?mount={digest_of(os.urandom(9))}&from=base")
    assert status == 202
    assert "/blobs/uploads/" in headers["Location"]


async def test_uploads_are_bounded(fake: World) -> None:
    locations = [await begin(fake) for _ in range(MOST_UPLOADS)]
    status, headers, body = await fake.ask("POST", "/v2/app/blobs/uploads/")
    assert (status, code(body), headers["Retry-After"]) == (429, "TOOMANYREQUESTS", "1")
    await fake.ask("DELETE", locations[0])
    assert (await fake.ask("POST", "/v2/app/blobs/uploads/"))[0] == 202
    status, _, _ = await fake.ask(
        "POST", f"/v2/app/blobs/uploads/?digest={digest_of(b'')}", Content_Length=str(1 << 40)
    )
    assert status == 413


async def test_a_store_that_is_away_is_told_and_what_was_under_way_begins_anew(fake: World) -> None:
    location = await begin(fake)
    assert isinstance(fake.content, FakeContent)
    fake.content.away = True
    status, _, body = await fake.ask("PATCH", location, b"data")
    assert (status, code(body)) == (503, "UNAVAILABLE")
    fake.content.away = False
    assert (await fake.ask("PATCH", location, b"data"))[0] == 404
    assert not fake.content.incoming


async def test_the_port_asks_for_the_password_and_has_no_other_name(tmp_path: Path) -> None:
    registry = registry_of(FakeContent(), tmp_path, StoreFailure)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert claim(port) is None
    assert claim(0) is None
    assert (tmp_path / "registry" / "password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "registry" / "config.json").stat().st_mode & 0o777 == 0o600
    password = (tmp_path / "registry" / "password").read_text().strip()
    async with AsyncExitStack() as stack:
        door = claim(port)
        assert door is not None
        await listen(registry, tmp_path / "r.sock", door, stack)
        assert (tmp_path / "r.sock").stat().st_mode & 0o777 == 0o600
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def ask(authorization: str, host: str = "") -> tuple[int, str]:
            headers = {"Authorization": authorization, "Host": host or f"127.0.0.1:{port}"}
            async with http.get(f"http://127.0.0.1:{port}/v2/", headers=headers) as answer:
                return answer.status, answer.headers.get("WWW-Authenticate", "")

        assert await ask("") == (401, 'Basic realm="wherry"')
        assert (await ask(Credentials("wherry", "wrong").basic))[0] == 401
        assert (await ask(f"Bearer {password}"))[0] == 401
        right = Credentials("wherry", password).basic
        assert (await ask(right))[0] == 200
        assert (await ask(right, f"localhost:{port}"))[0] == 200
        assert (await ask(right, "evil.example"))[0] == 403


async def test_our_own_client_pushes_and_pulls(world: World, name: str, tmp_path: Path) -> None:
    mine, theirs = image(tmp_path / "mine", tar({"a": b"1" * 100_000})), Layout.create(tmp_path / "theirs")
    port = free_port()
    async with AsyncExitStack() as stack:
        await listen(world.registry, tmp_path / "r.sock", claim(port), stack)
        http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        known = world.registry.login.credentials
        remote = Repository(Session(http, f"127.0.0.1:{port}", SystemClock(), known, plain=True), name)
        first, again = [await push(mine, NAME, remote, tag, lambda told: None) for tag in ("1", "2")]
        made = await pull(remote, "2", theirs, "localhost/copy:1", "linux/amd64", lambda told: None)
    assert first.sent > 0
    assert (again.sent, made.digest) == (0, first.digest)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.root
async def test_a_new_engine_removes_what_a_killed_one_left_half_written(real: World, name: str) -> None:
    assert real.containerd is not None
    location, data = await begin(real), os.urandom(100_000)
    await real.ask("PATCH", location, data)
    async with ContentCalls(real.containerd.socket) as calls:
        assert len(await calls.writes()) == 1
        async with RegistryContent(real.containerd.socket, FakeRuntime(), SystemClock()):
            assert await calls.writes() == []
    await real.ask("DELETE", location)
    assert (await real.ask("HEAD", f"/v2/app/blobs/{digest_of(data)}"))[0] == 404


@pytest.mark.root
async def test_blobs_stay_between_their_upload_and_the_manifest(real: World, name: str) -> None:
    assert real.containerd is not None
    made = pushable()
    await real.blob(made.layer)
    await real.blob(made.config)
    async with ContentCalls(real.containerd.socket) as calls:
        await calls.lease()
        await calls.collect()
    assert await real.manifest(made.manifest, "1", name=name) == 201


@pytest.mark.root
async def test_an_image_survives_the_garbage_collection_without_the_pushs_lease(real: World, name: str) -> None:
    assert real.containerd is not None
    made = await real.image("1", name=name)
    gone = await real.image("1", name=f"{name}-gone")
    await real.ask("DELETE", f"/v2/{name}-gone/manifests/{gone.digest}")
    assert isinstance(real.content, RegistryContent)
    leased = real.content._calls  # in four hours it would end by itself
    await leased.collect()
    async with ContentCalls(real.containerd.socket) as calls:
        for blob in (made.layer, made.config, made.manifest):
            assert await calls.has_blob(digest_of(blob))
        for blob in (gone.layer, gone.config, gone.manifest):
            assert not await calls.has_blob(digest_of(blob))


@pytest.mark.root
async def test_a_collection_frees_what_was_pulled_and_leaves_what_was_pushed(real: World, name: str) -> None:
    assert real.containerd is not None
    assert isinstance(real.content, RegistryContent)
    made, pulled = await real.image("1", name=name), await real.image("1", name=f"{name}-pulled")
    async with ContentCalls(real.containerd.socket) as calls:
        for one in await calls.images():
            if one.target.digest == pulled.digest:  # as the CRI names what it pulls
                await calls.remove_image(one.name)
                target = pb.Descriptor(media_type=MANIFEST, digest=pulled.digest, size=len(pulled.manifest))
                await calls.put_image(pb.NamedImage(name=one.name, target=target))
        later = datetime.now(UTC) + 2 * GRACE
        gone = await collect(real.containerd.socket, real.content._runtime, later)
        assert {each.partition("/")[2].partition("-pulled")[0] for each in gone if name in each} == {name}
        names = {one.name for one in await calls.images()}
    assert not any(f"{name}-pulled" in each for each in names)
    assert f"docker.io/{name}@{made.digest}" in names
