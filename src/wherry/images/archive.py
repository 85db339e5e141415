"""Load images from archives: OCI image layouts in a tar, and what `docker save` writes.

Nothing of an archive becomes a path: its blobs are read by name, verified, and stored by their digest.
"""

import json
import platform
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from wherry.images.built import BuiltImage
from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, INDEX, LAYER, MANIFEST, REF_NAME, BlobWriter, Descriptor, Layout
from wherry.images.names import full_name

_DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONTAINERD_NAME = "io.containerd.image.name"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_JSON_BYTES = 8 << 20
_LAYER_BYTES = 64 << 30
_DEPTH = 4  # of indexes within indexes
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


def load(path: Path, layout: Layout, *, name: str = "") -> list[BuiltImage]:
    """The images of the archive, now in `layout`, under their names or, if it is one, under `name`. Raises ImageError.

    Blocks while it reads: call it in a thread.
    """
    begun = time.monotonic()
    try:
        with tarfile.open(path, mode="r:*") as tar:
            found = list(_Archive(path, tar, layout).images())
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ImageError(f"{path} is no image archive, or it is cut off: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ImageError(f"{path}: its index is not as the specification of images has it: {error!r}") from error
    named = _named(path, found, name)
    for reference, manifest in named:
        layout.name(reference, manifest)
    seconds = time.monotonic() - begun
    return [
        BuiltImage(
            reference, manifest.digest, layout.directory, layout.size(layout.read_json(manifest.digest)), seconds
        )
        for reference, manifest in named
    ]


def _named(path: Path, found: list[tuple[str, Descriptor]], name: str) -> list[tuple[str, Descriptor]]:
    if name:
        digests = {manifest.digest: manifest for _, manifest in found}
        if len(digests) != 1:
            raise ImageError(f"{path} holds {len(digests)} images: one name cannot mean them all")
        return [(full_name(name), manifest) for manifest in digests.values()]
    named = [(full_name(reference), manifest) for reference, manifest in found if reference]
    if not named:
        raise ImageError(f"{path} has no name for its image; give it one, or tag it before it is saved")
    return named


class _Archive:
    """One archive being read."""

    def __init__(self, path: Path, tar: tarfile.TarFile, layout: Layout) -> None:
        self._path = path
        self._tar = tar
        self._layout = layout
        self._members = {member.name.removeprefix("./"): member for member in tar}

    def images(self) -> Iterator[tuple[str, Descriptor]]:
        """Names (or "") and manifests. Of an archive of both kinds the OCI index is read if its names are in full."""
        if "manifest.json" in self._members and not self._names_in_full():
            for entry in self._list("manifest.json"):
                manifest = self._docker_image(entry)
                yield from ((name, manifest) for name in entry.get("RepoTags") or ("",))
        elif "index.json" in self._members:
            for described in self._object("index.json").get("manifests") or ():
                annotations = described.get("annotations") or {}
                yield annotations.get(_CONTAINERD_NAME) or _name(annotations.get(REF_NAME, "")), self._oci(described)
        else:
            raise ImageError(f"{self._path} is no image archive: it has neither index.json nor manifest.json")

    def _names_in_full(self) -> bool:
        if "index.json" not in self._members:
            return False
        listed = self._object("index.json").get("manifests") or ()
        return bool(listed) and all(_CONTAINERD_NAME in (one.get("annotations") or {}) for one in listed)

    def _docker_image(self, entry: dict[str, Any]) -> Descriptor:
        raw = self._small(str(entry.get("Config")))
        diff_ids = self._parsed(raw, "config")["rootfs"]["diff_ids"]
        files = entry.get("Layers") or []
        if len(files) != len(diff_ids):
            raise ImageError(f"{self._path}: {len(files)} layers, and {len(diff_ids)} in the image's config")
        layers = [self._docker_layer(file, diff_id) for file, diff_id in zip(files, diff_ids, strict=True)]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._layout.put(CONFIG, raw).to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        return self._layout.put_json(MANIFEST, manifest)

    def _docker_layer(self, file: str, diff_id: str) -> Descriptor:
        """Uncompressed, as the config names it."""
        if self._layout.has(diff_id):
            return Descriptor(LAYER, diff_id, self._layout.path(diff_id).stat().st_size)
        with self._layout.writer() as blob:
            for chunk in _plain(self._open(file)):
                self._write(blob, chunk, file)
            self._expect(blob.digest, diff_id, file)
            return blob.commit(LAYER)

    def _oci(self, described: dict[str, Any], depth: int = 0) -> Descriptor:
        """The manifest for this machine, with all that it names."""
        kind, digest = described.get("mediaType", MANIFEST), str(described.get("digest"))
        raw = self._small(self._blob_name(digest))
        value = self._parsed(raw, digest)
        if kind in (INDEX, _DOCKER_INDEX):
            if depth >= _DEPTH:
                raise ImageError(f"{self._path}: indexes within indexes, deeper than {_DEPTH}")
            return self._oci(self._for_this_machine(value.get("manifests") or []), depth + 1)
        if kind not in (MANIFEST, _DOCKER_MANIFEST):
            raise ImageError(f"{self._path}: {digest} is {kind}, not an image")
        for blob in (value["config"], *value["layers"]):
            self._blob(blob)
        found = self._layout.put(kind, raw)
        self._expect(found.digest, digest, "a manifest")
        return found

    def _for_this_machine(self, manifests: list[dict[str, Any]]) -> dict[str, Any]:
        machine = platform.machine()
        wanted = ("linux", _ARCHITECTURES.get(machine, machine))
        platforms = [one.get("platform") or {} for one in manifests]
        known = [(one.get("os", "linux"), one.get("architecture", wanted[1])) for one in platforms]
        for one, has in zip(manifests, known, strict=True):
            if has == wanted and self._blob_name(str(one.get("digest"))) in self._members:
                return one
        listed = ", ".join(sorted({"/".join(one) for one in known}))
        raise ImageError(f"{self._path} has no image for {'/'.join(wanted)}; it has {listed or 'none at all'}")

    def _blob(self, described: dict[str, Any]) -> None:
        digest = str(described["digest"])
        if self._layout.has(digest):
            return
        name = self._blob_name(digest)
        with self._layout.writer() as blob:
            source = self._open(name)
            while chunk := source.read(_CHUNK):
                self._write(blob, chunk, name)
            self._expect(blob.digest, digest, name)
            blob.commit(str(described["mediaType"]))

    def _blob_name(self, digest: str) -> str:
        self._layout.path(digest)  # refuses what is no digest
        return f"blobs/{digest.replace(':', '/')}"

    def _write(self, blob: BlobWriter, chunk: bytes, name: str) -> None:
        blob.write(chunk)
        if blob.size > _LAYER_BYTES:
            raise ImageError(f"{self._path}: {name} grows beyond {_LAYER_BYTES >> 30} GiB; that is no layer")

    def _expect(self, digest: str, wanted: str, name: str) -> None:
        if digest != wanted:
            raise ImageError(f"{self._path}: {name} is {digest} and should be {wanted}; the archive is damaged")

    def _open(self, name: str) -> IO[bytes]:
        member = self._members.get(name)
        file = self._tar.extractfile(member) if member is not None else None
        if file is None:
            raise ImageError(f"{self._path} lacks {name}")
        return file

    def _small(self, name: str) -> bytes:
        data = self._open(name).read(_JSON_BYTES + 1)
        if len(data) > _JSON_BYTES:
            raise ImageError(f"{self._path}: {name} is larger than {_JSON_BYTES >> 20} MiB")
        return data

    def _parsed(self, raw: bytes, name: str) -> dict[str, Any]:
        try:
            value = json.loads(raw)
        except ValueError as error:
            raise ImageError(f"{self._path}: {name} is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise ImageError(f"{self._path}: {name} is no JSON object")
        return value

    def _object(self, name: str) -> dict[str, Any]:
        return self._parsed(self._small(name), name)

    def _list(self, name: str) -> list[dict[str, Any]]:
        return list(self._parsed(b'{"list":' + self._small(name) + b"}", name)["list"])


def _name(reference: str) -> str:
    """A whole name; some tools note only a tag there, which names nothing."""
    return reference if "/" in reference or ":" in reference else ""


def _plain(source: IO[bytes]) -> Iterator[bytes]:
    """What is in it, inflated where it is gzip."""
    first = source.read(2)
    inflater = zlib.decompressobj(31) if first == _GZIP else None
    chunk = first
    while chunk:
        yield inflater.decompress(chunk) if inflater else chunk
        chunk = source.read(_CHUNK)
