"""From a folder to an answering pod: buildah, the host's package index, containerd; all of it real."""

import asyncio
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.support.build import BASE, Builder, folder
from tests.support.images import DEBS, busybox_archive, lend_python, stand_in_for_python_37
from tests.support.registry import docker_registry
from wherry.images.archive import load
from wherry.images.base.image import make
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import Layout
from wherry.node.content import import_layout
from wherry.process import run

pytestmark = pytest.mark.root

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed; `make test` installs it")
    builder = Builder(tmp_path_factory.mktemp("images"))
    asyncio.run(lend_python(builder.layout))
    yield builder
    shutil.rmtree(builder.store)  # tens of thousands of small files
    assert str(builder.store) not in Path("/proc/self/mounts").read_text()


async def test_the_same_packages_make_the_same_base_image(builder: Builder, tmp_path: Path) -> None:
    made = await make(Layout.create(tmp_path / "again"), DEBS)
    assert len(made) == 2
    assert [base.manifest for base in made] == [builder.layout.find(base.reference) for base in made]
    assert all(base.made for base in made)


async def test_the_web_app_becomes_three_replicas_behind_a_load_balancer(engine: Engine, builder: Builder) -> None:
    built = await builder(EXAMPLES / "webapp", "webapp:latest")
    first = await import_layout(engine.containerd, built.layout, built.reference, built.digest)
    again = await import_layout(engine.containerd, built.layout, built.reference, built.digest)
    assert first.copied_bytes > built.size * 0.99
    assert (again.copied_bytes, again.blobs) == (0, 0)
    engine.kubectl("apply", "-f", str(EXAMPLES / "webapp" / "k8s"))
    engine.kubectl("rollout", "status", "deployment/webapp", "--timeout=50s")
    address = url(engine, "webapp")
    assert get(f"{address}/") == "Hello, World!"
    hosts: set[str] = set()
    for _ in range(100):  # a pod that is available may be routed to some milliseconds later
        answer = json.loads(get(f"{address}/whoami"))
        assert answer["environment"] == "production"
        hosts.add(answer["hostname"])
        if len(hosts) == 3:
            break
    assert len(hosts) == 3
    engine.kubectl("delete", "-f", str(EXAMPLES / "webapp" / "k8s"), "--wait=false")


async def test_a_pod_runs_an_image_by_its_digest_without_pulling(engine: Engine, builder: Builder) -> None:
    built = await builder(EXAMPLES / "webapp", "webapp:latest")
    await import_layout(engine.containerd, built.layout, built.reference, built.digest)
    image = f"docker.io/library/webapp@{built.digest}"
    words = ("run", "once", f"--image={image}", "--restart=Never", "--image-pull-policy=Always")
    engine.kubectl(*words, "--command", "--", "python", "-c", "import flask; print(flask.__name__)")
    engine.kubectl("wait", "pod/once", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
    assert engine.kubectl("logs", "once").strip() == "flask"
    engine.kubectl("delete", "pod", "once", "--wait=false")


async def test_the_article_s_own_dockerfile_builds_and_answers(
    engine: Engine, builder: Builder, tmp_path: Path
) -> None:
    await builder(stand_in_for_python_37(tmp_path / "python"), "python:3.7")
    built = await builder(EXAMPLES / "article", "myregistry/webapp:latest")
    assert built.reference == "docker.io/myregistry/webapp:latest"
    await import_layout(engine.containerd, built.layout, built.reference, built.digest)
    for name in ("configmap", "deployment", "service"):
        engine.kubectl("apply", "-f", str(EXAMPLES / "article" / f"{name}.yaml"))
    engine.kubectl("rollout", "status", "deployment/webapp-deployment", "--timeout=50s")
    assert get(f"{url(engine, 'webapp-service')}/") == "Hello, World!"


@pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="docker-registry is not installed; `make test` does"
)
async def test_a_base_comes_from_the_mirror_that_the_machine_names(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with docker_registry(tmp_path) as mirror:
        (tmp_path / "conf").write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{mirror}"\ninsecure = true\n')
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "conf"))
        source = f"oci:{builder.layout.directory}:localhost/wherry/python:3.11-runtime"
        await run("skopeo", "copy", "--dest-tls-verify=false", source, f"docker://{mirror}/library/mirrored:1")
        built = await builder(folder(tmp_path / "app", "FROM mirrored:1\nRUN python --version\n"))
    assert [said.rpartition(".")[0] for said in builder.said()] == ["Python 3.11"]
    annotations = builder.layout.read_json(built.digest)["annotations"]
    assert annotations["org.opencontainers.image.base.name"] == "docker.io/library/mirrored:1"
    await builder(tmp_path / "app")  # the registry is gone, and what was pulled is here
    assert builder.cached() == [False, True]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo writes the archives; `make test` installs it")
async def test_archives_of_both_kinds_load_and_run(engine: Engine, builder: Builder, tmp_path: Path) -> None:
    built = await builder(folder(tmp_path / "app", f'{BASE}CMD ["python", "-c", "print(6 * 7)"]\n'), "localhost/a/b:1")
    for kind in ("docker-archive", "oci-archive"):
        archive = tmp_path / f"{kind}.tar"
        source = f"oci:{built.layout}:{built.reference}"
        await run("skopeo", "copy", source, f"{kind}:{archive}:localhost/{kind}/b:1")
        other = Layout.create(tmp_path / kind)
        (loaded,) = await asyncio.to_thread(load, archive, other)
        assert loaded.reference == f"localhost/{kind}/b:1"
        await import_layout(engine.containerd, loaded.layout, loaded.reference, loaded.digest)
        name = kind.partition("-")[0]
        engine.kubectl("run", name, f"--image={loaded.reference}", "--restart=Never")
        engine.kubectl("wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")
        assert engine.kubectl("logs", name).strip() == "42"


async def test_imports_side_by_side_leave_each_thing_once(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "busybox.tar").write_bytes(busybox_archive("localhost/side/by-side:1"))
    (image,) = await asyncio.to_thread(load, tmp_path / "busybox.tar", Layout.create(tmp_path / "layout"))
    words = (engine.containerd, image.layout, image.reference, image.digest)
    await asyncio.gather(*(import_layout(*words) for _ in range(4)))
    assert (await import_layout(*words)).blobs == 0
    ctr = ("ctr", "--address", engine.containerd, "-n", "k8s.io")
    for left in (("snapshots", "list"), ("leases", "list", "-q"), ("content", "active")):
        assert "wherry-" not in (await run(*ctr, *left)).stdout
    checked = (await run(*ctr, "images", "check", "-q", "name~=side/by-side")).stdout.split()
    assert checked == [image.reference, f"localhost/side/by-side@{image.digest}"]


async def test_layers_without_a_dockerfile_answer_as_well(engine: Engine, builder: Builder) -> None:
    folder = EXAMPLES / "webapp"
    app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("gunicorn", "app:app"))
    built = await build_layers(app, reference="layered", store=builder.store)
    await import_layout(engine.containerd, built.layout, built.reference, built.digest)
    engine.kubectl("run", "layered", f"--image={built.reference}", "--port=8000", "--expose")
    engine.kubectl("wait", "pod/layered", "--for=condition=Ready", "--timeout=30s")
    address = engine.kubectl("get", "pod", "layered", "-o", "jsonpath={.status.podIP}")
    assert get(f"http://{address}:8000/") == "Hello, World!"
    imported = "import sys, flask; print(flask.__cached__, sys.flags.dont_write_bytecode, flask.__file__)"
    shown = engine.kubectl("exec", "layered", "--", "python", "-c", imported)
    assert "/opt/venv/lib/python3.11/site-packages/flask/__pycache__/__init__.cpython-311.pyc" in shown
    found = "import importlib.metadata as m; print(m.version('flask'), len(m.files('gunicorn')))"
    assert engine.kubectl("exec", "layered", "--", "python", "-c", found).startswith("3.")


def url(engine: Engine, service: str) -> str:
    port = engine.kubectl("get", "service", service, "-o", "jsonpath={.spec.ports[0].port}")
    deadline = time.monotonic() + 20
    while not (
        host := engine.kubectl("get", "service", service, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
    ):
        assert time.monotonic() < deadline, f"{service} got no address"
    return f"http://{host}:{port}"


def get(address: str) -> str:
    """The answer; an app without a readiness probe may still be starting."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
