"""The OCI image layout on disk in which all images here share their blobs. A name in its index points to a manifest.

Blobs and index appear whole or not at all: they are written beside and renamed. The index is synced to the disk, blobs
are not: one that a loss of power has cut short is of the wrong size (a file gets its size after its data), and counts
as not there. That saves a build after an edit most of its time, and what is lost is built again.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wherry import files
from wherry.images.errors import ImageError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Descriptor:
    """Points to a blob."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def canonical(value: object) -> bytes:
    """The one way in which JSON is written here: the same value gives the same bytes."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def descriptor_of(value: dict[str, Any]) -> Descriptor:
    return Descriptor(value["mediaType"], value["digest"], value["size"])


class Layout:
    """An OCI image layout; `Layout.create` makes one where none is."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = directory / "blobs" / "sha256"

    @classmethod
    def create(cls, directory: Path) -> "Layout":
        layout = cls(directory)
        layout.blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker = directory / "oci-layout"
        if not marker.exists():
            files.write(marker, canonical({"imageLayoutVersion": "1.0.0"}), sync=True)
        return layout

    def path(self, digest: str) -> Path:
        algorithm, _, hexadecimal = digest.partition(":")
        if algorithm != "sha256" or len(hexadecimal) != 64 or not set(hexadecimal) <= set("0123456789abcdef"):
            raise ImageError(f"{digest!r} is no sha256 digest, and this layout holds no other")
        return self.blobs / hexadecimal

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def whole(self, blob: Descriptor) -> bool:
        try:
            return self.path(blob.digest).stat().st_size == blob.size
        except FileNotFoundError:
            return False

    def read_json(self, digest: str) -> dict[str, Any]:
        value = json.loads(self.path(digest).read_bytes())
        if not isinstance(value, dict):
            raise ImageError(f"{self.path(digest)}: a JSON object was expected")
        return value

    def put(self, media_type: str, data: bytes) -> Descriptor:
        blob = Descriptor(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        if not self.whole(blob):
            with files.replacing(self.path(blob.digest), beside=self.directory) as file:
                file.write(data)
        return blob

    def put_json(self, media_type: str, value: object) -> Descriptor:
        return self.put(media_type, canonical(value))

    @contextlib.contextmanager
    def writer(self) -> Iterator["BlobWriter"]:
        """A blob that is not known yet: write it, then `commit`; without that nothing stays."""
        number, name = tempfile.mkstemp(dir=self.directory, prefix=".blob-")
        try:
            with os.fdopen(number, "wb") as file:
                yield BlobWriter(self, file, Path(name))
        finally:
            Path(name).unlink(missing_ok=True)

    def put_stream(self, media_type: str, source: BinaryIO) -> Descriptor:
        with self.writer() as blob:
            while chunk := source.read(_CHUNK):
                blob.write(chunk)
            return blob.commit(media_type)

    def names(self) -> dict[str, Descriptor]:
        """Every name and the manifest that it points to."""
        return {one["annotations"][REF_NAME]: descriptor_of(one) for one in self._manifests()}

    def find(self, reference: str) -> Descriptor | None:
        """None too where a loss of power has taken the manifest or its config."""
        found = self.names().get(reference)
        return found if found is not None and self._sound(found) else None

    def _sound(self, manifest: Descriptor) -> bool:
        if not self.whole(manifest) or "manifest" not in manifest.media_type:
            return self.whole(manifest)
        config = self.read_json(manifest.digest).get("config")
        return config is None or not self.has(config["digest"]) or self.whole(descriptor_of(config))

    def name(self, reference: str, manifest: Descriptor) -> None:
        """Let `reference` point to `manifest` from now on."""
        with self.locked():
            others = [one for one in self._manifests() if one["annotations"][REF_NAME] != reference]
            mine = {**manifest.to_json(), "annotations": {REF_NAME: reference}}
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, mine]}
            files.write(self.directory / "index.json", canonical(index), sync=True)

    def unname(self, *references: str) -> None:
        """Take these names away; what they pointed to stays."""
        with self.locked():
            others = [one for one in self._manifests() if one["annotations"][REF_NAME] not in references]
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": others}
            files.write(self.directory / "index.json", canonical(index), sync=True)

    def size(self, manifest: dict[str, Any]) -> int:
        """Bytes of the config and the layers, each counted once."""
        parts = {one["digest"]: int(one["size"]) for one in (manifest["config"], *manifest["layers"])}
        return sum(parts.values())

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Alone with the index, among all processes."""
        return files.locked(self.directory / ".lock")

    def _manifests(self) -> list[dict[str, Any]]:
        try:
            index = json.loads((self.directory / "index.json").read_bytes())
        except FileNotFoundError:
            return []
        return [one for one in index["manifests"] if REF_NAME in one.get("annotations", {})]


class BlobWriter:
    """One blob on its way into a layout; counts and hashes what passes."""

    def __init__(self, layout: Layout, file: BinaryIO, path: Path) -> None:
        self._layout = layout
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def commit(self, media_type: str) -> Descriptor:
        self._file.flush()
        os.replace(self._path, self._layout.path(self.digest))
        return Descriptor(media_type, self.digest, self.size)
