"""Blobs: down whole or in parts, up in one piece or many, taken over from another repository."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from wherry.images.registry.server import ranges
from wherry.images.registry.server.content import Content
from wherry.images.registry.server.errors import Refused
from wherry.images.registry.server.routes import DIGEST, Route, digest
from wherry.images.registry.server.uploads import LARGEST_BLOB, Upload, Uploads, receive

_SEND_SECONDS = 60.0  # for a client that does not read on
_OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Blobs:
    """The store is the owner's alone, so every blob is in every repository: nothing that is here is sent again."""

    content: Content
    uploads: Uploads

    async def get(self, request: web.BaseRequest, asked: Route) -> web.StreamResponse:
        size = await self.content.held(asked.reference)
        if size is None:
            raise Refused("BLOB_UNKNOWN", f"{asked.reference} is not here")
        headers = {
            "Docker-Content-Digest": asked.reference,
            "ETag": f'"{asked.reference}"',
            "Accept-Ranges": "bytes",
            "Content-Type": _OCTETS,
        }
        part = ranges.wanted(request.headers.get("Range", ""), size)
        first, count = part or (0, size)
        if part:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
        response = web.StreamResponse(status=206 if part else 200, headers=headers)
        response.content_length = count
        await response.prepare(request)
        if request.method == "GET" and count:
            async for piece in self.content.read(asked.reference, first, count):
                async with asyncio.timeout(_SEND_SECONDS):
                    await response.write(piece)
        return response

    async def delete(self, asked: Route) -> web.Response:
        message = "blobs go by themselves when no manifest needs them: delete the manifest"
        raise Refused("UNSUPPORTED", message, headers={"Allow": "GET, HEAD"})

    async def begin(self, request: web.BaseRequest, asked: Route) -> web.Response:
        """POST: take over, take in one piece, or begin."""
        mount, whole = request.query.get("mount", ""), request.query.get("digest", "")
        if DIGEST.fullmatch(mount) and await self.content.held(mount) is not None:
            return _made(asked.name, mount)
        if whole:
            digest(whole)
        _bounded(request)
        upload = await self.uploads.begin(asked.name)
        if not whole:
            return web.Response(status=202, headers={**upload.headers, "OCI-Chunk-Min-Length": "1"})
        try:
            return await self._take(request, upload, whole)
        finally:
            await self.uploads.drop(upload)

    def status(self, asked: Route) -> web.Response:
        return web.Response(status=204, headers=self.uploads.find(asked.name, asked.reference).headers)

    async def cancel(self, asked: Route) -> web.Response:
        await self.uploads.drop(self.uploads.find(asked.name, asked.reference))
        return web.Response(status=204)

    async def patch(self, request: web.BaseRequest, asked: Route) -> web.Response:
        upload = self.uploads.find(asked.name, asked.reference)
        with self.uploads.taken(upload):
            await self._chunk(request, upload)
        return web.Response(status=202, headers=upload.headers)

    async def put(self, request: web.BaseRequest, asked: Route) -> web.Response:
        """The last chunk, if there is one, and the digest of the whole."""
        upload = self.uploads.find(asked.name, asked.reference)
        return await self._take(request, upload, digest(request.query.get("digest", "")))

    async def _take(self, request: web.BaseRequest, upload: Upload, whole: str) -> web.Response:
        with self.uploads.taken(upload):
            await self._chunk(request, upload)
            await self.uploads.finish(upload, whole)
        if await self.content.held(whole) is None:
            raise Refused("BLOB_UPLOAD_INVALID", f"{whole} was removed as it came: send it again")
        return _made(upload.repository, whole)

    async def _chunk(self, request: web.BaseRequest, upload: Upload) -> None:
        _bounded(request)
        announced = request.headers.get("Content-Range")
        if announced is None:
            await receive(request, upload.incoming)
            return
        first, last = ranges.chunk(announced)
        if first != upload.incoming.offset:
            message = f"the next chunk begins at {upload.incoming.offset}, not {first}"
            raise Refused("BLOB_UPLOAD_INVALID", message, status=416, headers=upload.headers)
        length = request.content_length
        if length is not None and length != last - first + 1:
            raise Refused("SIZE_INVALID", f"Content-Range {announced} and Content-Length {length} differ")
        came = await receive(request, upload.incoming)
        if came != last - first + 1:
            raise Refused("SIZE_INVALID", f"{came} bytes came, and Content-Range said {announced}")


def _bounded(request: web.BaseRequest) -> None:
    if (request.content_length or 0) > LARGEST_BLOB:
        raise Refused("SIZE_INVALID", f"a blob has {LARGEST_BLOB} bytes at most", status=413)


def _made(repository: str, whole: str) -> web.Response:
    headers: Mapping[str, str] = {"Location": f"/v2/{repository}/blobs/{whole}", "Docker-Content-Digest": whole}
    return web.Response(status=201, headers=headers)
