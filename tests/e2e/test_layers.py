"""The layer path on real Python: the base's interpreter compiles, uv installs wheels that the test makes."""

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.images import lend_python
from wherry.images.errors import ImageError
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import Layout

pytestmark = pytest.mark.root

SCRIPT = """
import asyncio, sys
from pathlib import Path
from wherry.images.layers.image import PythonApp, build_layers
folder, store = map(Path, sys.argv[1:])
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


async def test_two_machines_make_the_same_image(tmp_path: Path, wheels: Path) -> None:
    """As far as one machine shows: other folders, homes, times, permissions, hash seeds and empty caches."""
    digests = []
    for number, umask in ((1, 0o022), (2, 0o077)):
        place = tmp_path / f"machine{number}" / ("deep/" * number)
        place.mkdir(parents=True)
        store = place / "store"
        await lend_python(Layout.create(store / "layout"))
        folder = app_folder(place / "app", wheels)
        for path in sorted(folder.rglob("*"), reverse=number == 1):
            os.utime(path, (1e9 * number, 1e9 * number))
        if number == 2:
            (folder / "app.py").chmod(0o600)
        home = place / "home"
        env = {**os.environ, "HOME": str(home), "PYTHONHASHSEED": str(number), "TZ": f"UTC-{number}", "LC_ALL": "C"}
        env["UV_CACHE_DIR"] = str(home / "uv")
        argv = (sys.executable, "-c", SCRIPT, str(folder), str(store))
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
