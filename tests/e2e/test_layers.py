"""The layer path on real Python: the base's interpreter compiles, uv installs wheels that the test makes."""

import asyncio
import base64
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import lend_python
from wherry.images.built import BuildEvent
from wherry.images.errors import ImageError
from wherry.images.layers import install
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import CONFIG, MANIFEST, Layout

pytestmark = pytest.mark.root

SCRIPT = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layers.workshop import Workshop
folder, store, user = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
os.setgroups([]), os.setgid(user), os.setuid(user)
sys.executable = "/usr/bin/python3"
app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("tool",), environment={"A": "1"})
print(asyncio.run(build_layers(app, reference="app", store=store)).digest)
"""
SETS = "NAMES = {'a', 'b', 'c', 'd'}\ndef f(x):\n    return x in {'p', 'q', 'r', 1, 2.5, None}\n"


def wheel(directory: Path, name: str, files: dict[str, str]) -> None:
    info = f"{name}-1.0.dist-info"
    head = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    every = {**files, **head}
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}"
        for path, text in every.items()
    ]
    every[f"{info}/RECORD"] = "\n".join((*rows, f"{info}/RECORD,,", ""))
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in every.items():
            archive.writestr(path, text)


def app_folder(folder: Path, wheels: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "app.py").write_text(SETS)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    (folder / "static").mkdir()
    (folder / "static" / "a.css").write_text("a{}")
    (folder / ".env").write_text("SECRET=1")
    (folder / "notes.txt").write_text("not for the image")
    (folder / ".dockerignore").write_text("*.txt\n")
    (folder / "requirements.txt").write_text(f"--no-index\n--find-links {wheels}\ntool==1.0\nbig==1.0\n")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    wheel(directory, "tool", {"tool.py": SETS + "def main():\n    return 0\n"})
    wheel(directory, "big", {"big.py": "main = print\n", "big.bin": "0123456789abcdef" * (600 << 10)})
    return directory


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user may enter, as pytest's own is not, with a uv for all."""
    with tempfile.TemporaryDirectory(prefix="wherry-layers-") as name:
        place = Path(name)
        place.chmod(0o755)
        shutil.copy(Path(sys.executable).parent / "uv", place / "uv")
        yield place


async def test_two_machines_make_the_same_image(open_place: Path, wheels: Path) -> None:
    """As far as one machine shows: other folders, homes, users, times, permissions, hash seeds, and empty caches."""
    shutil.copytree(wheels, open_place / "wheels")
    digests = []
    for number, umask, user in ((1, 0o022, 0), (2, 0o077, 65534)):
        place = open_place / f"machine{number}" / ("deep/" * number)
        place.mkdir(parents=True)
        store = place / "store"
        await lend_python(Layout.create(open_place / "lent" / "layout"))
        shutil.copytree(open_place / "lent", store)  # what is lent is linked, and would get another owner too
        folder = app_folder(place / "app", open_place / "wheels")
        for path in sorted(folder.rglob("*"), reverse=number == 1):
            os.utime(path, (1e9 * number, 1e9 * number))
        if number == 2:
            (folder / "app.py").chmod(0o600)
        home = place / "home"
        home.mkdir()
        for path in (place, *place.rglob("*")):
            os.lchown(path, user, user)
        env = {**os.environ, "HOME": str(home), "PYTHONHASHSEED": str(number), "TZ": f"UTC-{number}", "LC_ALL": "C"}
        env |= {"UV_CACHE_DIR": str(home / "uv"), "PATH": f"{open_place}:{os.environ['PATH']}"}
        argv = (sys.executable, "-c", SCRIPT, str(folder), str(store), str(user))
        done = await asyncio.to_thread(
            subprocess.run, argv, env=env, umask=umask, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        digests.append(done.stdout.strip())
    assert digests[0] == digests[1]
    shown = files_of(Layout(store / "layout"), digests[0])
    assert [name for name in shown[-1] if not name.endswith(".pyc")] == [
        *("app", "app/__pycache__", "app/app.py", "app/run.sh", "app/static", "app/static/a.css"),
    ]
    assert any(name.endswith("big.bin") for name in shown[-3])
    assert not any(name.endswith("big.bin") for name in shown[-2])
    assert "opt/venv/bin/tool" in shown[-2]
    assert not any(name in ("opt", "usr", "tmp") for layer in shown[1:] for name in layer)


async def test_an_edit_makes_one_new_layer(tmp_path: Path, wheels: Path) -> None:
    store = tmp_path / "store"
    layout = Layout.create(store / "layout")
    await lend_python(layout)
    folder = app_folder(tmp_path / "app", wheels)
    app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("tool",))
    before = layout.read_json((await build_layers(app, reference="app", store=store)).digest)["layers"]
    (folder / "static" / "a.css").write_text("b{}")
    after = layout.read_json((await build_layers(app, reference="app", store=store)).digest)["layers"]
    assert before[:-1] == after[:-1]
    assert before[-1]["size"] == after[-1]["size"]
    assert times(layout, before[-1]["digest"]) != times(layout, after[-1]["digest"])


async def test_what_cannot_be_is_said(tmp_path: Path, wheels: Path) -> None:
    store = tmp_path / "store"
    folder = app_folder(tmp_path / "app", wheels)
    app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("tool",))
    with pytest.raises(ImageError, match=r"the base image .* is not here; `wherry image base`"):
        await build_layers(app, reference="app", store=store)
    await lend_python(Layout.create(store / "layout"))
    (folder / "requirements.txt").write_text(f"--no-index\n--find-links {wheels}\nabsent==1.0\n")
    with pytest.raises(ImageError, match="absent"):
        await build_layers(app, reference="app", store=store)
    (folder / "out").symlink_to("/etc/passwd")
    without = PythonApp(folder=folder, requirements=None, command=("python", "app.py"))
    with pytest.raises(ImageError, match="is a link out of the folder"):
        await build_layers(without, reference="app", store=store)
    assert "docker.io/library/app:latest" not in Layout(store / "layout").names()


def source_distribution(directory: Path, name: str, backend: str) -> None:
    """One that only its own build backend, which is in it, makes a wheel of."""
    head = '[build-system]\nrequires = []\nbuild-backend = "back"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": head,
        "back.py": backend,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
    }
    with tarfile.open(directory / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


BACKEND = """
import zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{directory}/old-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("old.py", "made = True\\n")
        wheel.writestr("old-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: old\\nVersion: 1.0\\n")
        wheel.writestr("old-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("old-1.0.dist-info/RECORD", "old.py,,\\nold-1.0.dist-info/METADATA,,\\n")
    return "old-1.0-py3-none-any.whl"
"""


class Store:
    """A store with the base image, and what its builds say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layout = Layout.create(path / "layout")
        self.said: list[str] = []

    async def build(self, folder: Path, requirements: str, **more: Any) -> str:
        (folder / "requirements.txt").write_text(requirements)
        app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("python",), **more)
        self.said.clear()
        return (await build_layers(app, reference="app", store=self.path, on_event=self._told)).digest

    def _told(self, event: BuildEvent) -> None:
        self.said.append(event.text)

    def names(self, digest: str) -> set[str]:
        return {name for layer in files_of(self.layout, digest) for name in layer}


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    await lend_python(store.layout)
    (tmp_path / "app").mkdir()
    return store


async def test_a_package_without_a_wheel_is_named_and_built_once(tmp_path: Path, wheels: Path, store: Store) -> None:
    wanted = f"--no-index\n--find-links {wheels}\ntool==1.0\nold==1.0\n"
    source_distribution(wheels, "old", BACKEND)
    digest = await store.build(tmp_path / "app", wanted)
    assert "no wheel for old==1.0: built on this machine by Python 3.11, once" in store.said
    site = "opt/venv/lib/python3.11/site-packages"
    assert {f"{site}/old.py", f"{site}/tool.py", f"{site}/__pycache__/old.cpython-311.pyc"} <= store.names(digest)
    assert await store.build(tmp_path / "app", wanted) == digest
    assert not any("built" in line for line in store.said)


async def test_a_build_that_fails_says_whose_and_what_helps(tmp_path: Path, wheels: Path, store: Store) -> None:
    source_distribution(wheels, "old", "def build_wheel(*args, **more):\n    raise SystemExit('no compiler: ' * 2)\n")
    with pytest.raises(ImageError, match=r"old==1\.0 has no wheel, and building one failed") as failed:
        await store.build(tmp_path / "app", f"--no-index\n--find-links {wheels}\nold==1.0\n")
    assert "no compiler" in str(failed.value)
    assert "wherry init" in str(failed.value)


async def test_another_platform_needs_no_emulation(tmp_path: Path, wheels: Path, store: Store) -> None:
    base = store.layout.find("localhost/wherry/python:3.11-runtime")
    assert base is not None
    manifest = store.layout.read_json(base.digest)
    config = {**store.layout.read_json(manifest["config"]["digest"]), "architecture": "arm64"}
    other = {**manifest, "config": store.layout.put_json(CONFIG, config).to_json()}
    store.layout.name("localhost/arm:1", store.layout.put_json(MANIFEST, other))
    wanted = f"--no-index\n--find-links {wheels}\ntool==1.0\n"
    for_arm = {"base": "localhost/arm:1", "platform": "linux/arm64"}
    digest = await store.build(tmp_path / "app", wanted, **for_arm)
    made = store.layout.read_json(store.layout.read_json(digest)["config"]["digest"])
    assert made["architecture"] == "arm64"
    assert "opt/venv/lib/python3.11/site-packages/tool.py" in store.names(digest)
    with pytest.raises(ImageError, match=r"is for linux/amd64, and linux/arm64 is wanted"):
        await store.build(tmp_path / "app", wanted, platform="linux/arm64")
    (wheels / "tool-1.0-py3-none-any.whl").rename(wheels / "tool-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    with pytest.raises(ImageError, match=r"tool"):
        await store.build(tmp_path / "app", wanted + "# again\n", **for_arm)


def outside(place: Path, store: Store) -> list[Path]:
    return sorted(path for path in place.rglob("*") if not path.is_relative_to(store.path))


async def test_wheels_of_ill_will_touch_nothing_outside(
    tmp_path: Path, wheels: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app" / "requirements.txt").touch()
    wheel(wheels, "climbs", {"../../../escaped.py": "x = 1\n", "climbs.py": ""})
    wheel(wheels, "bomb", {"bomb.py": "0" * (2 << 20)})
    wheel(wheels, "torn", {"torn.py": "x = 1\n" * 1000})
    torn = wheels / "torn-1.0-py3-none-any.whl"
    torn.write_bytes(torn.read_bytes()[:700])
    monkeypatch.setattr(install, "LARGEST_FILE", 1 << 20)
    before = outside(tmp_path, store)
    for name, says in (("bomb", "larger than 1 MiB"), ("torn", "torn")):
        monkeypatch.setenv("UV_CACHE_DIR", str(store.path / f"uv-{name}"))
        with pytest.raises(ImageError, match=says):
            await store.build(tmp_path / "app", f"--no-index\n--find-links {wheels}\n{name}==1.0\n")
    assert "docker.io/library/app:latest" not in store.layout.names()
    digest = await store.build(tmp_path / "app", f"--no-index\n--find-links {wheels}\nclimbs==1.0\n")
    assert not any("escaped" in name for name in store.names(digest))
    assert outside(tmp_path, store) == before


async def test_the_index_s_password_is_in_no_layer_note_or_error(
    tmp_path: Path, wheels: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "p4ssw0rd-that-no-image-may-hold"  # a fact of the test, no secret
    asked: list[str] = []

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            name = "tool-1.0-py3-none-any.whl"
            data = f'<a href="/{name}">{name}</a>'.encode() if self.path == "/simple/tool/" else b""
            data = (wheels / name).read_bytes() if self.path == f"/{name}" else data
            self.send_response(200 if data else 404)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple") else "application/zip")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_HEAD = do_GET  # a body more than uv asked for does no harm on a connection that ends

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://user:{password}@127.0.0.1:{server.server_port}/simple")
        await store.build(tmp_path / "app", "tool==1.0\n")
        with pytest.raises(ImageError) as failed:
            await store.build(tmp_path / "app", "absent==1.0\n")
    finally:
        server.shutdown()
        server.server_close()
    assert any(asked)
    assert "absent" in str(failed.value)
    assert password not in str(failed.value)
    holding = [path for path in store.path.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert holding == []


def files_of(layout: Layout, digest: str) -> list[list[str]]:
    layers = json.loads(layout.path(digest).read_bytes())["layers"]
    found = []
    for layer in layers:
        with tarfile.open(layout.path(layer["digest"])) as tar:
            found.append(tar.getnames())
    return found


def times(layout: Layout, digest: str) -> set[float]:
    with tarfile.open(layout.path(digest)) as tar:
        return {one.mtime for one in tar if one.name.endswith("a.css")}
