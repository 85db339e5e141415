"""Write images to OCI archives, and take away what nothing names any more."""

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry import files
from wherry.images.errors import ImageError
from wherry.images.layout import INDEX, REF_NAME, Descriptor, Layout, canonical
from wherry.images.names import full_name

_CONTAINERD_NAME = "io.containerd.image.name"
_YOUNG = 3600.0  # seconds: a blob so new may be of a build under way


def save(layout: Layout, reference: str, target: Path) -> int:
    """An OCI archive of the image, as docker, podman, containerd and skopeo load it; its bytes. Whole or not at all."""
    name = full_name(reference)
    found = layout.find(name)
    if found is None:
        raise ImageError(f"{reference} is not here: `wherry image ls` lists what is")
    annotations = {REF_NAME: name.rpartition(":")[2], _CONTAINERD_NAME: name}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{**found.to_json(), "annotations": annotations}],
    }
    try:
        with (
            files.replacing(target, mode=files.ANYONE) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            _add(tar, "oci-layout", canonical({"imageLayoutVersion": "1.0.0"}))
            _add(tar, "index.json", canonical(index))
            if docker := _as_docker_has_it(layout, found, name):
                _add(tar, "manifest.json", canonical(docker))
            for digest in sorted(set(reachable(layout, found))):
                _add_file(tar, _blob_name(digest), layout.path(digest))
    except OSError as error:
        raise ImageError(f"{target}: {error.strerror or error}") from error
    return target.stat().st_size


def _as_docker_has_it(layout: Layout, found: Descriptor, name: str) -> list[dict[str, Any]]:
    """The index that docker before 25 reads, beside the other; none for what it has no form of."""
    manifest = layout.read_json(found.digest)
    if "config" not in manifest:
        return []
    layers = [_blob_name(layer["digest"]) for layer in manifest["layers"]]
    return [{"Config": _blob_name(manifest["config"]["digest"]), "RepoTags": [name], "Layers": layers}]


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = path.stat().st_size, 0o644
    with path.open("rb") as file:
        tar.addfile(member, file)


def reachable(layout: Layout, found: Descriptor) -> Iterator[str]:
    """The digests of all that a manifest, index or plain blob needs, itself first. What is not there is left out."""
    yield found.digest
    if not layout.has(found.digest) or not _is_json(found.media_type):
        return
    document: dict[str, Any] = layout.read_json(found.digest)
    for one in document.get("manifests") or ():
        yield from reachable(layout, Descriptor(one["mediaType"], one["digest"], one["size"]))
    for one in (document.get("config"), *(document.get("layers") or ())):
        if one:
            yield str(one["digest"])


def _is_json(media_type: str) -> bool:
    return "manifest" in media_type or "index" in media_type


@dataclass(frozen=True)
class Removed:
    """What went: names, and the blobs that only they held."""

    names: tuple[str, ...]
    blobs: int
    bytes: int


def remove(layout: Layout, *references: str) -> Removed:
    """Take names away, and the blobs that only they held. ImageError, and nothing is removed, if one is not there."""
    names = tuple(full_name(reference) for reference in references)
    known = layout.names()
    for name, reference in zip(names, references, strict=True):
        if name not in known:
            raise ImageError(f"{reference} is not here: `wherry image ls` lists what is")
    its_own = {digest for name in names for digest in reachable(layout, known[name])}
    layout.unname(*names)
    notes = _notes_on(layout, its_own)
    its_own |= {digest for note in notes for digest in reachable(layout, known[note])}
    layout.unname(*notes)
    blobs, size = _drop(layout, [layout.path(digest) for digest in its_own if layout.has(digest)], time.time())
    return Removed(names, blobs, size)


def _notes_on(layout: Layout, gone: set[str]) -> list[str]:
    """Names that are no image's: of a layer's compressed form, of what refers to an image. They end with its digest."""
    known = layout.names()
    held = {digest for name, found in known.items() if "/" in name for digest in reachable(layout, found)}
    return [name for name in known if "/" not in name and f"sha256:{name[-64:]}" in gone - held]


def collect(layout: Layout, young: float = _YOUNG) -> tuple[int, int]:
    """Remove the blobs that no name reaches and that are older than `young` seconds; how many, and their bytes."""
    return _drop(layout, list(layout.blobs.iterdir()), time.time() - young)


def _drop(layout: Layout, candidates: list[Path], limit: float) -> tuple[int, int]:
    """Remove the candidates that no name reaches; nothing that is newer than `limit` (seconds since the epoch)."""
    with layout.locked():
        held = {digest for found in layout.names().values() for digest in reachable(layout, found)}
        gone, size = 0, 0
        for path in candidates:
            status = path.stat()
            if f"sha256:{path.name}" not in held and status.st_mtime <= limit:
                path.unlink()
                gone, size = gone + 1, size + status.st_size
    return gone, size
