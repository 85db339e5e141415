"""The Client of any Kubernetes API, over HTTP. What a server answers becomes an object or an ApiError."""

import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, MutableSequence, Sequence
from typing import Any

import orjson

from wherry.client import discovery
from wherry.client.client import Listed, Patch, WatchEvent
from wherry.client.connection import ANSWER_SECONDS, APPLY, JSON, Connection, Request
from wherry.client.discovery import Resource, Resources
from wherry.client.kubeconfig import Access
from wherry.client.remote_command import PROTOCOLS, RemoteCommand
from wherry.objects import Obj, kind_of
from wherry.objects.errors import Expired, NotFound, ServiceUnavailable, from_status

PAGE = 500
WATCH_SECONDS = 290  # the server ends a watch after this; the client a little later, if the server went silent

Query = Mapping[str, str]


class HttpClient:
    """Implements `wherry.client.client.Client`. Use as a context manager; `warnings` gets what the server warns of."""

    def __init__(self, access: Access, *, warnings: Callable[[str], None] = lambda text: None) -> None:
        self.access = access
        self._connection = Connection(access, warnings)
        self._resources: Resources | None = None

    async def __aenter__(self) -> "HttpClient":
        await self._connection.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.__aexit__()

    # -- which kinds there are

    async def resources(self, *, anew: bool = False) -> Resources:
        """The server's kinds, asked once unless `anew`."""
        if self._resources is None or anew:
            asked = [Request(path=path, accept=discovery.AGGREGATED) for path in ("/api", "/apis")]
            parts = [await self._connection.json(request) for request in asked]
            found: Sequence[Resource] = [each for part in parts for each in discovery.aggregated(part)]
            if any(part.get("kind") != "APIGroupDiscoveryList" for part in parts):
                found = await self._one_by_one()
            self._resources = Resources(found)
        return self._resources

    async def _one_by_one(self) -> Sequence[Resource]:
        """Discovery of servers before 1.26. A group whose own server is down is passed over, as kubectl does."""
        paths = ["/api/v1", *(f"/apis/{each}" for each in discovery.group_versions(await self._json("GET", "/apis")))]
        found: MutableSequence[Resource] = []
        for path in paths:
            with contextlib.suppress(ServiceUnavailable, NotFound):
                found.extend(discovery.plain(await self._json("GET", path)))
        return found

    async def resource(self, kind: str) -> Resource:
        """Of a GroupKind. Raises NotFound."""
        found = (await self.resources()).by_kind(kind) or (await self.resources(anew=True)).by_kind(kind)
        if found is None:
            raise NotFound(f"the server has no kind {kind}", kind=kind)
        return found

    async def resource_of(self, obj: Obj) -> Resource:
        """Of an object, in the version that it is written in. Raises NotFound."""
        api_version, kind = obj["apiVersion"], obj["kind"]
        found = (await self.resources()).by_api(api_version, kind)
        found = found or (await self.resources(anew=True)).by_api(api_version, kind)
        if found is None:
            raise NotFound(f"the server has no kind {kind} in {api_version}", kind=kind_of(obj))
        return found

    # -- Client

    async def get(self, kind: str, namespace: str, name: str, *, subresource: str = "") -> Obj:
        resource = await self.resource(kind)
        return _typed(await self._json("GET", resource.path(namespace, name, subresource)), resource, subresource)

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Listed:
        resource = await self.resource(kind)
        path, query = resource.path(namespace), {"labelSelector": labels, "fieldSelector": fields}
        try:
            items, revision = await self._pages(path, query)
        except Expired:  # it changed faster than it could be read in pages
            whole = await self._json("GET", path, query)
            items, revision = whole.get("items") or [], whole["metadata"].get("resourceVersion", "")
        return Listed(revision, [_typed(item, resource) for item in items])

    async def _pages(self, path: str, query: Query) -> tuple[Sequence[Obj], str]:
        items: MutableSequence[Obj] = []
        token = ""
        while True:
            page = await self._json("GET", path, {**query, "limit": str(PAGE), "continue": token})
            items.extend(page.get("items") or ())
            token = page["metadata"].get("continue") or ""
            if not token:
                return items, page["metadata"].get("resourceVersion", "")

    async def watch(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> AsyncIterator[WatchEvent]:
        resource = await self.resource(kind)
        seconds = WATCH_SECONDS - random.randrange(30)  # noqa: S311  (so that not all watches end at once)
        query = {"labelSelector": labels, "fieldSelector": fields, "resourceVersion": revision, "watch": "1"}
        query |= {"allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        asked = Request(path=resource.path(namespace), query=tuple(query.items()), read_seconds=seconds + 20.0)
        async with contextlib.aclosing(self._connection.lines(asked)) as lines:
            async for line in lines:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise from_status(event["object"])
                yield WatchEvent(event["type"], event["object"])

    async def create(self, obj: Obj, *, dry_run: bool = False) -> Obj:
        path = (await self.resource_of(obj)).path(self._namespace(obj))
        return await self._json("POST", path, _writing(dry_run=dry_run), body=obj)

    async def post(self, kind: str, namespace: str, name: str, subresource: str, body: Obj) -> Obj:
        path = (await self.resource(kind)).path(namespace, name, subresource)
        return await self._json("POST", path, _writing(), body=body)

    async def update(self, obj: Obj, *, subresource: str = "") -> Obj:
        path = (await self.resource_of(obj)).path(self._namespace(obj), obj["metadata"]["name"], subresource)
        return await self._json("PUT", path, _writing(), body=obj)

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Obj | Sequence[Obj],
        *,
        form: Patch = Patch.MERGE,
        subresource: str = "",
    ) -> Obj:
        path = (await self.resource(kind)).path(namespace, name, subresource)
        return await self._json("PATCH", path, _writing(), body=patch, content=form.value)

    async def apply(
        self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False, validation: str = ""
    ) -> Obj:
        """Server-side apply; `validation` Strict refuses unknown and doubled fields."""
        path = (await self.resource_of(obj)).path(self._namespace(obj), obj["metadata"]["name"])
        query = _writing(manager, dry_run=dry_run, validation=validation) | {"force": str(force).lower()}
        return await self._json("PATCH", path, query, body=obj, content=APPLY)

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        propagation: str = "",
    ) -> None:
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if propagation:
            options["propagationPolicy"] = propagation
        await self._json("DELETE", (await self.resource(kind)).path(namespace, name), body=options)

    def _namespace(self, obj: Obj) -> str:
        return str(obj["metadata"].get("namespace") or self.access.namespace)

    # -- more than the Protocol: what people look at

    def logs(self, namespace: str, pod: str, **options: str | int | bool) -> AsyncGenerator[bytes]:
        """A container's log in pieces, as the API's options have it (container, follow, tailLines, previous, ...)."""
        query = tuple(
            (key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in options.items()
        )
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        silence = None if options.get("follow") is True else ANSWER_SECONDS
        return self._connection.chunks(Request(path=path, query=query, accept="*/*", read_seconds=silence))

    @contextlib.asynccontextmanager
    async def remote_command(
        self, namespace: str, pod: str, subresource: str, query: Sequence[tuple[str, str]]
    ) -> AsyncIterator[RemoteCommand]:
        """`exec` or `attach`; `query` holds the API's options (container, command, stdin, stdout, stderr, tty)."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/{subresource}"
        async with self._connection.websocket(Request(path=path, query=query), PROTOCOLS) as socket:
            yield RemoteCommand(socket)

    async def proxied(self, namespace: str, pod: str, port: int, path: str) -> int:
        """The status of a GET that the API server passes on to a pod; 503 where the pod does not answer."""
        whole = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path.lstrip('/')}"
        return await self._connection.status(Request(path=whole, accept="*/*", read_seconds=10.0))

    async def version(self) -> Obj:
        return await self._json("GET", "/version")

    async def _json(
        self, method: str, path: str, query: Query | None = None, *, body: Any = None, content: str = JSON
    ) -> Obj:
        params = tuple((query or {}).items())
        return await self._connection.json(Request(method=method, path=path, query=params, body=body, content=content))


def _writing(manager: str = "wherry", *, dry_run: bool = False, validation: str = "") -> dict[str, str]:
    return {"fieldManager": manager, "dryRun": "All" if dry_run else "", "fieldValidation": validation}


def _typed(obj: Obj, resource: Resource, subresource: str = "") -> Obj:
    """Items of lists come without apiVersion and kind."""
    if subresource or "kind" in obj:
        return obj
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
