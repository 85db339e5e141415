"""Objects of a few kinds, kept current by list and watch; resumed for ever, listed anew after a 410."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wherry.client.client import Client
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.errors import ApiError, Expired, ServiceUnavailable, Timeout, TooManyRequests

log = logging.getLogger("wherry.client")

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
PASSING = (Expired, ServiceUnavailable, Timeout, TooManyRequests)
"""Failures after which a watch is tried again."""


@dataclass
class View:
    """What there is, by Ref. Nothing of it may be edited."""

    objects: dict[Ref, Obj] = field(default_factory=dict)
    failure: ApiError | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def touched(self, failure: ApiError | None = None) -> None:
        self.failure = failure or self.failure
        self._changed.set()

    async def change(self) -> None:
        """Wait until something has changed since the last call. Raises the ApiError that has ended it all."""
        await self._changed.wait()
        self._changed.clear()
        if self.failure is not None:
            raise self.failure

    def of(self, kind: str) -> Iterator[Obj]:
        return (obj for ref, obj in self.objects.items() if ref.kind == kind)


@dataclass(frozen=True)
class Followed:
    """Which objects of a kind."""

    kind: str
    namespace: str = ""
    labels: str = ""
    fields: str = ""


@asynccontextmanager
async def following(client: Client, *whats: Followed) -> AsyncIterator[View]:
    """A view that is complete, and kept current inside the `async with`."""
    view, complete = View(), asyncio.Event()
    missing = len(whats)

    def listed() -> None:
        nonlocal missing
        missing -= 1
        if missing <= 0:
            complete.set()

    async def one(what: Followed) -> None:
        try:
            await follow(client, what, view, listed)
        except ApiError as error:
            view.touched(error)
            complete.set()

    tasks = [asyncio.create_task(one(what), name=f"follow {what.kind}") for what in whats]
    try:
        await complete.wait()
        if view.failure is not None:
            raise view.failure
        yield view
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def follow(client: Client, what: Followed, view: View, listed: Callable[[], None]) -> None:
    """Keep `what` current in `view` until cancelled; `listed` is called once all of it is there."""
    revision, wait = "", FIRST_WAIT
    while True:
        try:
            if not revision:
                found = await client.list(what.kind, what.namespace, labels=what.labels, fields=what.fields)
                _replace(view, what, found.items)
                revision = found.revision
                listed()
            revision = await _watch(client, what, view, revision)
            wait = FIRST_WAIT
        except Expired:
            revision = ""
        except PASSING as error:
            log.info("watching %s: %s", what.kind, error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


async def _watch(client: Client, what: Followed, view: View, revision: str) -> str:
    """One watch to its end; where the next can go on. After one that breaks, a few events are seen twice: no harm."""
    async for event in client.watch(
        what.kind, what.namespace, labels=what.labels, fields=what.fields, revision=revision
    ):
        revision = event.object["metadata"].get("resourceVersion") or revision
        if event.type == "BOOKMARK":
            continue
        ref = ref_of(event.object)
        if event.type == "DELETED":
            view.objects.pop(ref, None)
        else:
            view.objects[ref] = event.object
        view.touched()
    return revision


def _replace(view: View, what: Followed, items: Sequence[Obj]) -> None:
    for ref in [ref for ref in view.objects if ref.kind == what.kind]:
        del view.objects[ref]
    view.objects.update((ref_of(obj), obj) for obj in items)
    view.touched()
