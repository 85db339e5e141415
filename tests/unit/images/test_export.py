import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from wherry.images.errors import ImageError
from wherry.images.export import adopt, lend
from wherry.images.layout import CONFIG, LAYER, MANIFEST, REF_NAME, Layout

DATA = b"a layer " * 1000


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def builders_layout(path: Path, layout: Layout, written: bytes, diff_id: str) -> Path:
    """What a builder leaves: its layer in gzip, beside blobs that it was lent."""
    lend(layout, path)
    lent = Layout(path)
    config = lent.put_json(CONFIG, {"rootfs": {"diff_ids": [diff_id]}, "config": {"Env": ["A=1"]}})
    layer = lent.put(f"{LAYER}+gzip", written)
    parts = {"config": config.to_json(), "layers": [layer.to_json()], "annotations": {"a": "b"}}
    manifest = lent.put_json(MANIFEST, {"schemaVersion": 2, **parts})
    lent.name("image", manifest)
    return path


def keep(config: dict[str, Any]) -> None:
    assert "rootfs" in config


@pytest.mark.parametrize(
    "written", [gzip.compress(DATA), gzip.compress(DATA[:99]) + gzip.compress(DATA[99:])], ids=["one", "two in a row"]
)
def test_layers_come_in_inflated_under_their_diff_id(tmp_path: Path, written: bytes) -> None:
    layout = Layout.create(tmp_path / "layout")
    manifest = adopt(layout, builders_layout(tmp_path / "lent", layout, written, digest(DATA)), {"x": "y"}, keep)
    read = layout.read_json(manifest.digest)
    assert read["layers"] == [{"mediaType": LAYER, "digest": digest(DATA), "size": len(DATA)}]
    assert layout.path(digest(DATA)).read_bytes() == DATA
    assert read["annotations"] == {"x": "y"}
    assert not layout.has(digest(written))


def test_the_same_image_adopted_twice_is_the_same(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    first = adopt(layout, builders_layout(tmp_path / "1", layout, gzip.compress(DATA, 1), digest(DATA)), {}, keep)
    second = adopt(layout, builders_layout(tmp_path / "2", layout, gzip.compress(DATA, 9), digest(DATA)), {}, keep)
    assert first == second


def test_a_change_of_the_config_is_what_counts(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")

    def change(config: dict[str, Any]) -> None:
        config["config"]["Env"] = []

    manifest = adopt(layout, builders_layout(tmp_path / "1", layout, gzip.compress(DATA), digest(DATA)), {}, change)
    config = json.loads(layout.path(layout.read_json(manifest.digest)["config"]["digest"]).read_bytes())
    assert config["config"] == {"Env": []}


def test_a_layer_that_is_not_what_the_config_says_is_refused(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    with pytest.raises(ImageError, match="the image's config says"):
        adopt(layout, builders_layout(tmp_path / "1", layout, gzip.compress(DATA), digest(b"x")), {}, keep)
    assert list(layout.blobs.iterdir()) == []
    assert layout.find(REF_NAME) is None
