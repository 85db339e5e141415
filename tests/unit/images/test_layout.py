import json
from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layout import LAYER, MANIFEST, Layout

OF_X = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_a_blob_is_named_by_what_it_holds(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    found = layout.put(LAYER, b"x")
    assert (found.digest, found.size) == (OF_X, 1)
    assert layout.path(OF_X).read_bytes() == b"x"
    assert layout.path(OF_X).stat().st_mode & 0o777 == 0o600


def test_an_unfinished_blob_leaves_nothing(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)

    def half() -> None:
        with layout.writer() as blob:
            blob.write(b"half")
            raise OSError("the source broke")

    with pytest.raises(OSError, match="broke"):
        half()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["blobs", "oci-layout", "sha256"]


def test_a_name_moves_and_others_stay(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    one, two = layout.put(MANIFEST, b"{}"), layout.put(MANIFEST, b"{ }")
    layout.name("a:1", one)
    layout.name("b:1", one)
    layout.name("a:1", two)
    assert layout.names() == {"b:1": one, "a:1": two}
    assert json.loads((tmp_path / "index.json").read_bytes())["schemaVersion"] == 2
    assert Layout(tmp_path).find("c:1") is None


@pytest.mark.parametrize("digest", ["", "sha256:../../etc/passwd", "md5:" + "a" * 64, "sha256:" + "A" * 64])
def test_a_digest_never_leads_elsewhere(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ImageError, match="no sha256 digest"):
        Layout(tmp_path).path(digest)


def test_what_a_loss_of_power_cut_short_counts_as_not_there(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    config = layout.put_json("application/json", {"a": 1})
    manifest = layout.put_json(MANIFEST, {"config": config.to_json()})
    layout.name("app", manifest)
    for lost in (config, manifest):
        layout.path(lost.digest).write_bytes(b"")
        assert layout.find("app") is None
        assert layout.put_json("application/json", {"a": 1}) == config
        assert layout.put_json(MANIFEST, {"config": config.to_json()}) == manifest
        assert layout.find("app") == manifest
