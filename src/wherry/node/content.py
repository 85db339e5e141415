"""Bring images into containerd without a registry, pinned against garbage collection."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.node import content_pb2 as pb
from wherry.node.content_calls import ContentCalls
from wherry.node.runtime import RuntimeFailure
from wherry.node.unpacking import PIN_LABEL, PINNED, chain_ids, hold, seen, unpack
from wherry.process import ProgramError, run

_NAMED = re.compile(r"^unpacking (\S+) \(sha256:", re.MULTILINE)
_IMPORT_SECONDS = 1800.0
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


async def import_archive(socket: str, archive: Path | bytes) -> list[str]:
    """Import an OCI or docker archive; the names of the images in it. Raises ProgramError with ctr's words."""
    ctr = ("ctr", "--address", socket, "-n", "k8s.io", "images")
    source = "-" if isinstance(archive, bytes) else str(archive)
    content = archive if isinstance(archive, bytes) else None
    done = await run(*ctr, "import", source, stdin=content, timeout=_IMPORT_SECONDS)
    names = _NAMED.findall(done.stdout)
    if not names:
        raise ProgramError("ctr: there is no image with a name in the archive; tag it before it is saved")
    for name in names:
        await run(*ctr, "label", name, f"{PIN_LABEL}=pinned")
    return names


@dataclass(frozen=True)
class Imported:
    """What an import did: bytes and blobs that containerd lacked, and how long it took in all."""

    copied_bytes: int
    blobs: int
    seconds: float


async def import_layout(socket: str, built_layout: Path, reference: str, digest: str) -> Imported:
    """Bring the manifest `digest` of an OCI image layout into containerd as `reference` and as NAME@DIGEST, pinned.

    Only what containerd lacks is copied and unpacked. `reference` is a full name (`docker.io/library/webapp:latest`).
    Returns once the CRI knows the image by both names. Raises RuntimeFailure in containerd's words.
    """
    begun = time.monotonic()
    image = await asyncio.to_thread(_read, built_layout, digest)
    names = list(dict.fromkeys((reference, f"{_repository(reference)}@{digest}")))
    async with ContentCalls(socket) as calls:
        complete, missing = await asyncio.gather(_complete(calls, image, names), _missing(calls, image))
        if complete:
            return Imported(0, 0, time.monotonic() - begun)
        await calls.lease()
        await _bring(calls, image, missing)
        await hold(calls, image.manifest.digest, image.config.digest, image.layers, image.chains)
        await asyncio.gather(*(_named(calls, name, image) for name in names))
    return Imported(sum(blob.size for blob in missing), len(missing), time.monotonic() - begun)


async def _named(calls: ContentCalls, name: str, image: "_Image") -> None:
    await calls.put_image(pb.NamedImage(name=name, labels=PINNED, target=image.manifest))
    await seen(calls, name, image.config.digest)


@dataclass(frozen=True)
class _Image:
    layout: Path
    manifest: pb.Descriptor
    config: pb.Descriptor
    layers: tuple[pb.Descriptor, ...]
    diff_ids: tuple[str, ...]  # the layers' digests before compression

    @property
    def chains(self) -> tuple[str, ...]:
        """The snapshots' names: one for each layer with all below it."""
        return chain_ids(self.diff_ids)

    @property
    def blobs(self) -> list[pb.Descriptor]:
        return list({blob.digest: blob for blob in (*self.layers, self.config, self.manifest)}.values())

    def path(self, blob: pb.Descriptor) -> Path:
        return _path(self.layout, blob.digest)


def _read(layout: Path, digest: str) -> _Image:
    try:
        raw = _path(layout, digest).read_bytes()
        manifest = json.loads(raw)
        kind = manifest.get("mediaType", _MANIFESTS[0])
        if kind not in _MANIFESTS:
            raise RuntimeFailure("INVALID_ARGUMENT", f"{digest} is no image's manifest but {kind}")
        config = _descriptor(manifest["config"])
        diff_ids = json.loads(_path(layout, config.digest).read_bytes())["rootfs"]["diff_ids"]
    except FileNotFoundError as error:
        raise RuntimeFailure("NOT_FOUND", f"{error.filename}: the image layout lacks this blob") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RuntimeFailure("INVALID_ARGUMENT", f"{digest} in {layout} is no image's manifest: {error!r}") from error
    layers = tuple(map(_descriptor, manifest["layers"]))
    if len(layers) != len(diff_ids):
        raise RuntimeFailure("INVALID_ARGUMENT", f"{digest}: {len(layers)} layers, and {len(diff_ids)} in the config")
    return _Image(layout, pb.Descriptor(media_type=kind, digest=digest, size=len(raw)), config, layers, tuple(diff_ids))


def _path(layout: Path, digest: str) -> Path:
    algorithm, _, name = digest.partition(":")
    if not (algorithm.isalnum() and name.isalnum()):
        raise RuntimeFailure("INVALID_ARGUMENT", f"{digest!r} is no digest")
    return layout / "blobs" / algorithm / name


def _descriptor(value: dict[str, Any]) -> pb.Descriptor:
    return pb.Descriptor(media_type=value["mediaType"], digest=value["digest"], size=value["size"])


def _repository(reference: str) -> str:
    head, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


async def _complete(calls: ContentCalls, image: _Image, names: Sequence[str]) -> bool:
    """Is all of it there already? A record holds its content, and the content its snapshots."""
    records = await asyncio.gather(*(calls.image(name) for name in names))
    pinned = all(one and one.target.digest == image.manifest.digest and PIN_LABEL in one.labels for one in records)
    return pinned and (not image.chains or await calls.has_snapshot(image.chains[-1]))


async def _missing(calls: ContentCalls, image: _Image) -> list[pb.Descriptor]:
    """The blobs that containerd does not have."""
    there = await asyncio.gather(*(calls.has_blob(blob.digest) for blob in image.blobs))
    return [blob for blob, has in zip(image.blobs, there, strict=True) if not has]


async def _bring(calls: ContentCalls, image: _Image, missing: Sequence[pb.Descriptor]) -> None:
    """Copy what is missing and unpack the layers; those need not wait until manifest and config are on the disk."""

    async def copy(blobs: Sequence[pb.Descriptor]) -> None:
        await asyncio.gather(*(calls.write_blob(image.path(blob), blob.digest, blob.size) for blob in blobs))

    async def copy_and_unpack() -> None:
        await copy([blob for blob in missing if blob in image.layers])
        await unpack(calls, image.layers, image.diff_ids)

    try:
        await asyncio.gather(copy_and_unpack(), copy([blob for blob in missing if blob not in image.layers]))
    except OSError as error:
        raise RuntimeFailure("NOT_FOUND", f"{error.filename}: {error.strerror}") from error
