"""Images made without a builder: the same input gives the same bytes, in OCI's layout."""

import hashlib
import io
import json
import tarfile

from wherry.node.sandbox_image import oci_archive, tar


def test_the_same_layer_gives_the_same_archive() -> None:
    layer = tar({"bin/a": b"x"}, {"bin/b": "a"})
    first = oci_archive(layer, "wherry.test/a:1", entrypoint=["/bin/a"])
    assert first == oci_archive(tar({"bin/a": b"x"}, {"bin/b": "a"}), "wherry.test/a:1", entrypoint=["/bin/a"])


def test_every_descriptor_names_a_blob_by_its_digest_and_size() -> None:
    archive = oci_archive(tar({"a": b"x"}), "wherry.test/a:1", entrypoint=["/a", "-P"], user="1:1")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {name: file.read() for name in opened.getnames() if (file := opened.extractfile(name))}
    (named,) = json.loads(files["index.json"])["manifests"]
    assert named["annotations"]["io.containerd.image.name"] == "wherry.test/a:1"
    manifest = json.loads(files[f"blobs/sha256/{named['digest'].removeprefix('sha256:')}"])
    for descriptor in (named, manifest["config"], *manifest["layers"]):
        blob = files[f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"]
        assert descriptor["size"] == len(blob)
        assert descriptor["digest"] == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    config = json.loads(files[f"blobs/sha256/{manifest['config']['digest'].removeprefix('sha256:')}"])
    assert config["config"]["Entrypoint"] == ["/a", "-P"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
