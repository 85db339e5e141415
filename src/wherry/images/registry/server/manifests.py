"""Manifests, tags, referrers: what makes blobs an image, and an image one that pods can use."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import orjson
from aiohttp import web

from wherry.images.layout import INDEX
from wherry.images.registry.server import manifest as manifests
from wherry.images.registry.server import naming, ranges
from wherry.images.registry.server.content import Content, Pointer, Publication, Record
from wherry.images.registry.server.errors import Refused
from wherry.images.registry.server.manifest import INDEXES, Manifest
from wherry.images.registry.server.naming import Naming
from wherry.images.registry.server.routes import Route
from wherry.images.registry.server.uploads import some

_LARGEST_CONFIG = 8 << 20


@dataclass(frozen=True)
class Manifests:
    """`platform` is this machine's, as linux/amd64: images for it are unpacked at once."""

    content: Content
    naming: Naming
    platform: str

    async def get(self, request: web.BaseRequest, asked: Route) -> web.StreamResponse:
        target = await self._target(asked)
        headers = {
            "Docker-Content-Digest": target.digest,
            "ETag": f'"{target.digest}"',
            "Content-Type": target.media_type,
            "Content-Length": str(target.size),
        }
        if request.method == "HEAD":
            return web.Response(headers=headers)
        return web.Response(headers=headers, body=await self._read(target))

    async def put(self, request: web.BaseRequest, asked: Route) -> web.Response:
        data = await _body(request)
        made = manifests.read(data, request.headers.get("Content-Type", ""))
        digest = made.target.digest
        if ":" in asked.reference and asked.reference != digest:
            raise Refused("DIGEST_INVALID", f"the manifest is {digest}, not {asked.reference}")
        await self._complete(made)
        names = self.naming.all(asked.name, digest)
        if asked.reference != digest:
            names += self.naming.all(asked.name, asked.reference)
        diff_ids = await self._diff_ids(made)
        publication = Publication(made.target, data, made.config, made.parts, diff_ids, names)
        problem = await self.content.publish(publication)
        if problem:
            raise Refused("MANIFEST_INVALID", f"the image cannot be unpacked: {problem}")
        headers = {"Location": f"/v2/{asked.name}/manifests/{digest}", "Docker-Content-Digest": digest}
        if made.subject:
            headers["OCI-Subject"] = made.subject
        return web.Response(status=201, headers=headers)

    async def delete(self, asked: Route) -> web.Response:
        """A tag, or a manifest with all its tags. What a container was made of stays until that is gone."""
        target = await self._target(asked)
        gone = [asked.reference]
        if asked.reference == target.digest:
            gone += [reference async for reference, one in self._of(asked.name) if one.target.digest == target.digest]
        if users := await self.content.users(await self._configs(target)):
            message = f"{asked.name} {asked.reference} is in use by {', '.join(users[:5])}: remove that first"
            raise Refused("DENIED", message, status=409)
        names = [name for reference in gone for name in reversed(self.naming.all(asked.name, reference))]
        await self.content.remove(list(dict.fromkeys(names)))
        return web.Response(status=202)

    async def tags(self, request: web.BaseRequest, asked: Route) -> web.Response:
        references = [reference async for reference, _ in self._of(asked.name)]
        if not references:
            raise Refused("NAME_UNKNOWN", f"there is no image in {asked.name}")
        tags = [reference for reference in references if ":" not in reference]
        return _page(request, {"name": asked.name}, "tags", tags)

    async def catalog(self, request: web.BaseRequest) -> web.Response:
        found = [naming.split(one.name) for one in await self.content.records()]
        own = {address.partition(":")[0] for address in self.naming.addresses}
        names = {each[0] for each in found if each and each[0].partition("/")[0] not in own}
        return _page(request, {}, "repositories", sorted(names))

    async def referrers(self, request: web.BaseRequest, asked: Route) -> web.Response:
        """The manifests of the repository that name this one as their subject."""
        wanted = request.query.get("artifactType", "")
        found = []
        async for reference, one in self._of(asked.name):
            if ":" in reference and one.target.size <= manifests.LARGEST:
                made = manifests.read(await self._read(one.target), one.target.media_type)
                if made.subject == asked.reference and wanted in ("", made.artifact_type):
                    found.append(_referrer(made))
        headers = {"OCI-Filters-Applied": "artifactType"} if wanted else {}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found}
        return web.Response(body=orjson.dumps(index), content_type=INDEX, headers=headers)

    async def _of(self, repository: str) -> AsyncIterator[tuple[str, Record]]:
        for one in await self.content.records():
            parts = naming.split(one.name)
            if parts and parts[0] == repository:
                yield parts[1], one

    async def _target(self, asked: Route) -> Pointer:
        record = await self.content.record(self.naming.own(asked.name, asked.reference))
        if record is None:
            raise Refused("MANIFEST_UNKNOWN", f"{asked.name} has no {asked.reference}")
        return record.target

    async def _read(self, blob: Pointer) -> bytes:
        return b"".join([piece async for piece in self.content.read(blob.digest, 0, blob.size)])

    async def _complete(self, made: Manifest) -> None:
        """All that it points to is here, and stays while it is published."""
        for part in {part.digest: part for part in made.needed}.values():
            size = await self.content.held(part.digest)
            if size is None:
                message = f"the manifest needs {part.digest}, which is not here: push it first"
                raise Refused("MANIFEST_BLOB_UNKNOWN", message)
            if size != part.size:
                raise Refused("SIZE_INVALID", f"{part.digest} has {size} bytes, and the manifest says {part.size}")

    async def _diff_ids(self, made: Manifest) -> list[str] | None:
        if not made.is_image or made.config is None:
            return None
        if made.config.size > _LARGEST_CONFIG:
            raise Refused(
                "MANIFEST_INVALID", f"its config has {made.config.size} bytes; {_LARGEST_CONFIG} are the most"
            )
        return manifests.diff_ids(await self._read(made.config), len(made.parts), self.platform)

    async def _configs(self, target: Pointer) -> list[str]:
        """The configs of an image, or of all images in an index that are here."""
        if await self.content.held(target.digest) is None or target.size > manifests.LARGEST:
            return []
        made = manifests.read(await self._read(target), target.media_type)
        if made.config:
            return [made.config.digest]
        return [config for part in made.parts if part.media_type not in INDEXES for config in await self._configs(part)]


def _referrer(made: Manifest) -> dict[str, object]:
    found: dict[str, object] = made.target.to_json()
    if made.artifact_type:
        found["artifactType"] = made.artifact_type
    if made.annotations:
        found["annotations"] = dict(made.annotations)
    return found


def _page(request: web.BaseRequest, head: dict[str, object], key: str, items: list[str]) -> web.Response:
    asked = request.query.get("n", "")
    shown, more = ranges.page(items, asked, request.query.get("last", ""))
    headers = {}
    if more:
        last = quote(shown[-1], safe="") if shown else ""
        headers["Link"] = f'<{request.path}?n={asked or ranges.LARGEST_PAGE}&last={last}>; rel="next"'
    return web.Response(body=orjson.dumps({**head, key: shown}), content_type="application/json", headers=headers)


async def _body(request: web.BaseRequest) -> bytes:
    pieces, total = [], 0
    while piece := await some(request):
        total += len(piece)
        if total > manifests.LARGEST:
            raise Refused("SIZE_INVALID", f"a manifest has {manifests.LARGEST} bytes at most", status=413)
        pieces.append(piece)
    return b"".join(pieces)
