"""SOURCE_DATE_EPOCH for builders that do not know it: one time for all that a build made."""

import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, cast

from wherry.images.layout import CONFIG, LAYER, MANIFEST, Layout

_TIMES = ("mtime", "atime", "ctime")  # of PAX headers: finer than a tar's own


def restamp(layout: Layout, seconds: int, below: Mapping[str, Any]) -> None:
    """Let layers and history of the one image of `layout` be of `seconds`, but for those its base's config `below`."""
    ((name, found),) = layout.names().items()
    manifest = layout.read_json(found.digest)
    config = layout.read_json(manifest["config"]["digest"])
    kept = (below.get("rootfs") or {}).get("diff_ids") or ()
    layers = [
        layer if diff_id in kept else _stamped(layout, layer["digest"], seconds)
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    ]
    created = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config["rootfs"]["diff_ids"] = [layer["digest"] for layer in layers]
    config["created"] = created
    for entry in (config.get("history") or [])[len(below.get("history") or ()) :]:
        entry["created"] = created
    parts = {"config": layout.put_json(CONFIG, config).to_json(), "layers": layers}
    layout.name(name, layout.put_json(MANIFEST, {**manifest, **parts}))


def _stamped(layout: Layout, digest: str, seconds: int) -> dict[str, Any]:
    with layout.path(digest).open("rb") as source, layout.writer() as blob:
        with (
            tarfile.open(fileobj=source, mode="r:") as read,
            tarfile.open(fileobj=cast(IO[bytes], blob), mode="w|", format=tarfile.PAX_FORMAT) as written,
        ):
            for member in read:
                member.mtime = seconds
                member.pax_headers = {key: value for key, value in member.pax_headers.items() if key not in _TIMES}
                written.addfile(member, read.extractfile(member) if member.isreg() else None)
        return blob.commit(LAYER).to_json()
