"""WATCH: the store's feed as ADDED, MODIFIED, DELETED per selector; one code path for HTTP and for this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from wherry.apiserver.verbs.context import ListOptions, Target
from wherry.apiserver.verbs.read import Filter, filter_of, revision_of
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.objects.errors import Expired, Invalid
from wherry.store import Change, Closed, Compacted, Lagged, Record

BOOKMARK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event. A BOOKMARK has no record; `initial_end` marks the one after the initial events."""

    type: str
    record: Record | None
    revision: int
    initial_end: bool = False


async def watch(registry: Registry, target: Target, options: ListOptions) -> AsyncIterator[list[Event]]:
    """Batches of events until the time is up, the reader is cut off or the store closes. Raises Expired at once."""
    wanted = filter_of(target.kind, options.labels, options.fields)
    if options.initial_events is not None and options.match != "NotOlderThan":
        raise Invalid(
            'ListOptions "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting '
            "resourceVersionMatch to NotOlderThan"
        )
    text = options.resource_version
    initial = options.initial_events if options.initial_events is not None else text in ("", "0")
    since = registry.store.revision if initial or text in ("", "0") else revision_of(text)
    try:
        feed = registry.store.subscribe(since, resource=target.kind.resource, namespace=target.namespace)
    except Compacted as error:
        raise Expired(f"too old resource version: {since} ({error.oldest})") from error
    with contextlib.closing(feed):
        if initial:
            records = registry.store.scan(target.kind.resource, target.namespace)
            begin = [Event("ADDED", r, r.revision) for r in records if wanted.matches(object_of(r))]
            if options.initial_events and options.bookmarks:
                begin.append(Event("BOOKMARK", None, since, initial_end=True))
            yield begin
        loop = asyncio.get_running_loop()
        end = loop.time() + (options.timeout if options.timeout else 1800.0)
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, BOOKMARK_SECONDS)):
                    changes = await feed.next()
            except TimeoutError:
                if options.bookmarks:
                    yield [Event("BOOKMARK", None, max(feed.revision, since))]
                continue
            except (Lagged, Closed):
                return
            events = [event for change in changes if (event := seen(change, wanted)) is not None]
            if events:
                yield events


def seen(change: Change, wanted: Filter) -> Event | None:
    """What a watcher with this selector sees of a change."""
    if wanted.everything:
        kind = "DELETED" if change.deleted else "MODIFIED" if change.old is not None else "ADDED"
        return Event(kind, change.record, change.revision)
    before = change.old is not None and wanted.matches(object_of(change.old))
    after = not change.deleted and wanted.matches(object_of(change.record))
    if after:
        return Event("MODIFIED" if before else "ADDED", change.record, change.revision)
    return Event("DELETED", change.record, change.revision) if before else None


def objects_of(events: Iterable[Event]) -> list[Record]:
    return [event.record for event in events if event.record is not None]
