"""Images of a real app on a real node: slimmed, put onto another base, taken by others' tools."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.e2e.test_layers import wheel
from tests.support.images import DEBS, lend_python
from tests.unit.images.size.test_size import tar
from wherry.images.base.image import REFERENCE, RUNTIME_REFERENCE, lock_of, make
from wherry.images.layers.image import PythonApp, build_layers
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Layout
from wherry.node.content import import_layout
from wherry.node.content_calls import ContentCalls

pytestmark = pytest.mark.root

APP = """
import http.server, importlib, signal, sys, traceback, tool

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = 200
        try:
            importlib.import_module({"/lost": "tool" + ".tests"}.get(self.path, "tool"))
        except ImportError:
            status = 500
            traceback.print_exc()
        self.send_response(status)
        self.end_headers()

    def log_message(self, *words):
        pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
NAME, FIXED = "docker.io/library/shop:1", "localhost/fixed:1"


@pytest.fixture(scope="module")
def layout(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The engine's own store, with the base and the app."""
    layout = Layout.create(engine.root / "st" / "images" / "layout")
    folder, wheels = tmp_path_factory.mktemp("shop"), tmp_path_factory.mktemp("wheels")
    wheel(
        wheels, "tool", {"tool/__init__.py": "x = 1\n", "tool/tests/__init__.py": f"DATA = {'0123456789' * 9999!r}\n"}
    )
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").write_text(f"--no-index\n--find-links {wheels}\ntool==1.0\n")

    async def work() -> None:
        await lend_python(layout)
        app = PythonApp(folder=folder, requirements=folder / "requirements.txt", command=("python", "app.py"))
        built = await build_layers(app, reference=NAME, store=layout.directory.parent)
        await import_layout(engine.containerd, layout.directory, NAME, built.digest)

    asyncio.run(work())
    return layout


def said(engine: Engine, *words: str) -> str:
    done = engine.wherry("image", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fixed_base(layout: Layout) -> str:
    """The base with one file more; its digest."""
    found = layout.find(RUNTIME_REFERENCE)
    assert found is not None
    manifest = layout.read_json(found.digest)
    config = layout.read_json(manifest["config"]["digest"])
    more = layout.put(LAYER, tar({"etc/fixed": b"yes"}))
    config["rootfs"]["diff_ids"].append(more.digest)
    config["history"].append({"created_by": "a fix"})
    parts = {"config": layout.put_json(CONFIG, config).to_json(), "layers": [*manifest["layers"], more.to_json()]}
    made = layout.put_json(MANIFEST, {**manifest, **parts})
    layout.name(FIXED, made)
    return made.digest


def test_a_slimmed_image_is_kept_when_it_does_the_same(engine: Engine, layout: Layout) -> None:
    told = json.loads(said(engine, "slim", NAME, "-o", "json"))
    assert [one["why"] for one in told["removals"]] == ["tests of tool: no module outside of them names tool.tests"]
    assert told["verified"] is True
    assert (told["before"]["status"], told["after"]["status"], told["after"]["exitCode"]) == (200, 200, 0)
    assert told["registry"]["after"] < told["registry"]["before"]
    assert layout.find(f"{NAME}-slim") is not None


def test_a_slimmed_image_that_does_less_is_removed_again_with_the_reason(engine: Engine, layout: Layout) -> None:
    done = engine.wherry("image", "slim", NAME, "--as", "shop:lost", "--path", "/lost")
    assert done.returncode == 1
    assert "was removed again, as it does not do what docker.io/library/shop:1 does: GET /lost -> 500" in done.stderr
    place = "/opt/venv/lib/python3.11/site-packages/tool/tests/"
    assert f"No module named 'tool.tests': removed by slimming. Keep it with `wherry image slim --keep {place}`" in (
        done.stderr
    )
    assert layout.find("docker.io/library/shop:lost") is None

    async def names() -> set[str]:
        async with ContentCalls(engine.containerd) as calls:
            return {image.name for image in await calls.images()}

    assert "docker.io/library/shop:lost" not in asyncio.run(names())
    assert engine.wherry("image", "slim", NAME, "--as", "shop:kept", "--path", "/lost", "--keep", place).returncode == 0


def test_others_take_what_was_written(engine: Engine, layout: Layout, tmp_path: Path) -> None:
    for name in (NAME, f"{NAME}-slim", RUNTIME_REFERENCE):
        archive = tmp_path / "image.tar"
        said(engine, "save", name, str(archive))
        subprocess.run(["skopeo", "inspect", f"oci-archive:{archive}"], check=True, capture_output=True)
        copied = ["skopeo", "copy", "-q", f"oci-archive:{archive}", f"dir:{tmp_path}/copy"]
        subprocess.run(copied, check=True, capture_output=True)


def test_what_runs_is_moved_to_a_new_base(engine: Engine, layout: Layout) -> None:
    engine.kubectl("create", "deployment", "shop", f"--image={NAME}")
    engine.kubectl("rollout", "status", "deployment/shop", "--timeout=50s")
    base = fixed_base(layout)
    told = said(engine, "rebase", "--deployed", "--onto", FIXED, NAME)
    assert "default/shop: onto" in told
    assert engine.kubectl("exec", "deploy/shop", "--", "cat", "/etc/fixed") == "yes"
    found = layout.find(NAME)
    assert found is not None
    assert layout.read_json(found.digest)["annotations"]["org.opencontainers.image.base.digest"] == base
    image = engine.kubectl("get", "deployment", "shop", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert image == f"docker.io/library/shop@{found.digest}"
    again = engine.wherry("image", "rebase", "--deployed", "--onto", FIXED, NAME)
    assert "no Deployment runs an image that was to be moved" in again.stderr


def test_a_base_that_does_not_fit_is_refused(engine: Engine, layout: Layout) -> None:
    config = {"architecture": "amd64", "os": "linux"}
    layer = layout.put(LAYER, tar({"usr/bin/python3.13": b"13"}))
    config_made = layout.put_json(CONFIG, {**config, "rootfs": {"type": "layers", "diff_ids": [layer.digest]}})
    manifest = {"schemaVersion": 2, "config": config_made.to_json(), "layers": [layer.to_json()]}
    layout.name("localhost/other:1", layout.put_json(MANIFEST, manifest))
    before = layout.find(NAME)
    done = engine.wherry("image", "rebase", NAME, "--onto", "localhost/other:1")
    assert done.returncode == 1
    assert "its packages are for Python 3.11, and the new base has 3.13" in done.stderr
    assert layout.find(NAME) == before


async def test_a_lock_makes_the_same_base_again(layout: Layout, tmp_path: Path) -> None:
    elsewhere = Layout.create(tmp_path)
    made = await make(elsewhere, DEBS, lock=lock_of(layout, REFERENCE))
    assert {one.reference: one.manifest for one in made} == {
        name: layout.find(name) for name in (REFERENCE, RUNTIME_REFERENCE)
    }
