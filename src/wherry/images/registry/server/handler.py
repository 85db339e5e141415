"""One request of the registry: who asks, by which name, for what."""

import logging
from dataclasses import dataclass

from aiohttp import hdrs, web

from wherry.images.registry.server.blobs import Blobs
from wherry.images.registry.server.errors import Refused
from wherry.images.registry.server.login import Login
from wherry.images.registry.server.manifests import Manifests
from wherry.images.registry.server.routes import Route, What, route

log = logging.getLogger("wherry.registry")

_LOOPBACK = ("127.0.0.1", "localhost")
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wherry"', **_VERSION}


@dataclass(frozen=True)
class Registry:
    """`failure` is what the store raises when it cannot do what it should."""

    blobs: Blobs
    manifests: Manifests
    login: Login
    failure: type[Exception]

    async def by_socket(self, request: web.BaseRequest) -> web.StreamResponse:
        """The socket's file lets in only its owner."""
        return await self._answer(request)

    async def by_loopback(self, request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get(hdrs.HOST, "").rpartition(":")[0] or request.headers.get(hdrs.HOST, "")
        if host not in _LOOPBACK:  # a page of another site that has its name point to this machine
            return Refused("DENIED", "this registry is 127.0.0.1 and localhost, and has no other name").response()
        if not self.login.allows(request.headers.get(hdrs.AUTHORIZATION, "")):
            message = f"log in as {self.login.credentials.username}; `wherry node start` says where the password is"
            return Refused("UNAUTHORIZED", message, headers=_CHALLENGE).response()
        return await self._answer(request)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._dispatch(request, route(request.rel_url.raw_path))
        except Refused as refused:
            return refused.response()
        except self.failure as error:
            log.warning("%s %s: %s", request.method, request.path, error)
            return Refused("UNAVAILABLE", f"the node's image store: {error}").response()

    async def _dispatch(self, request: web.BaseRequest, asked: Route) -> web.StreamResponse:
        method = request.method
        match asked.what, "GET" if method == "HEAD" else method:
            case What.BASE, "GET":
                return web.json_response({}, headers=_VERSION)
            case What.CATALOG, "GET":
                return await self.manifests.catalog(request)
            case What.TAGS, "GET":
                return await self.manifests.tags(request, asked)
            case What.REFERRERS, "GET":
                return await self.manifests.referrers(request, asked)
            case What.MANIFEST, "GET":
                return await self.manifests.get(request, asked)
            case What.MANIFEST, "PUT":
                return await self.manifests.put(request, asked)
            case What.MANIFEST, "DELETE":
                return await self.manifests.delete(asked)
            case What.BLOB, "GET":
                return await self.blobs.get(request, asked)
            case What.BLOB, "DELETE":
                return await self.blobs.delete(asked)
            case What.UPLOADS, "POST":
                return await self.blobs.begin(request, asked)
            case What.UPLOAD, "GET":
                return self.blobs.status(asked)
            case What.UPLOAD, "PATCH":
                return await self.blobs.patch(request, asked)
            case What.UPLOAD, "PUT":
                return await self.blobs.put(request, asked)
            case What.UPLOAD, "DELETE":
                return await self.blobs.cancel(asked)
        raise Refused("UNSUPPORTED", f"{method} is not for {request.path[:200]}")
