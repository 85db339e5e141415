"""Referrers on their way to a registry that remembers what it was sent."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from tests.unit.images.size.test_size import NAME, image, tar
from wherry.images.layout import INDEX, MANIFEST, Descriptor, canonical
from wherry.images.registry.client import Repository
from wherry.images.registry.session import RegistryError
from wherry.images.supply.attest import attach_sbom
from wherry.images.supply.publish import publish
from wherry.images.supply.referrers import tag

PUSHED = Descriptor(MANIFEST, f"sha256:{'d' * 64}", 99)


class Memory:
    """A repository that holds what was sent."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}

    async def manifest(self, reference: str) -> tuple[str, str, bytes]:
        if reference not in self.manifests:
            raise RegistryError("unknown", 404)
        return INDEX, "", self.manifests[reference]

    async def put_manifest(self, reference: str, media_type: str, data: bytes) -> None:
        self.manifests[reference] = data

    async def has_blob(self, digest: str) -> bool:
        return digest in self.blobs

    async def upload(self, digest: str, size: int, stream: Callable[[], Any]) -> None:
        data = b"".join([chunk async for chunk in stream()])
        assert (f"sha256:{sha256(data).hexdigest()}", len(data)) == (digest, size)
        self.blobs[digest] = data


async def test_they_are_about_the_image_that_the_registry_has(tmp_path: Path) -> None:
    layout = image(tmp_path, tar({"a": b"1"}))
    local = layout.find(NAME)
    assert local is not None
    attach_sbom(layout, NAME, local)
    remote = Memory()
    theirs = {"mediaType": MANIFEST, "digest": f"sha256:{'e' * 64}", "size": 1}
    remote.manifests[tag(PUSHED.digest)] = canonical({"schemaVersion": 2, "manifests": [theirs]})
    (digest,) = await publish(layout, local, PUSHED, cast(Repository, remote))
    manifest = json.loads(remote.manifests[digest])
    assert manifest["subject"] == PUSHED.to_json()
    document = json.loads(remote.blobs[manifest["layers"][0]["digest"]])
    assert document["packages"][0]["versionInfo"] == PUSHED.digest
    assert {manifest["config"]["digest"], manifest["layers"][0]["digest"]} == set(remote.blobs)
    listed = json.loads(remote.manifests[tag(PUSHED.digest)])
    assert {one["digest"] for one in listed["manifests"]} == {theirs["digest"], digest}
    assert await publish(layout, local, PUSHED, cast(Repository, remote)) == [digest]


async def test_an_image_without_any_sends_nothing(tmp_path: Path) -> None:
    layout = image(tmp_path, tar({"a": b"1"}))
    local = layout.find(NAME)
    assert local is not None
    remote = Memory()
    assert await publish(layout, local, PUSHED, cast(Repository, remote)) == []
    assert not remote.manifests
