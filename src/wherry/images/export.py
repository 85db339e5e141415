"""From a builder's own layout into the shared one: layers uncompressed, named by what they hold.

Builders write gzip, but nothing is sent anywhere yet, and inflating a layer at each use costs seconds. A layer's digest
is its diff_id then, and a layer that the store has under that name is not written again.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, INDEX, LAYER, MANIFEST, Descriptor, Layout

_GZIP = 31  # zlib's word for "a gzip header"
_CHUNK = 1 << 20


def lend(layout: Layout, directory: Path) -> None:
    """Make `directory` a layout that has all blobs of `layout` already: a builder writes only what is new."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for path in layout.blobs.iterdir():
        os.link(path, blobs / path.name)


def adopt(
    layout: Layout, directory: Path, annotations: Mapping[str, str], change: Callable[[dict[str, Any]], None]
) -> Descriptor:
    """The one image of `directory`, in `layout`; the config after `change`, the manifest with just `annotations`."""
    lent = Layout(directory)
    index = json.loads((directory / "index.json").read_bytes())
    manifest = _manifest(lent, index["manifests"][0])
    config = lent.read_json(manifest["config"]["digest"])
    layers = [
        _layer(layout, lent, layer, diff_id)
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    ]
    change(config)
    wanted = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [layer.to_json() for layer in layers],
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    return layout.put_json(MANIFEST, wanted)


def _manifest(lent: Layout, described: Mapping[str, Any]) -> dict[str, Any]:
    found = lent.read_json(described["digest"])
    if described["mediaType"] == INDEX:
        return _manifest(lent, found["manifests"][0])
    return found


def _layer(layout: Layout, lent: Layout, layer: Mapping[str, Any], diff_id: str) -> Descriptor:
    if not layout.has(diff_id):
        source = lent.path(layer["digest"])
        if layer["digest"] == diff_id:
            os.link(source, layout.path(diff_id))
        else:
            _inflate(layout, source, diff_id)
    return Descriptor(LAYER, diff_id, layout.path(diff_id).stat().st_size)


def _inflate(layout: Layout, source: Path, diff_id: str) -> None:
    inflater = zlib.decompressobj(_GZIP)
    with source.open("rb") as file, layout.writer() as blob:
        while chunk := file.read(_CHUNK):
            blob.write(inflater.decompress(chunk))
            while inflater.eof and inflater.unused_data:  # gzip allows several members, and pgzip makes use of it
                rest, inflater = inflater.unused_data, zlib.decompressobj(_GZIP)
                blob.write(inflater.decompress(rest))
        if blob.digest != diff_id:
            raise ImageError(f"the builder's layer is {blob.digest}, and the image's config says {diff_id}")
        blob.commit(LAYER)
