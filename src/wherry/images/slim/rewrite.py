"""An image without some of its files: its layers written anew, the list of what went as a layer of its own."""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, cast

from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout
from wherry.images.names import full_name
from wherry.images.size.entries import clean, unpacked
from wherry.images.slim.plan import Removal

LIST = "usr/share/wherry/removed.txt"
"""In the new image: a line for each file that went, with the reason."""


@dataclass(frozen=True)
class Slimmed:
    """The new image, and what it no longer holds."""

    reference: str
    digest: str
    files: int
    bytes: int


def rewrite(layout: Layout, reference: str, target: str, removals: Sequence[Removal]) -> Slimmed:
    """Write `target`. Layers without any of the files stay as they are. Raises ImageError; then nothing is named."""
    found = layout.find(full_name(reference))
    if found is None:
        raise ImageError(f"{reference} is not here: `wherry image ls` lists what is")
    manifest = layout.read_json(found.digest)
    config = layout.read_json(manifest["config"]["digest"])
    gone = {one.path for one in removals}
    layers, diff_ids = [], []
    for described, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        made = _without(layout, str(described["digest"]), gone)
        layers.append({**described, **made.to_json()} if made else described)
        diff_ids.append(made.digest if made else diff_id)
    listed = _list_layer(layout, removals)
    layers.append(listed.to_json())
    history = [*config.get("history", ()), {"created_by": "wherry image slim", "comment": f"{len(removals)} files"}]
    config = {**config, "rootfs": {"type": "layers", "diff_ids": [*diff_ids, listed.digest]}, "history": history}
    made_config = layout.put_json(CONFIG, config)
    made = layout.put_json(MANIFEST, {**manifest, "config": made_config.to_json(), "layers": layers})
    layout.name(full_name(target), made)
    return Slimmed(full_name(target), made.digest, len(removals), sum(one.size for one in removals))


def _without(layout: Layout, digest: str, gone: set[str]) -> Descriptor | None:
    """The layer less these files, uncompressed; None where it has none of them."""
    dropped = False
    with layout.path(digest).open("rb") as blob, unpacked(blob, digest) as plain, layout.writer() as new:
        with (
            tarfile.open(fileobj=plain, mode="r|") as source,
            tarfile.open(fileobj=cast(IO[bytes], new), mode="w|", format=tarfile.PAX_FORMAT) as out,
        ):
            for member in source:
                if not member.isdir() and clean(member.name) in gone:
                    dropped = True
                    continue
                out.addfile(member, source.extractfile(member) if member.isreg() else None)
        return new.commit(LAYER) if dropped else None


def _list_layer(layout: Layout, removals: Sequence[Removal]) -> Descriptor:
    text = "".join(f"{one.path}\t{one.size}\t{one.why}\n" for one in removals).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(LIST)
        member.size, member.mode = len(text), 0o644
        tar.addfile(member, io.BytesIO(text))
    return layout.put(LAYER, out.getvalue())
