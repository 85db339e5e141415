"""Forward a request to its backend and stream the answer back; upgraded connections are joined byte for byte."""

import contextlib
import random
import ssl
from dataclasses import dataclass
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from yarl import URL

from wherry.apiserver.http.proxy import headers
from wherry.apiserver.http.proxy.backends import SERVICE_NAME, Backend, asked_of, pod_backend, service_backend
from wherry.apiserver.http.proxy.headers import Caller
from wherry.apiserver.http.streams.answer import join
from wherry.apiserver.http.streams.lifetime import Departure, End, Lifetimes
from wherry.apiserver.http.streams.upgrade import CHUNK, PATIENCE, HandedOver, Place, upgrade
from wherry.apiserver.verbs.context import Target
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.objects.errors import NotFound, ServiceUnavailable

DEPTH = 8
"""The slashes in /api/v1/namespaces/NAMESPACE/RESOURCE/NAME/proxy/ that lead to the backend's own path."""
UNSENT = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that a client library would add by itself."""


@dataclass
class Proxy:
    registry: Registry
    lifetimes: Lifetimes

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        raw, _, query = request.raw_path.partition("?")
        parts = raw.split("/", DEPTH)
        if len(parts) < DEPTH or [unquote(part) for part in parts[4:8]] != _path_of(target):
            raise NotFound("the server could not find the requested resource")
        prefix = "/".join(parts[:DEPTH])
        suffix = f"?{query}" if query else ""
        if len(parts) == DEPTH and request.method in ("GET", "HEAD"):
            return web.Response(status=301, headers={"Location": f"{prefix}/{suffix}"})
        path = "/" + (parts[DEPTH] if len(parts) > DEPTH else "") + suffix
        with self.lifetimes:
            backend = self._backend(target)
            if "upgrade" in request.headers.get("Connection", "").lower() and request.headers.get("Upgrade"):
                return await join_backend(request, backend, path, self.lifetimes)
            return await forward(request, backend, path, prefix, self.lifetimes)

    def _backend(self, target: Target) -> Backend:
        asked = asked_of(target.name, target.kind.kind.lower())
        found = object_of(self.registry.find(Target(target.kind, target.namespace, asked.name)))
        if target.kind.kind == "Pod":
            return pod_backend(found, asked)
        every = self.registry.store.scan("endpointslices.discovery.k8s.io", target.namespace)
        slices = [object_of(record) for record in every]
        of_service = [one for one in slices if one["metadata"].get("labels", {}).get(SERVICE_NAME) == asked.name]
        return service_backend(found, of_service, asked, random.choice)


async def join_backend(
    request: web.BaseRequest, backend: Backend, path: str, lifetimes: Lifetimes
) -> web.StreamResponse:
    """An upgraded connection (a WebSocket, as a rule), joined byte for byte."""
    place = Place(backend.host, backend.port, path)
    passed = headers.to_pod(request.headers, _caller(request), upgrading=True)
    context = _trusting() if backend.scheme == "https" else None
    async with upgrade(place, request.method, passed.items(), context) as connection:
        return await join(request, connection, lifetimes)


async def forward(
    request: web.BaseRequest, backend: Backend, path: str, prefix: str, lifetimes: Lifetimes
) -> web.StreamResponse:
    """A plain request. `prefix` is the proxy's own path, which the backend's redirects need."""
    departure = Departure(request)
    exchange = _Exchange(request, backend, path, prefix)
    try:
        end = await lifetimes.until_over(None, exchange.run(), departure.wait())
    finally:
        departure.end()
    if exchange.answer is not None and exchange.whole:
        return exchange.answer
    if exchange.answer is None and end is End.STOPPED:
        raise ServiceUnavailable(end.value)
    if request.transport is not None:
        request.transport.abort()  # an answer cut short must not look whole
    return HandedOver()


@dataclass
class _Exchange:
    """One request to the backend and its answer on the way to the client."""

    request: web.BaseRequest
    backend: Backend
    path: str
    prefix: str
    answer: web.StreamResponse | None = None
    whole: bool = False

    async def run(self) -> None:
        request, backend = self.request, self.backend
        url = URL(f"{backend.scheme}://{backend.authority}{self.path}", encoded=True)
        async with aiohttp.ClientSession(
            auto_decompress=False,
            skip_auto_headers=UNSENT,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE),
        ) as session:
            try:
                reply = await session.request(
                    request.method,
                    url,
                    headers=headers.to_pod(request.headers, _caller(request)),
                    data=request.content if request.body_exists else None,
                    allow_redirects=False,
                    ssl=False,  # a pod's certificate is its own affair, as upstream sees it
                )
            except aiohttp.ClientConnectorError as error:
                why = f"dial tcp {backend.authority}: {error.os_error.strerror or error.os_error}"
                raise ServiceUnavailable(f"error trying to reach service: {why}") from error
            except (aiohttp.ClientError, TimeoutError) as error:
                raise ServiceUnavailable(f"error trying to reach service: {error}") from error
            async with reply:
                await self._send(reply)

    async def _send(self, reply: aiohttp.ClientResponse) -> None:
        hosts = (self.backend.authority, self.backend.host, self.request.host)
        passed = headers.to_client(reply.headers, self.prefix, hosts)
        self.answer = answer = web.StreamResponse(status=reply.status, reason=reply.reason, headers=passed)
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            await answer.prepare(self.request)
            async for chunk in reply.content.iter_chunked(CHUNK):
                await answer.write(chunk)
            await answer.write_eof()
            self.whole = True


def _path_of(target: Target) -> list[str]:
    return [target.namespace, target.kind.plural, target.name, "proxy"]


def _caller(request: web.BaseRequest) -> Caller:
    return Caller(request.remote or "", request.host, request.raw_path)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
