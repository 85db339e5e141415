"""The HTTP server: one handler from a request to an answer, in the order in which a request meets it.

Host check -> authentication -> documents (discovery, OpenAPI, health) or a resource's route -> authorization -> verb ->
the form the client asked for. Errors of the tree in `objects.errors` become Status objects here and nowhere else.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import hdrs, web
from multidict import istr

from wherry.apiserver.http import body, health
from wherry.apiserver.http.answers import error_response, object_response, page_response, watch_response
from wherry.apiserver.http.authn import Authenticator
from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.http.discovery import Discovery
from wherry.apiserver.http.documents import Document
from wherry.apiserver.http.handshake import Telling
from wherry.apiserver.http.impersonation import acting
from wherry.apiserver.http.negotiation import Form, negotiate
from wherry.apiserver.http.openapi import OpenAPI
from wherry.apiserver.http.permissions import Permissions
from wherry.apiserver.http.proxy import Proxy
from wherry.apiserver.http.reviews import review
from wherry.apiserver.http.routes import CUSTOM_RESOURCES, Route, Routes, attributes, not_allowed, not_served, verb_of
from wherry.apiserver.http.streams import Streams
from wherry.apiserver.http.warnings import warn
from wherry.apiserver.http.whole import Whole
from wherry.apiserver.verbs import subresources
from wherry.apiserver.verbs.context import Target, User, WriteOptions
from wherry.apiserver.verbs.create import create
from wherry.apiserver.verbs.delete import delete, delete_quietly
from wherry.apiserver.verbs.patch import APPLY, apply, patch
from wherry.apiserver.verbs.read import list_page
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.apiserver.verbs.update import put
from wherry.apiserver.verbs.watch import watch
from wherry.kinds.schema import Table
from wherry.objects import Obj
from wherry.objects.errors import ApiError, Forbidden, InternalError, TooManyRequests
from wherry.store import Full, ReadOnly, StoreError

log = logging.getLogger("wherry.apiserver")

MOST_WATCHES = 4096  # open at once; each may hold 10,000 changes that wait for its reader
STORED = frozenset(("", "status"))
"""Subresources that are the object itself."""

MOST_PATHS = 8192  # whose routes are remembered

SEC_FETCH_SITE = istr("Sec-Fetch-Site")

form_of = lru_cache(256)(negotiate)


@dataclass
class Server:
    """Everything that answering needs. `hosts` are the names by which the API may be called."""

    registry: Registry
    table: Table
    authenticator: Authenticator
    authorizer: Authorizer
    streams: Streams
    version: Mapping[str, str]
    hosts: frozenset[str]
    ready: Callable[[], bool]
    _permissions: Permissions = field(init=False)
    _watches: int = 0
    _proxy: Proxy = field(init=False)
    _routes: Routes = field(init=False)
    _discovery: Discovery = field(init=False)
    _openapi: OpenAPI = field(init=False)
    _found: dict[str, Route] = field(init=False)
    _called: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._permissions = Permissions(self.authorizer, self.registry.store)
        self._proxy = Proxy(self.registry, self.streams.lifetimes)
        self.kinds_changed()

    def kinds_changed(self) -> None:
        """Derive routes and documents from the kinds that are served now."""
        kinds = tuple(self.registry.kinds.values())
        self._routes = Routes({(kind.group, kind.version, kind.plural): kind for kind in kinds})
        self._discovery = Discovery(kinds)
        self._openapi = OpenAPI(kinds, self.table, self.version["gitVersion"])
        self._found = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return error_response(error)
        except (Full, ReadOnly) as error:
            return error_response(InternalError(str(error)))
        except StoreError as error:
            log.error("%s %s: %s", request.method, request.path, error)
            return error_response(InternalError(f"the store refused: {error}"))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._check_origin(request)
        user = acting(request.headers, self.authenticator.user(request), self.authorizer)
        path, _, query = request.raw_path.partition("?")
        if not path.startswith("/"):  # the absolute form that proxies use
            path = request.rel_url.raw_path
        route = self._found.get(path) or self._find_route(path)
        if route is None:
            return await self._document(request, user)
        watching = "watch" in query and request.query.get("watch", "") in body.TRUE
        verb = verb_of(request.method, route, watching)
        self._permissions.check(user, verb, path, route)
        deprecated = route.target.kind.deprecated
        if not deprecated:
            return await self._verb(request, user, route, verb)
        try:
            answer = await self._verb(request, user, route, verb)
        except ApiError as error:
            answer = error_response(error)
        if not answer.prepared:  # a watch has said so
            warn(answer, [deprecated])
        return answer

    def _find_route(self, path: str) -> Route | None:
        route = self._routes.match(path)
        if route is not None:
            if len(self._found) >= MOST_PATHS:
                self._found.clear()
            self._found[path] = route
        return route

    def _check_origin(self, request: web.BaseRequest) -> None:
        """Refuse web pages: foreign Host headers (DNS rebinding) and cross-site requests."""
        said = request.headers.get(hdrs.HOST, "")
        if said not in self._called:
            host = said.rpartition(":")[0] or said
            if host.strip("[]").lower() not in self.hosts:
                raise Forbidden(f'the API is not called "{host}": it answers to {", ".join(sorted(self.hosts))}')
            if len(self._called) < MOST_PATHS:
                self._called.add(said)
        if request.headers.get(SEC_FETCH_SITE, "none") not in ("none", "same-origin"):
            raise Forbidden("cross-site requests are refused")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and urlsplit(origin).hostname not in self.hosts:
            raise Forbidden("cross-site requests are refused")

    # -- documents

    async def _document(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        path = request.path.rstrip("/") or "/"
        if request.method != "GET":
            raise not_allowed()
        self.authorizer.check(user, Attributes("get", path=path))
        found = health.answer(path, self.ready(), "verbose" in request.query)
        if found is not None:
            return found
        if path == "/version":
            return web.json_response(dict(self.version))
        if path == CUSTOM_RESOURCES:
            empty = {"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1", "items": []}
            return web.json_response({**empty, "metadata": {"resourceVersion": str(self.registry.store.revision)}})
        document = await self._find_document(path, request.headers.get("Accept", "*/*"))
        if document.matches(request.headers.get("If-None-Match")):
            return web.Response(status=304, headers=document.headers)
        return web.Response(body=document.body, headers=document.headers)

    async def _find_document(self, path: str, accept: str) -> Document:
        match path.strip("/").split("/"):
            case [""]:
                return self._discovery.paths()
            case ["api"]:
                return self._discovery.legacy(accept)
            case ["apis"]:
                return self._discovery.groups(accept)
            case ["api", version]:
                return self._discovery.resources("", version)
            case ["apis", group]:
                return self._discovery.group(group)
            case ["apis", group, version]:
                return self._discovery.resources(group, version)
            case ["openapi", "v2"]:
                return await asyncio.to_thread(self._openapi.v2, accept)
            case ["openapi", "v3"]:
                return await asyncio.to_thread(self._openapi.index)
            case ["openapi", "v3", *rest]:
                return await asyncio.to_thread(self._openapi.v3, "/".join(rest))
        raise not_served()

    # -- resources

    async def _verb(self, request: web.BaseRequest, user: User, route: Route, verb: str) -> web.StreamResponse:
        target = route.target
        if target.subresource not in STORED and target.subresource not in target.kind.parts:
            return await self._subresource(request, user, target, verb)
        form = form_of(request.headers.get(hdrs.ACCEPT, "*/*"))
        match verb:
            case "get" if not form.convert:
                return Whole(self.registry.find(target).value)
            case "get":
                return object_response(self.registry, target, self.registry.find(target), form, request.query)
            case "list":
                page = await list_page(self.registry, target, body.list_options(request.query))
                return page_response(self.registry, target, page, form, request.query)
            case "watch":
                return await self._watch(request, route, form)
            case "delete":
                return await self._delete(request, user, target)
            case "deletecollection":
                return await self._delete_collection(request, user, target)
        return await self._write(request, user, target, verb, form)

    async def _watch(self, request: web.BaseRequest, route: Route, form: Form) -> web.StreamResponse:
        options = body.list_options(request.query)
        target = route.target
        if target.name:  # the legacy form: watch one object
            one = f"metadata.name={target.name}"
            options = type(options)(**{**vars(options), "fields": one})
            target = Target(target.kind, target.namespace)
        if self._watches >= MOST_WATCHES:
            said = f"{MOST_WATCHES} watches are open already: end some, or try again later"
            raise TooManyRequests(said, retryAfterSeconds=1)
        self._watches += 1
        try:
            return await watch_response(request, self.registry, target, watch(self.registry, target, options), form)
        finally:
            self._watches -= 1

    async def _write(
        self, request: web.BaseRequest, user: User, target: Target, verb: str, form: Form
    ) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        options = body.write_options(request.query, user, agent, f"{verb.capitalize()}Options")
        try:
            answer = await self._written(request, target, verb, form, options)
        except ApiError as error:
            answer = error_response(error)
        warn(answer, options.warnings)
        return answer

    async def _written(
        self, request: web.BaseRequest, target: Target, verb: str, form: Form, options: WriteOptions
    ) -> web.StreamResponse:
        user = options.user
        content_type = request.headers.get("Content-Type", "")
        raw = await body.read(request)
        sent = body.parse(raw, content_type)
        if verb != "patch":
            body.check_duplicates(raw, sent, target.kind, options)
        status = 200
        if verb == "create" and target.kind.verbs == ("create",):
            made = await review(self.registry, self.authenticator, self.authorizer, user, target, sent)
            return web.Response(body=orjson.dumps(made), status=201, content_type="application/json")
        if verb == "create":
            record, status = await create(self.registry, target, sent, options), 201
        elif verb == "update":
            self._may_create(user, target)
            record, created = await put(self.registry, target, sent, options)
            status = 201 if created else 200
        elif content_type.partition(";")[0].strip() == APPLY:
            if "fieldManager" not in request.query:
                options = type(options)(**{**vars(options), "manager": ""})
            record, created = await apply(self.registry, target, sent, options)
            status = 201 if created else 200
        else:
            record = await patch(self.registry, target, content_type.partition(";")[0].strip(), sent, options)
        return object_response(self.registry, target, record, form, request.query, status)

    def _may_create(self, user: User, target: Target) -> None:
        """A PUT that would create needs the right to."""
        if target.kind.create_on_update and not self.authorizer.allows(user, attributes("create", target)):
            self.registry.find(target)

    async def _delete(self, request: web.BaseRequest, user: User, target: Target) -> web.StreamResponse:
        options = body.delete_options(request.query, await self._optional(request), user)
        record, gone = await delete(self.registry, target, options)
        obj = object_of(record)
        if not gone or target.kind.delete_returns_object:
            return web.Response(body=record.value or orjson.dumps(obj), content_type="application/json")
        done = subresources.success(
            name=target.name, group=target.kind.group, kind=target.kind.plural, uid=obj["metadata"]["uid"]
        )
        done["details"] = {key: value for key, value in done["details"].items() if value}
        return web.Response(body=orjson.dumps(done), content_type="application/json")

    async def _delete_collection(self, request: web.BaseRequest, user: User, target: Target) -> web.StreamResponse:
        options = body.delete_options(request.query, await self._optional(request), user)
        page = await list_page(self.registry, target, body.list_options(request.query))
        names = [Target(target.kind, record.key.namespace, record.key.name) for record in page.records]
        for start in range(0, len(names), 256):
            batch = names[start : start + 256]
            await asyncio.gather(*(delete_quietly(self.registry, one, options) for one in batch))
        return page_response(self.registry, target, page, Form(), request.query)

    async def _optional(self, request: web.BaseRequest) -> Any:
        raw = await body.read(request)
        return body.parse(raw, request.headers.get("Content-Type", "") or "application/json") if raw else None

    # -- subresources that are not the object itself

    async def _subresource(self, request: web.BaseRequest, user: User, target: Target, verb: str) -> web.StreamResponse:
        name, kind = target.subresource, target.kind
        if name == "scale" and kind.scale is not None:
            return await self._scale(request, user, target, verb)
        if name not in kind.subresources:
            raise not_served()
        if name in ("log", "exec", "attach", "portforward"):
            return await self.streams.answer(request, target, object_of(self.registry.find(target)))
        if name == "proxy":
            return await self._proxy.answer(request, target)
        sent = body.parse(await body.read(request), request.headers.get("Content-Type", ""))
        options = body.write_options(request.query, user, request.headers.get("User-Agent", ""))
        made = await self._post(target, subresources.check_body(self.registry, target, sent), options)
        status = 200 if verb == "update" else 201
        return web.Response(body=orjson.dumps(made), status=status, content_type="application/json")

    async def _post(self, target: Target, sent: Obj, options: WriteOptions) -> Obj:
        match target.subresource:
            case "binding":
                return await subresources.bind(self.registry, target, sent, options)
            case "eviction":
                return await subresources.evict(self.registry, target, sent, options)
            case "finalize":
                return object_of(await subresources.finalize(self.registry, target, sent, options))
            case "token":
                return self.authenticator.tokens.request(self.registry, target, sent)
        raise not_served()

    async def _scale(self, request: web.BaseRequest, user: User, target: Target, verb: str) -> web.StreamResponse:
        obj = object_of(self.registry.find(target))
        scale = subresources.scale_of(target.kind, obj)
        if verb != "get":
            options = body.write_options(request.query, user, request.headers.get("User-Agent", ""))
            content_type = request.headers.get("Content-Type", "")
            sent = body.parse(await body.read(request), content_type)
            if verb == "patch":
                form = content_type.partition(";")[0].strip()
                scale = await subresources.patch_scale(self.registry, target, form, sent, options)
            else:
                scale = await subresources.set_scale(self.registry, target, sent, options)
        return web.Response(body=orjson.dumps(scale), content_type="application/json")


async def listen(server: Server, addresses: list[tuple[str, int]], context: ssl.SSLContext) -> web.ServerRunner:
    """Serve on these addresses by TLS until the runner is cleaned up. Raises OSError where a port is taken."""
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    for host, port in addresses:
        await web.TCPSite(runner, host, port, ssl_context=context, backlog=1024).start()
    return runner


def tls_context(certificate: str, key: str, ca: str) -> ssl.SSLContext:
    """TLS 1.2 and up; client certificates of our CA are checked when one is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.sslobject_class = Telling
    return context
