"""From a folder to an answering pod: buildah, the host's package index, containerd; all of it real."""

import asyncio
import contextlib
import gzip
import json
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.support.images import DEBS, busybox_archive, lend_python, stand_in_for_python_37
from wherry.images.archive import load
from wherry.images.base.image import make
from wherry.images.build import LAYOUT, build
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.errors import BuildError
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import Layout
from wherry.node.content import import_layout
from wherry.process import run

pytestmark = pytest.mark.root

EXAMPLES = Path(__file__).parents[2] / "examples"
PASSWORD = "p4ssw0rd-that-no-image-may-hold"  # a fact of the test, no secret
BASE = "FROM localhost/wherry/python:3.11\n"


class Builder:
    """Builds into one store, and remembers the events of the last build."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.layout = Layout.create(store / LAYOUT)
        self.events: list[BuildEvent] = []

    async def __call__(
        self, folder: Path, reference: str = "app", *, target: str | None = None, args: Mapping[str, str] | None = None
    ) -> BuiltImage:
        self.events = []
        return await build(
            folder,
            reference=reference,
            store=self.store,
            dockerfile=None,
            target=target,
            build_args=args or {},
            on_event=self.events.append,
        )

    def said(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "output"]

    def cached(self) -> list[bool]:
        return [event.cached for event in self.events if event.kind == "done"]

    def files(self, built: BuiltImage) -> dict[str, bytes]:
        """Every blob of the image, layers as they are and inflated."""
        manifest = self.layout.read_json(built.digest)
        digests = (built.digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"]))
        blobs = {digest: self.layout.path(digest).read_bytes() for digest in digests}
        return {name: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for name, data in blobs.items()}


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed; `make test` installs it")
    builder = Builder(tmp_path_factory.mktemp("images"))
    asyncio.run(lend_python(builder.layout))
    yield builder
    shutil.rmtree(builder.store)  # tens of thousands of small files
    assert str(builder.store) not in Path("/proc/self/mounts").read_text()


def folder(path: Path, dockerfile: str, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


def left_by(builder: Builder) -> list[str]:
    """What a build that ended should not leave: scratch directories, containers, processes, mounts."""
    scratch = [path.name for path in builder.store.iterdir() if path.name.startswith(".")]
    containers = list(builder.store.glob("buildah/*/*-containers/containers.json"))
    working = [entry["id"] for path in containers for entry in json.loads(path.read_text())]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(builder.store) in line]
    return [*scratch, *working, *mounts, *processes(str(builder.store))]


def processes(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if word in line and path.parent.name != str(os.getpid()):
                found.append(line)
    return found


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
    answers = [json.loads(get(f"{address}/whoami")) for _ in range(12)]
    assert len({answer["hostname"] for answer in answers}) == 3
    assert {answer["environment"] for answer in answers} == {"production"}
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


async def test_an_unchanged_folder_gives_the_same_image_from_the_cache(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}COPY a.txt /a.txt\nRUN echo made > /made\n", a_txt="one")
    first = await builder(app)
    second = await builder(app)
    assert builder.cached() == [False, True, True]
    assert (second.digest, second.reference) == (first.digest, "docker.io/library/app:latest")
    (app / "a.txt").write_text("two")
    assert (await builder(app)).digest != first.digest


async def test_run_has_the_host_s_settings_and_the_image_has_none(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TRUSTED_HOST", PASSWORD)
    monkeypatch.setenv("UV_INSECURE_HOST", PASSWORD)
    monkeypatch.setenv("FTP_PROXY", f"http://user:{PASSWORD}@127.0.0.1:9")
    shows = (
        "RUN pip config list; cat ${XDG_CONFIG_DIRS%%:*}/uv/uv.toml; echo $FTP_PROXY; tr '\\0' ' ' < /proc/1/cmdline\n"
    )
    knows = "RUN python -c \"import os, ssl; ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE'])\"\n"
    built = await builder(folder(tmp_path / "app", f"{BASE}USER 10001\n{shows}{knows}"))
    shown, command = builder.said()[:-1], builder.said()[-1]
    assert [PASSWORD in line for line in shown if "=" in line or "http" in line].count(True) == 3
    assert "buildah" in command
    assert PASSWORD not in command
    for name, data in builder.files(built).items():
        assert PASSWORD.encode() not in data, name
        assert b"wherry-build/ca" not in data, f"{name} has a file or variable of the build"
        assert b"wherry-build/xdg" not in data, f"{name} has a file or variable of the build"
    kept = await run("grep", "-rl", PASSWORD, str(builder.store), check=False)
    assert kept.stdout == ""


async def test_the_ignore_file_is_honoured(builder: Builder, tmp_path: Path) -> None:
    app = folder(
        tmp_path / "app", f"{BASE}COPY . /app/\nRUN ls -A /app\n", _env="SECRET=1", _dockerignore=".env\n", a_py=""
    )
    await builder(app)
    assert ".env" not in builder.said()
    assert "a.py" in builder.said()


async def test_a_failing_run_names_step_line_and_last_words(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}\n# why not\nRUN echo before; \\\n    echo no such luck; exit 7\n")
    with pytest.raises(BuildError) as failed:
        await builder(app)
    assert (failed.value.line, failed.value.tail) == (4, ("before", "no such luck"))
    assert f"{app}/Dockerfile, line 4 (step 2): RUN echo before;" in str(failed.value)
    assert "exit code 7" in str(failed.value)
    assert left_by(builder) == []


async def test_a_base_that_cannot_be_had_says_what_helps(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", "ARG BASE=localhost/nobody/made:this\nFROM ${BASE}\n")
    with pytest.raises(
        BuildError, match=r"line 2: the image localhost/nobody/made:this is not on this machine"
    ) as failed:
        await builder(app)
    assert "wherry image base" in str(failed.value)
    with pytest.raises(
        BuildError, match=r"127\.0\.0\.1:9/none:1 is not on this machine and cannot be pulled: .*refused"
    ):
        await builder(app, args={"BASE": "127.0.0.1:9/none:1"})
    assert left_by(builder) == []


@pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="docker-registry is not installed; `make test` does"
)
async def test_a_base_comes_from_the_mirror_that_the_machine_names(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        mirror = f"127.0.0.1:{free.getsockname()[1]}"
    served = f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{mirror}'}}\n"
    (tmp_path / "served.yml").write_text(f"{served}storage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}\n")
    (tmp_path / "conf").write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{mirror}"\ninsecure = true\n')
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "conf"))
    argv = ("docker-registry", "serve", str(tmp_path / "served.yml"))
    registry = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.DEVNULL)
    try:
        await listening(mirror)
        source = f"oci:{builder.layout.directory}:localhost/wherry/python:3.11-runtime"
        await run("skopeo", "copy", "--dest-tls-verify=false", source, f"docker://{mirror}/library/mirrored:1")
        built = await builder(folder(tmp_path / "app", "FROM mirrored:1\nRUN python --version\n"))
    finally:
        registry.terminate()
        await registry.wait()
    assert [said.rpartition(".")[0] for said in builder.said()] == ["Python 3.11"]
    annotations = builder.layout.read_json(built.digest)["annotations"]
    assert annotations["org.opencontainers.image.base.name"] == "docker.io/library/mirrored:1"
    await builder(tmp_path / "app")  # the registry is gone, and what was pulled is here
    assert builder.cached() == [False, True]


async def listening(address: str) -> None:
    host, _, port = address.partition(":")
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                return


async def test_a_cancelled_build_leaves_nothing(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}RUN sleep 4242 & echo started; sleep 4243\n")
    started = asyncio.Event()
    builder.events = []

    def on_event(event: BuildEvent) -> None:
        if event.text == "started":
            started.set()

    task = asyncio.create_task(
        build(
            app,
            reference="cancelled",
            store=builder.store,
            dockerfile=None,
            target=None,
            build_args={},
            on_event=on_event,
        )
    )
    async with asyncio.timeout(30):
        await started.wait()
    assert processes("sleep 4242")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_by(builder) == []
    assert processes("sleep 424") == []
    assert builder.layout.find("docker.io/library/cancelled:latest") is None


async def test_a_build_that_was_killed_is_tidied_by_the_next(builder: Builder, tmp_path: Path) -> None:
    app = folder(tmp_path / "app", f"{BASE}RUN sleep 4244\n")
    script = (
        "import asyncio, sys; from pathlib import Path; from wherry.images.build import build\n"
        "asyncio.run(build(Path(sys.argv[1]), reference='killed', store=Path(sys.argv[2]), dockerfile=None,"
        " target=None, build_args={}, on_event=lambda event: print(event.text, flush=True)))"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(app), str(builder.store), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    while b"sleep" not in await child.stdout.readline():
        pass
    child.kill()
    await child.wait()
    await builder(folder(tmp_path / "next", f"{BASE}RUN true\n"))
    assert [left for left in left_by(builder) if not left.startswith(".build-")] == []


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
