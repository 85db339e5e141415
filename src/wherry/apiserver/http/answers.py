"""Records -> HTTP answers: as they are stored, as Tables, as metadata alone; lists, watches, errors."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import orjson
from aiohttp import web

from wherry.apiserver.http import tables
from wherry.apiserver.http.negotiation import Form
from wherry.apiserver.http.warnings import warn
from wherry.apiserver.http.whole import Whole
from wherry.apiserver.verbs.context import Target
from wherry.apiserver.verbs.read import Page
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.apiserver.verbs.watch import Event
from wherry.objects import Obj
from wherry.objects.errors import ApiError
from wherry.store import Record

NO_CACHE = "no-cache, private"
HEADERS = {"Content-Type": "application/json", "Cache-Control": NO_CACHE}


def error_response(error: ApiError) -> web.Response:
    headers = dict(HEADERS)
    retry = error.details.get("retryAfterSeconds")
    if retry:
        headers["Retry-After"] = str(retry)
    return web.Response(body=orjson.dumps(error.status()), status=error.code, headers=headers)


def object_response(
    registry: Registry,
    target: Target,
    record: Record,
    form: Form,
    query: Mapping[str, str],
    status: int = 200,
) -> web.StreamResponse:
    """One object. Without a conversion its stored bytes are the answer."""
    if form.convert == "Table":
        include = tables.include_of(query.get("includeObject", ""))
        made = tables.table(
            target.kind, [object_of(record)], now=registry.clock.now(), include=include, version=form.version
        )
        content = orjson.dumps(made)
    elif form.convert:
        content = orjson.dumps(tables.partial(object_of(record), form.version))
    else:
        return Whole(record.value or orjson.dumps(record.memo), status)
    return web.Response(body=content, status=status, headers=_headers(form))


def page_response(
    registry: Registry, target: Target, page: Page, form: Form, query: Mapping[str, str]
) -> web.StreamResponse:
    """A list, put together from the stored bytes of its items."""
    meta: Obj = {"resourceVersion": str(page.revision)}
    if page.continuation:
        meta["continue"] = page.continuation
    if page.remaining:
        meta["remainingItemCount"] = page.remaining
    if form.convert == "Table":
        objects = [object_of(record) for record in page.records]
        include = tables.include_of(query.get("includeObject", ""))
        now = registry.clock.now()
        content = orjson.dumps(
            tables.table(target.kind, objects, now=now, include=include, list_meta=meta, version=form.version)
        )
    elif form.convert:
        objects = [object_of(record) for record in page.records]
        content = orjson.dumps(tables.partial_list(objects, list_meta=meta, version=form.version))
    else:
        kind = target.kind
        head = f'{{"kind":"{kind.kind}List","apiVersion":"{kind.api_version}","metadata":'.encode()
        content = b"".join(
            (head, orjson.dumps(meta), b',"items":[', b",".join([record.value for record in page.records]), b"]}")
        )
        return Whole(content)
    return web.Response(body=content, headers=_headers(form))


def _headers(form: Form) -> dict[str, str]:
    return {"Content-Type": form.content_type, "Cache-Control": NO_CACHE} if form.convert else HEADERS


async def watch_response(
    request: web.BaseRequest,
    registry: Registry,
    target: Target,
    events: AsyncIterator[list[Event]],
    form: Form,
) -> web.StreamResponse:
    """Send events as they come, one JSON object a line, until the watch or the client ends it."""
    assert isinstance(events, AsyncGenerator)
    answer = web.StreamResponse(headers={**_headers(form), "Transfer-Encoding": "chunked"})
    warn(answer, [target.kind.deprecated])
    lines = _Lines(registry, target, form, tables.include_of(request.query.get("includeObject", "")))
    try:
        async with contextlib.aclosing(events) as batches:
            first = asyncio.ensure_future(anext(batches, None))
            await answer.prepare(request)
            batch = await first
            while batch is not None:
                await answer.write(b"".join([lines.line(event) for event in batch]))
                batch = await anext(batches, None)
        await answer.write_eof()
    except ApiError as error:
        if not answer.prepared:
            raise
        await answer.write(b'{"type":"ERROR","object":' + orjson.dumps(error.status()) + b"}\n")
    except (ConnectionResetError, asyncio.CancelledError):
        if request.transport is not None and not request.transport.is_closing():
            raise
    return answer


class _Lines:
    """Events as lines, in the form one watcher asked for."""

    def __init__(self, registry: Registry, target: Target, form: Form, include: str) -> None:
        self._registry, self._target, self._form, self._include = registry, target, form, include
        self._headers = True

    def line(self, event: Event) -> bytes:
        return b'{"type":"' + event.type.encode() + b'","object":' + self._object(event) + b"}\n"

    def _object(self, event: Event) -> bytes:
        kind, record = self._target.kind, event.record
        if record is None:
            meta: dict[str, Any] = {"resourceVersion": str(event.revision), "creationTimestamp": None}
            if event.initial_end:
                meta["annotations"] = {"k8s.io/initial-events-end": "true"}
            bookmark = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
            return orjson.dumps(self._table_of([bookmark]) if self._form.convert == "Table" else bookmark)
        if self._form.convert == "Table":
            return orjson.dumps(self._table_of([object_of(record)]))
        if self._form.convert:
            return orjson.dumps(tables.partial(object_of(record), self._form.version))
        return record.value

    def _table_of(self, objects: list[Obj]) -> Obj:
        made = tables.table(
            self._target.kind,
            objects,
            now=self._registry.clock.now(),
            include=self._include,
            headers=self._headers,
            version=self._form.version,
        )
        self._headers = False
        return made
