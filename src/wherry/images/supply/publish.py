"""What refers to an image, sent along with it: about the image as the registry has it, whose layers are compressed."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from wherry.images.layout import INDEX, MANIFEST, Descriptor, Layout, canonical, descriptor_of
from wherry.images.registry.client import Repository
from wherry.images.registry.session import RegistryError
from wherry.images.supply.referrers import referrers, tag

_UNKNOWN = 404


async def publish(layout: Layout, local: Descriptor, pushed: Descriptor, remote: Repository) -> Sequence[str]:
    """Send the artifacts about `local` as being about `pushed`; their digests in the registry."""
    entries = []
    for artifact, kind in referrers(layout, local):
        manifest = await _sent(layout, artifact, local, pushed, remote)
        data = canonical(manifest)
        made = layout.put(MANIFEST, data)
        await remote.put_manifest(made.digest, MANIFEST, data)
        entries.append({**made.to_json(), "artifactType": kind, "annotations": manifest.get("annotations") or {}})
    if entries:
        await _list(remote, pushed, entries)
    return [str(one["digest"]) for one in entries]


async def _sent(
    layout: Layout, artifact: Descriptor, local: Descriptor, pushed: Descriptor, remote: Repository
) -> dict[str, Any]:
    """The artifact's manifest for the registry, after its documents."""
    manifest = layout.read_json(artifact.digest)
    layers = []
    for described in manifest["layers"]:
        text = layout.path(described["digest"]).read_bytes()
        told = text.replace(_digits(local), _digits(pushed))  # the documents name the image by its digest
        layers.append({**described, **layout.put(described["mediaType"], told).to_json()})
    for one in (manifest["config"], *layers):
        await _send(layout, descriptor_of(one), remote)
    return {**manifest, "layers": layers, "subject": pushed.to_json()}


def _digits(image: Descriptor) -> bytes:
    return image.digest.partition(":")[2].encode()


async def _send(layout: Layout, part: Descriptor, remote: Repository) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield layout.path(part.digest).read_bytes()

    if not await remote.has_blob(part.digest):
        await remote.upload(part.digest, part.size, stream)


async def _list(remote: Repository, pushed: Descriptor, entries: Sequence[dict[str, Any]]) -> None:
    """Under the tag by which clients find them where a registry has no referrers API; what others put there stays."""
    listed: dict[str, Any] = {}
    try:
        _, _, data = await remote.manifest(tag(pushed.digest))
        listed = {str(one["digest"]): one for one in _manifests(data)}
    except RegistryError as error:
        if error.status != _UNKNOWN:
            raise
    listed |= {str(one["digest"]): one for one in entries}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed[digest] for digest in sorted(listed)]}
    await remote.put_manifest(tag(pushed.digest), INDEX, canonical(index))


def _manifests(data: bytes) -> Sequence[dict[str, Any]]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ()
    return value.get("manifests") or () if isinstance(value, dict) else ()
