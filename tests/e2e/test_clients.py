"""The clients that others have: they take every image that is written here, and the node's registry serves them."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine, Slot
from tests.support import docker
from tests.support.build import Builder, folder
from tests.support.images import lend_python
from wherry.host.processes import lock_holder
from wherry.images.base.image import RUNTIME_REFERENCE
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import Layout
from wherry.images.save import save

pytestmark = pytest.mark.root

CRANE = docker.GO_PROGRAMS / "crane"
WRITTEN = (RUNTIME_REFERENCE, "localhost/made/by-buildah:1", "localhost/made/in-layers:1")
SAYS = "print(6 * 7)"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.Docker]:
    if why := docker.missing():
        pytest.skip(why)
    with docker.daemon() as root:
        path = docker.built_in(root) or os.environ["PATH"]
        yield docker.Docker(root, path)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """Every kind of image that is written here: bases, by a Dockerfile, in layers."""
    store = tmp_path_factory.mktemp("store")
    builder = Builder(store)
    app = folder(
        tmp_path_factory.mktemp("app"),
        f"FROM {RUNTIME_REFERENCE}\nRUN echo made > /made\n",
        requirements_txt="",
        app_py=SAYS,
    )

    async def work() -> None:
        await lend_python(builder.layout)
        await builder(app, WRITTEN[1])
        made = PythonApp(folder=app, requirements=app / "requirements.txt", command=("python", "app.py"))
        await build_layers(made, reference=WRITTEN[2], store=store)

    asyncio.run(work())
    yield builder.layout
    shutil.rmtree(store)


@pytest.fixture(scope="module")
def archives(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("archives")
    found = {name: directory / f"{number}.tar" for number, name in enumerate(WRITTEN)}
    for name, file in found.items():
        save(layout, name, file)
    return found


def ran(*argv: str | Path, **env: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def config_of(layout: Layout, name: str) -> str:
    found = layout.find(name)
    assert found is not None
    return str(layout.read_json(found.digest)["config"]["digest"])


def test_docker_loads_and_runs_what_is_saved(client: docker.Docker, layout: Layout, archives: dict[str, Path]) -> None:
    for name, file in archives.items():
        assert name in client("load", "-i", str(file))
        assert json.loads(client("image", "inspect", name))[0]["Id"] == config_of(layout, name)
        python = ("run", "--rm", "--network=none", "--entrypoint", "python3", name)
        assert client(*python, "-c", SAYS).strip() == "42"


def test_buildah_begins_from_what_is_saved(archives: dict[str, Path], tmp_path: Path) -> None:
    stores = ("--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/runroot", "--storage-driver", "vfs")
    for file in archives.values():
        assert ran("buildah", *stores, "from", f"oci-archive:{file}")
    ran("buildah", *stores, "rm", "--all")


class Served:
    """The engine's registry."""

    def __init__(self, engine: Engine, port: int) -> None:
        self.engine = engine
        self.host = f"127.0.0.1:{port}"
        self.config = engine.root / "st" / "registry"

    def crane(self, *words: str) -> str:
        return ran(CRANE, words[0], "--insecure", *words[1:], DOCKER_CONFIG=str(self.config))


@pytest.fixture(scope="module")
def served(engine: Engine, slot: Slot) -> Served:
    return Served(engine, slot.registry_port)


@pytest.mark.skipif(not CRANE.exists(), reason="crane was not built; `make test` does it")
def test_crane_finds_no_fault_in_what_is_saved_pushed_or_pulled(
    served: Served, archives: dict[str, Path], tmp_path: Path
) -> None:
    for number, (name, file) in enumerate(archives.items()):
        ran(CRANE, "validate", "--tarball", file)
        place = f"{served.host}/crane/{number}:1"
        loaded = served.engine.wherry("image", "load", str(file))
        assert loaded.returncode == 0, loaded.stderr
        pushed = served.engine.wherry("push", name, place)
        assert pushed.returncode == 0, pushed.stderr
        served.crane("validate", "--remote", place)
        served.crane("pull", place, f"{tmp_path}/{number}.tar")
        ran(CRANE, "validate", "--tarball", f"{tmp_path}/{number}.tar")
        served.crane("push", f"{tmp_path}/{number}.tar", f"{place}-again")
        served.crane("validate", "--remote", f"{place}-again")
        assert served.crane("config", place) == served.crane("config", f"{place}-again")


def test_docker_pushes_at_once_and_pulls(
    served: Served, client: docker.Docker, layout: Layout, archives: dict[str, Path]
) -> None:
    name = WRITTEN[1]
    client("load", "-i", str(archives[name]))
    places = [f"{served.host}/docker/{number}:1" for number in range(4)]
    for place in places:
        client("tag", name, place)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda place: client("push", place, config=served.config), places))
    client("image", "rm", *places, name)
    for place in places:
        client("pull", place, config=served.config)
        assert json.loads(client("image", "inspect", place))[0]["Id"] == config_of(layout, name)
    denied = client("pull", f"{served.host}/docker/0:1", check=False)
    assert "no basic auth" in denied or "unauthorized" in denied


def test_a_push_of_docker_s_survives_a_killed_engine_or_is_done_again(
    served: Served, client: docker.Docker, layout: Layout, archives: dict[str, Path]
) -> None:
    name = WRITTEN[0]
    client("load", "-i", str(archives[name]))
    place = f"{served.host}/torn/by-kill:1"
    client("tag", name, place)
    with ThreadPoolExecutor(1) as threads:
        pushing = threads.submit(client, "push", place, check=False, config=served.config)
        pid = lock_holder(served.engine.root / "rn" / "lock")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        again = served.engine.wherry("node", "start")
        assert again.returncode == 0, again.stderr
        pushing.result()
    client("push", place, config=served.config)
    client("image", "rm", place, name)
    client("pull", place, config=served.config)
    assert json.loads(client("image", "inspect", place))[0]["Id"] == config_of(layout, name)


def test_the_node_runs_what_docker_built(
    served: Served, client: docker.Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not docker.built_in(client.root / "again"):
        pytest.skip("/usr/bin/docker is not Debian 12's, which has BuildKit built in")
    for name in ("PATH", "DOCKER_HOST", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, client.env[name])
    asyncio.run(lend_python(Layout.create(served.engine.root / "st" / "images" / "layout")))
    text = f'FROM {RUNTIME_REFERENCE}\nRUN echo 42 > /made\nCMD ["python3", "-c", "print(open(\'/made\').read())"]\n'
    words = (str(folder(tmp_path / "app", text)), "-t", "by-docker:1", "--builder", "buildx")
    built = served.engine.wherry("build", *words)
    assert built.returncode == 0, built.stderr
    served.engine.kubectl("run", "by-docker", "--image=by-docker:1", "--restart=Never")
    served.engine.kubectl("wait", "pod/by-docker", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
    assert served.engine.kubectl("logs", "by-docker").strip() == "42"
