from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.images.size.test_size import tar
from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Layout
from wherry.images.rebase.rebase import BASE_DIGEST, BASE_NAME, base_of, inherited, load, named, rebase

PYTHON = "usr/bin/python3.11"
APP = {"opt/venv/lib/python3.11/site-packages/x.py": b"x = 1"}


def put(
    layout: Layout,
    name: str,
    *layers: Mapping[str, bytes],
    settings: dict[str, Any] | None = None,
    notes: Mapping[str, str] | None = None,
) -> str:
    """An image of layers of these files; its digest."""
    made = [layout.put(LAYER, tar(dict(layer))) for layer in layers]
    history = [{"created_by": f"{name} {number}"} for number in range(len(made))]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": settings or {},
        "rootfs": {"type": "layers", "diff_ids": [one.digest for one in made]},
        "history": [{"created_by": "env", "empty_layer": True}, *history],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [one.to_json() for one in made],
        "annotations": dict(notes or {}),
    }
    found = layout.put_json(MANIFEST, manifest)
    layout.name(name, found)
    return found.digest


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path)


def test_only_the_lowest_layers_change(layout: Layout) -> None:
    one, two = {PYTHON: b"1"}, {PYTHON: b"2"}
    old = put(layout, "localhost/base:1", one)
    new = put(layout, "localhost/base:2", two, {"usr/lib/fixed": b"2"}, settings={"Env": ["PATH=/bin:/new"]})
    put(layout, "localhost/app:1", one, APP, settings={"User": "1"}, notes={BASE_DIGEST: old, "other": "kept"})
    made = rebase(
        layout, named(layout, "localhost/app:1"), named(layout, "localhost/base:2"), "localhost/base:2", "app:2"
    )
    image = load(layout, made.digest)
    assert made.changed
    assert (made.old, made.new) == (old, new)
    assert image.diff_ids == (*load(layout, new).diff_ids, named(layout, "localhost/app:1").diff_ids[1])
    assert image.manifest["annotations"] == {BASE_DIGEST: new, BASE_NAME: "localhost/base:2", "other": "kept"}
    assert image.settings == {"User": "1", "Env": ["PATH=/bin:/new"]}
    steps = [step["created_by"] for step in image.config["history"]]
    assert steps == ["env", "localhost/base:2 0", "localhost/base:2 1", "localhost/app:1 1"]
    back = rebase(layout, image, load(layout, old), "localhost/base:1", "app:3")
    assert load(layout, back.digest).diff_ids == named(layout, "localhost/app:1").diff_ids


def test_on_the_base_that_it_is_on_nothing_happens(layout: Layout) -> None:
    put(layout, "localhost/base:1", {PYTHON: b"1"})
    digest = put(layout, "localhost/app:1", {PYTHON: b"1"}, APP)
    base = named(layout, "localhost/base:1")
    made = rebase(layout, named(layout, "localhost/app:1"), base, "localhost/base:1", "app:2")
    assert (made.changed, made.digest) == (False, digest)
    assert layout.find("docker.io/library/app:2") is None


def test_the_base_is_the_longest_image_below_where_nothing_says_it(layout: Layout) -> None:
    one, two = {PYTHON: b"1"}, {"usr/bin/pip": b"1"}
    put(layout, "localhost/base:1", one)
    longer = put(layout, "localhost/base:pip", one, two)
    put(layout, "localhost/app:1", one, two, APP)
    assert base_of(layout, named(layout, "localhost/app:1")).digest == longer


def test_an_unknown_base_is_said(layout: Layout) -> None:
    put(layout, "localhost/app:1", {PYTHON: b"1"}, APP, notes={BASE_DIGEST: f"sha256:{'0' * 64}"})
    with pytest.raises(ImageError, match="which is not here any more or was changed since"):
        base_of(layout, named(layout, "localhost/app:1"))


def test_what_does_not_fit_is_refused_with_every_reason(layout: Layout) -> None:
    put(layout, "localhost/base:1", {PYTHON: b"1"})
    put(layout, "localhost/base:2", {"usr/bin/python3.13": b"1"})
    put(layout, "localhost/app:1", {PYTHON: b"1"}, APP)
    with pytest.raises(ImageError, match=r"does not fit(.|\n)*for Python 3\.11, and the new base has 3\.13"):
        rebase(layout, named(layout, "localhost/app:1"), named(layout, "localhost/base:2"), "localhost/base:2", "app:2")
    assert layout.find("docker.io/library/app:2") is None


def test_settings_of_the_base_follow_the_base_and_the_apps_stay() -> None:
    old = {"Env": ["PATH=/usr/bin:/bin", "LANG=C", "GONE=1"], "Cmd": ["python3"], "Entrypoint": ["/old"]}
    new = {"Env": ["PATH=/usr/bin:/new", "LANG=C.UTF-8", "MORE=1"], "Cmd": ["python3"], "Entrypoint": ["/new"]}
    own = {"Env": ["PATH=/venv:/usr/bin:/bin", "LANG=C", "GONE=1", "APP=1"], "Cmd": ["serve"], "Entrypoint": ["/old"]}
    found = inherited(own, old, new)
    assert found["Env"] == ["MORE=1", "PATH=/venv:/usr/bin:/new", "LANG=C.UTF-8", "APP=1"]
    assert (found["Cmd"], found["Entrypoint"]) == (["serve"], ["/new"])
