"""The node's registry with the clients that people have: skopeo, buildah, plain HTTP; pods run what they push."""

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Engine, Slot
from tests.e2e.pods import WAITS, Obj, create, pod, ready
from tests.support.images import busybox_archive
from wherry.host.processes import lock_holder
from wherry.images.layout import CONFIG, LAYER, MANIFEST
from wherry.images.registry.credentials import Credentials
from wherry.node.sandbox_image import tar

pytestmark = pytest.mark.root


class Registry:
    """The engine's, as its users reach it."""

    def __init__(self, engine: Engine, port: int, folder: Path) -> None:
        self.engine = engine
        self.host = f"127.0.0.1:{port}"
        self.port = port
        self.folder = folder
        self.login = engine.root / "st" / "registry" / "config.json"

    def skopeo(self, *words: str, check: bool = True) -> str:
        env = {**os.environ, "REGISTRY_AUTH_FILE": str(self.login)}
        done = subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=60, env=env, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def archive(self, name: str, user: str = "") -> Path:
        file = self.folder / f"{name}.tar"
        file.write_bytes(busybox_archive(f"docker.io/library/{name}:1", user=user))
        return file

    def push(self, archive: Path, name: str) -> None:
        self.skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{archive}", f"docker://{self.host}/{name}")

    def digest(self, name: str) -> str:
        found = self.skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{self.host}/{name}")
        return found.strip()

    @contextlib.contextmanager
    def connected(self) -> Iterator["Client"]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        password = (self.engine.root / "st" / "registry" / "password").read_text().strip()
        try:
            yield Client(connection, {"Authorization": Credentials("wherry", password).basic})
        finally:
            connection.close()


class Client:
    """One connection, for what no well-behaved client does."""

    def __init__(self, connection: http.client.HTTPConnection, headers: dict[str, str]) -> None:
        self.connection = connection
        self.headers = headers

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
        self.connection.request(method, path, body, {**self.headers, **headers})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.fixture(scope="module")
def registry(engine: Engine, slot: Slot, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(engine, slot.registry_port, tmp_path_factory.mktemp("registry"))


def running(name: str, image: str, policy: str = "Always") -> Obj:
    container = {"name": "app", "image": image, "command": ["sh", "-c", WAITS], "imagePullPolicy": policy}
    return pod(name, container)


def user_of(engine: Engine, name: str) -> str:
    """The user in the image's config, as the running pod has it."""
    ready(engine, name)
    return engine.kubectl("exec", name, "--", "id", "-u").strip()


def test_what_skopeo_pushes_runs_by_each_of_its_names_and_comes_out_again(engine: Engine, registry: Registry) -> None:
    registry.push(registry.archive("one", user="4321"), "team/one:1.0")
    digest = registry.digest("team/one:1.0")
    names = {
        "by-address": f"{registry.host}/team/one:1.0",
        "by-name": "team/one:1.0",
        "by-localhost": f"localhost:{registry.port}/team/one:1.0",
        "by-digest": f"{registry.host}/team/one@{digest}",
    }
    create(engine, *(running(name, image) for name, image in names.items()))
    for name in names:
        assert user_of(engine, name) == "4321"
    out = registry.folder / "out"
    registry.skopeo("copy", "--src-tls-verify=false", f"docker://{registry.host}/team/one:1.0", f"dir:{out}")
    assert f"sha256:{hashlib.sha256((out / 'manifest.json').read_bytes()).hexdigest()}" == digest


def test_wherry_itself_pushes_and_pulls_without_being_told_the_login(engine: Engine, registry: Registry) -> None:
    loaded = engine.wherry("image", "load", str(registry.archive("own", user="77")))
    assert loaded.returncode == 0, loaded.stderr
    for host in (registry.host, f"localhost:{registry.port}"):
        pushed = engine.wherry("push", "own:1", f"{host}/own:2")
        assert pushed.returncode == 0, pushed.stderr
        pulled = engine.wherry("pull", f"{host}/own:2")
        assert pulled.returncode == 0, pulled.stderr
    create(engine, running("own", "own:2", policy="Never"))
    assert user_of(engine, "own") == "77"


def test_without_the_password_nobody_gets_in(registry: Registry) -> None:
    said = registry.skopeo("inspect", "--no-creds", "--tls-verify=false", f"docker://{registry.host}/x:1", check=False)
    assert "unauthorized" in said
    assert (registry.engine.root / "rn" / "registry.sock").stat().st_mode & 0o777 == 0o600


def test_buildah_pushes_and_begins_from_it(engine: Engine, registry: Registry) -> None:
    def buildah(*words: str) -> str:
        stores = ("--root", str(registry.folder / "root"), "--runroot", str(registry.folder / "runroot"))
        argv = ["buildah", *stores, "--storage-driver", "vfs", *words]
        env = {**os.environ, "REGISTRY_AUTH_FILE": str(registry.login)}
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=True).stdout.strip()

    image = buildah("pull", f"oci-archive:{registry.archive('built', user='17')}").splitlines()[-1]
    for form in ("oci", "v2s2"):
        name = f"built:{form}"
        buildah("push", "--format", form, "--tls-verify=false", image, f"docker://{registry.host}/{name}")
        create(engine, running(f"built-{form}", name, policy="Never"))
        assert user_of(engine, f"built-{form}") == "17"
    assert buildah("from", "--tls-verify=false", f"{registry.host}/built:oci")
    buildah("rm", "--all")


def test_what_runs_is_not_deleted_and_what_does_not_run_is(engine: Engine, registry: Registry) -> None:
    registry.push(registry.archive("kept", user="1234"), "kept:1")
    create(engine, running("keeps", "kept:1"))
    ready(engine, "keeps")
    place = f"docker://{registry.host}/kept:1"
    assert "keeps" in registry.skopeo("delete", "--tls-verify=false", place, check=False)
    engine.kubectl("delete", "pod", "keeps", "--grace-period=0", "--force")
    engine.kubectl("wait", "pod/keeps", "--for=delete", "--timeout=30s")
    with registry.connected() as client:
        while client.ask("DELETE", "/v2/kept/manifests/1")[0] == 409:  # the container goes a moment after its object
            pass
        assert client.ask("GET", "/v2/kept/manifests/1")[0] == 404


def test_pushes_at_once_are_each_whole(engine: Engine, registry: Registry) -> None:
    archives = [registry.archive(f"many{number}", user=str(number + 1)) for number in range(4)]
    with ThreadPoolExecutor(8) as threads:
        places = [(archives[number % 4], f"many:{number}") for number in range(8)]
        list(threads.map(lambda place: registry.push(*place), places))
    assert [registry.digest(f"many:{number}") for number in range(4)] == [
        registry.digest(f"many:{number + 4}") for number in range(4)
    ]
    create(engine, *(running(f"many-{number}", f"many:{number}") for number in range(4)))
    assert [user_of(engine, f"many-{number}") for number in range(4)] == ["1", "2", "3", "4"]


def described(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def large() -> tuple[bytes, bytes, bytes]:
    """Layer, config and manifest of an image that takes a moment to send."""
    plain = tar({"data": os.urandom(24 << 20)}, {})
    layer = gzip.compress(plain, 1, mtime=0)
    diff_id = described("", plain)["digest"]
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": rootfs, "config": {}}).encode()
    parts = {"config": described(CONFIG, config), "layers": [described(f"{LAYER}+gzip", layer)]}
    return layer, config, json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, **parts}).encode()


def test_a_kill_in_the_middle_of_a_push_leaves_nothing_half_written(engine: Engine, registry: Registry) -> None:
    layer, config, manifest = large()
    digest = str(described("", layer)["digest"])
    half = threading.Event()

    def first_half() -> Iterator[bytes]:
        yield layer[: len(layer) // 2]
        half.set()
        killed.wait(30)

    def send() -> None:
        with registry.connected() as client, contextlib.suppress(OSError, http.client.HTTPException):
            location = client.ask("POST", "/v2/cut/blobs/uploads/")[1]["Location"]
            client.connection.request("PATCH", location, first_half(), client.headers, encode_chunked=True)
            client.connection.getresponse()

    killed = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    assert half.wait(30)
    pid = lock_holder(engine.root / "rn" / "lock")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    killed.set()
    sender.join()
    again = engine.wherry("node", "start")
    assert again.returncode == 0, again.stderr
    with registry.connected() as client:
        assert client.ask("HEAD", f"/v2/cut/blobs/{digest}")[0] == 404
        assert client.ask("PUT", "/v2/cut/manifests/1", manifest)[0] == 404
        for blob in (layer, config):
            query = f"digest={described('', blob)['digest']}"
            assert client.ask("POST", f"/v2/cut/blobs/uploads/?{query}", blob)[0] == 201
        assert client.ask("PUT", "/v2/cut/manifests/1", manifest)[0] == 201
        assert client.ask("GET", f"/v2/cut/blobs/{digest}")[2] == layer
    create(engine, running("after-the-kill", "team/one:1.0"))
    assert user_of(engine, "after-the-kill") == "4321"


def test_a_kill_at_any_moment_of_a_push_leaves_whole_images_only(engine: Engine, registry: Registry) -> None:
    """The engine is killed as the manifest is being taken; the tag is then all there, or not there."""
    layer, config, manifest = large()
    with registry.connected() as client:
        for blob in (layer, config):
            query = f"digest={described('', blob)['digest']}"
            assert client.ask("POST", f"/v2/torn/blobs/uploads/?{query}", blob)[0] == 201
        client.connection.request("PUT", "/v2/torn/manifests/1", manifest, client.headers)
        pid = lock_holder(engine.root / "rn" / "lock")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    again = engine.wherry("node", "start")
    assert again.returncode == 0, again.stderr
    with registry.connected() as client:
        status, _, body = client.ask("GET", "/v2/torn/manifests/1")
        assert (status, body) == (200, manifest) or status == 404
        assert client.ask("PUT", "/v2/torn/manifests/1", manifest)[0] == 201
        for blob in (layer, config):
            assert client.ask("GET", f"/v2/torn/blobs/{described('', blob)['digest']}")[2] == blob
