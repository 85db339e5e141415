"""Archives as tools write them, and as they should never be."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from wherry.images.archive import load
from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, LAYER, MANIFEST, REF_NAME, Layout
from wherry.images.save import save

LAYER_BYTES = b"a layer, as far as anyone looks"
NAME = "localhost/x/y:1"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def blob(data: bytes) -> str:
    return f"blobs/{digest(data).replace(':', '/')}"


def described(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}


def archive(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


CONFIG_BYTES = json.dumps({"rootfs": {"diff_ids": [digest(LAYER_BYTES)]}}).encode()


def oci(path: Path, *, name: str = NAME, layer: bytes = LAYER_BYTES, **more: bytes) -> Path:
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described(CONFIG, CONFIG_BYTES),
            "layers": [described(LAYER, LAYER_BYTES)],
        }
    ).encode()
    entry = {**described(MANIFEST, manifest), "annotations": {REF_NAME: name}}
    files = {blob(LAYER_BYTES): layer, blob(CONFIG_BYTES): CONFIG_BYTES, blob(manifest): manifest}
    return archive(path, {"index.json": json.dumps({"manifests": [entry]}).encode(), **files, **more})


def docker(path: Path, layer: bytes, *, links: dict[str, str] | None = None, file: str = "l/layer.tar") -> Path:
    listed = [{"Config": "c.json", "RepoTags": [NAME], "Layers": [file]}]
    files = {"manifest.json": json.dumps(listed).encode(), "c.json": CONFIG_BYTES, "l/layer.tar": layer}
    return archive(path, files, links)


def test_an_oci_archive_keeps_its_digest(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    (image,) = load(oci(tmp_path / "a.tar"), layout)
    assert (image.reference, image.size) == (NAME, len(LAYER_BYTES) + len(CONFIG_BYTES))
    assert digest(layout.path(image.digest).read_bytes()) == image.digest
    assert layout.path(digest(LAYER_BYTES)).read_bytes() == LAYER_BYTES


@pytest.mark.parametrize("layer", [LAYER_BYTES, gzip.compress(LAYER_BYTES)], ids=["plain", "gzip"])
def test_docker_s_layers_are_stored_inflated(tmp_path: Path, layer: bytes) -> None:
    layout = Layout.create(tmp_path / "layout")
    (image,) = load(docker(tmp_path / "a.tar", layer), layout)
    manifest = layout.read_json(image.digest)
    assert [one["digest"] for one in manifest["layers"]] == [digest(LAYER_BYTES)]
    assert layout.find(NAME) is not None


def test_a_name_can_be_given_to_an_archive_without_one(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    nameless = oci(tmp_path / "a.tar", name="latest")
    with pytest.raises(ImageError, match="has no name for its image"):
        load(nameless, layout)
    assert load(nameless, layout, name="app")[0].reference == "docker.io/library/app:latest"


def test_a_changed_blob_is_refused_and_not_kept(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    with pytest.raises(ImageError, match="the archive is damaged"):
        load(oci(tmp_path / "a.tar", layer=b"other"), layout)
    with pytest.raises(ImageError, match="the archive is damaged"):
        load(docker(tmp_path / "b.tar", b"other"), layout)
    assert not layout.has(digest(LAYER_BYTES))
    assert layout.names() == {}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd"])
def test_a_link_out_of_the_archive_leads_nowhere(tmp_path: Path, target: str) -> None:
    layout = Layout.create(tmp_path / "layout")
    with pytest.raises(ImageError):
        load(docker(tmp_path / "a.tar", LAYER_BYTES, links={"l/link": target}, file="l/link"), layout)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "neither index.json nor manifest.json"),
        ({"index.json": b"{"}, "is no JSON"),
        ({"index.json": b"[]"}, "is no JSON object"),
        ({"index.json": b'{"manifests": [{"digest": "sha256:../x"}]}'}, "no sha256 digest"),
        ({"manifest.json": b"[{}]"}, "lacks None"),
        ({"manifest.json": b'[{"Config": "c"}]', "c": b"{}"}, "not as the specification"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    with pytest.raises(ImageError, match=says):
        load(archive(tmp_path / "a.tar", files), Layout.create(tmp_path / "layout"))


def test_a_file_that_is_no_archive_is_called_so(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ImageError, match="is no image archive"):
        load(tmp_path / "text", layout)
    with pytest.raises(ImageError, match="No such file"):
        load(tmp_path / "none", layout)
    whole = oci(tmp_path / "a.tar").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ImageError):
        load(tmp_path / "half", layout)


def test_what_is_saved_is_read_with_its_digest_and_in_docker_s_old_form_too(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    (image,) = load(oci(tmp_path / "a.tar"), layout)
    save(layout, NAME, tmp_path / "saved.tar")
    with tarfile.open(tmp_path / "saved.tar") as tar:
        member = tar.extractfile("manifest.json")
        assert member is not None
        (entry,) = json.loads(member.read())
        assert {entry["Config"], *entry["Layers"]} <= set(tar.getnames())
    assert entry["RepoTags"] == [NAME]
    (again,) = load(tmp_path / "saved.tar", Layout.create(tmp_path / "other"))
    assert (again.reference, again.digest) == (image.reference, image.digest)
