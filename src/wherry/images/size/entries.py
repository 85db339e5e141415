"""An image's layers as entries: paths, sizes and what hides what. Reads an OCI image layout."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, cast

from wherry.images.errors import ImageError
from wherry.images.layout import INDEX, Layout

MOST_ENTRIES = 2_000_000  # of one image: more is no image that anybody meant to make
LARGEST_TEXT = 4 * 1024 * 1024  # bytes of a file that is kept to be read
_OPAQUE, _WHITEOUT = ".wh..wh..opq", ".wh."
_TEXTS = ("METADATA", "RECORD", "top_level.txt", "INSTALLER", "direct_url.json")
_DPKG = ("var/lib/dpkg/status", "var/lib/dpkg/status.d/", "var/lib/dpkg/info/")


@dataclass(frozen=True)
class Entry:
    """A file, link or directory of one layer. `size` is its own bytes: 0 for links and directories."""

    path: str  # without a leading slash
    size: int
    directory: bool = False
    executable: bool = False


@dataclass(frozen=True)
class LayerFiles:
    """One layer. `removed` and `emptied` are its whiteouts: paths, and directories of which nothing below is left."""

    digest: str
    stored: int  # bytes as they lie in the registry
    entries: Sequence[Entry]
    removed: Sequence[str] = ()
    emptied: Sequence[str] = ()
    made_by: str = ""

    @property
    def size(self) -> int:
        """Bytes of its files, unpacked."""
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True)
class ImageFiles:
    """All layers, the lowest first, the configuration, and the texts of packages' metadata as they last were."""

    reference: str
    digest: str
    layers: Sequence[LayerFiles]
    config: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> int:
        return sum(layer.stored for layer in self.layers)


Stored = Callable[[Mapping[str, Any]], int]
"""Tells of a layer's descriptor how many bytes it is in a registry."""


def read(
    layout: Layout,
    reference: str,
    platform: str = "linux/amd64",
    wanted: Callable[[str], bool] | None = None,
    stored: Stored = lambda described: int(described["size"]),
) -> ImageFiles:
    """The files of an image in the layout. Raises ImageError where it is not there or is damaged.

    `texts` has packages' metadata, and the files whose path is `wanted`.
    """
    found = layout.find(reference)
    if found is None:
        raise ImageError(f"{reference} is not in {layout.directory}: build or load it first")
    digest = found.digest
    manifest = layout.read_json(digest)
    if found.media_type == INDEX or "manifests" in manifest:
        digest = _of_platform(manifest, platform, reference)
        manifest = layout.read_json(digest)
    config = layout.read_json(manifest["config"]["digest"])
    made = [str(step.get("created_by", "")) for step in config.get("history", ()) if not step.get("empty_layer")]
    layers, texts = [], {}
    for number, descriptor in enumerate(manifest["layers"]):
        layer, found_texts = _layer(layout, descriptor, made[number] if number < len(made) else "", wanted)
        layer = replace(layer, stored=stored(descriptor))
        layers.append(layer)
        texts.update(found_texts)
    return ImageFiles(reference, digest, tuple(layers), config, manifest.get("annotations") or {}, texts)


def _of_platform(index: Mapping[str, Any], platform: str, reference: str) -> str:
    named = {}
    for each in index["manifests"]:
        has = each.get("platform") or {}
        named[f"{has.get('os')}/{has.get('architecture')}"] = str(each["digest"])
    if platform not in named:
        raise ImageError(f"{reference} is not there for {platform}, only for {', '.join(sorted(named))}")
    return named[platform]


def _layer(
    layout: Layout, descriptor: Mapping[str, Any], made_by: str, wanted: Callable[[str], bool] | None
) -> tuple[LayerFiles, dict[str, str]]:
    digest, entries, removed, emptied = str(descriptor["digest"]), [], [], []
    texts: dict[str, str] = {}
    try:
        with layout.path(digest).open("rb") as blob, unpacked(blob, digest) as plain:
            for member, text in _members(plain, wanted):
                path = clean(member.name)
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    emptied.append(folder)
                elif name.startswith(_WHITEOUT):
                    removed.append(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
                elif path:
                    size = member.size if member.isreg() else 0
                    entries.append(Entry(path, size, member.isdir(), bool(member.mode & 0o111)))
                    if text is not None:
                        texts[path] = text
                if len(entries) > MOST_ENTRIES:
                    raise ImageError(f"layer {digest} has more than {MOST_ENTRIES:,} files")
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, FileNotFoundError) as error:
        raise ImageError(f"layer {digest} cannot be read: {error}") from error
    layer = LayerFiles(digest, int(descriptor["size"]), tuple(entries), tuple(removed), tuple(emptied), made_by)
    return layer, texts


def _members(plain: IO[bytes], wanted: Callable[[str], bool] | None) -> Iterator[tuple[tarfile.TarInfo, str | None]]:
    with tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            text = None
            path = clean(member.name)
            if member.isreg() and member.size <= LARGEST_TEXT and (_tells(path) or (wanted and wanted(path))):
                file = tar.extractfile(member)
                text = file.read().decode("utf-8", errors="replace") if file is not None else None
            yield member, text


def _tells(path: str) -> bool:
    """Whether the file says which package owns what."""
    folder, _, name = path.rpartition("/")
    if folder.endswith((".dist-info", ".egg-info")):
        return name in _TEXTS
    return path.startswith(_DPKG) and (path.endswith((".list", "status")) or "status.d/" in path)


def clean(name: str) -> str:
    return name.removeprefix("./").strip("/")


def unpacked(blob: IO[bytes], digest: str) -> IO[bytes]:
    """The layer's tar, whatever it is compressed with."""
    magic = blob.read(4)
    blob.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.GzipFile(fileobj=blob))
    if magic == b"\x28\xb5\x2f\xfd":
        raise ImageError(f"layer {digest} is compressed with zstd, which is not read here: convert it to gzip first")
    return io.BufferedReader(cast(io.RawIOBase, blob))
