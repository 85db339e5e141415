"""An image without some of its files: its layers written anew, with a layer that lists and tells what went."""

import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member, write_tar
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout
from wherry.images.media import oci_layer
from wherry.images.names import full_name
from wherry.images.size.entries import clean, unpacked
from wherry.images.slim.hook import hooks
from wherry.images.slim.plan import Removal, site

LIST = "usr/share/wherry/removed.txt"
"""In the new image: a line for each file that went, with the reason."""
SLIMMED_FROM = "dev.wherry.slimmed.from"  # annotation: the digest of the image that it was made of


@dataclass(frozen=True)
class Slimmed:
    """The new image, and what it no longer holds."""

    reference: str
    digest: str
    files: int
    bytes: int


def rewrite(layout: Layout, reference: str, target: str, removals: Sequence[Removal]) -> Slimmed:
    """Write `target`. Layers without any of the files stay as they are. Raises ImageError; then nothing is named."""
    found, manifest = _manifest(layout, reference)
    config = layout.read_json(manifest["config"]["digest"])
    digests = [str(described["digest"]) for described in manifest["layers"]]
    held = {path for digest in digests for path in _hard_links(layout, digest, {one.path for one in removals})}
    removals = [one for one in removals if one.path not in held]
    emptied = _emptied(layout, digests, {one.path for one in removals})
    gone = {one.path for one in removals} | emptied
    layers, diff_ids = [], []
    for described, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        made = _without(layout, str(described["digest"]), gone)
        layers.append(
            {**described, **made.to_json()}
            if made
            else {**described, "mediaType": oci_layer(str(described["mediaType"]))}
        )
        diff_ids.append(made.digest if made else diff_id)
    added = _added(layout, removals, emptied)
    layers.append(added.to_json())
    history = [*config.get("history", ()), {"created_by": "wherry image slim", "comment": f"{len(removals)} files"}]
    config = {**config, "rootfs": {"type": "layers", "diff_ids": [*diff_ids, added.digest]}, "history": history}
    made_config = layout.put_json(CONFIG, config)
    annotations = {**(manifest.get("annotations") or {}), SLIMMED_FROM: found.digest}
    parts = {"mediaType": MANIFEST, "config": made_config.to_json(), "layers": layers, "annotations": annotations}
    made = layout.put_json(MANIFEST, {**manifest, **parts})
    layout.name(full_name(target), made)
    return Slimmed(full_name(target), made.digest, len(removals), sum(one.size for one in removals))


def _manifest(layout: Layout, reference: str) -> tuple[Descriptor, dict[str, Any]]:
    found = layout.find(full_name(reference))
    if found is None:
        raise ImageError(f"{reference} is not here: `wherry image ls` lists what is")
    manifest = layout.read_json(found.digest)
    if "layers" not in manifest:
        raise ImageError(f"{reference} is an index of images for several platforms: pull it for one")
    return found, manifest


def _hard_links(layout: Layout, digest: str, gone: set[str]) -> set[str]:
    """Files that would go, and that others which stay are hard links to."""
    found = set()
    for member in _members(layout, digest):
        if member.islnk() and clean(member.linkname) in gone and clean(member.name) not in gone:
            found.add(clean(member.linkname))
    return found


def _members(layout: Layout, digest: str) -> Iterator[tarfile.TarInfo]:
    with (
        layout.path(digest).open("rb") as blob,
        unpacked(blob, digest) as plain,
        tarfile.open(fileobj=plain, mode="r|") as source,
    ):
        yield from source


def _emptied(layout: Layout, digests: Sequence[str], gone: set[str]) -> set[str]:
    """Folders of packages that nothing is left in: an empty one would still be imported, as a namespace."""
    losing = {folder for path in gone if site(path) for folder in _folders(path) if site(f"{folder}/x") != folder}
    staying: set[str] = set()
    for digest in digests:
        for member in _members(layout, digest):
            path = clean(member.name)
            if path not in gone and not member.isdir():
                staying.update(_folders(path))
    return {folder for folder in losing - staying if site(f"{folder}/x")}


def _folders(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _without(layout: Layout, digest: str, gone: set[str]) -> Descriptor | None:
    """The layer less these files and folders, uncompressed; None where it has none of them."""
    dropped = False
    with layout.path(digest).open("rb") as blob, unpacked(blob, digest) as plain, layout.writer() as new:
        with (
            tarfile.open(fileobj=plain, mode="r|") as source,
            tarfile.open(fileobj=cast(IO[bytes], new), mode="w|", format=tarfile.PAX_FORMAT) as out,
        ):
            for member in source:
                if clean(member.name) in gone:
                    dropped = True
                    continue
                out.addfile(member, source.extractfile(member) if member.isreg() else None)
        return new.commit(LAYER) if dropped else None


def _added(layout: Layout, removals: Sequence[Removal], emptied: Collection[str]) -> Descriptor:
    """The list of what went, and what tells of it at run time."""
    text = "".join(f"{one.path}\t{one.size}\t{one.why}\n" for one in removals).encode()
    with layout.writer() as blob:
        write_tar([Member(name=LIST, mode=0o644, data=text), *hooks(removals, emptied)], blob)
        return blob.commit(LAYER)
