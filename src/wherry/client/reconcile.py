"""The one loop that runs every controller: wake, observe, plan, act, wait until its own writes are seen.

A Conflict or NotFound means that the world has moved on: the key is looked at again when the mirror shows how. Any
other refusal is told to the controller (`failed`), logged with its key, and retried with a growing delay.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from wherry.client.actions import (
    Action,
    Again,
    Create,
    Delete,
    Emit,
    MergePatch,
    Post,
    SetStatus,
    Update,
)
from wherry.client.client import Client
from wherry.client.controller import Controller
from wherry.client.mirror import Mirror
from wherry.client.queue import Queue
from wherry.clock import Clock
from wherry.objects import Obj, Ref, kind_of, ref_of
from wherry.objects.errors import AlreadyExists, ApiError, Conflict, NotFound
from wherry.objects.owners import controller_of

log = logging.getLogger("wherry.controllers")

Record = Callable[[Obj, str, str, str], None]
"""Records an Event: about, type, reason, message."""

WIDTH = 64  # writes of one plan that are under way at once: they share the store's group commits
FIRST_RETRY, LAST_RETRY = 0.05, 60.0  # seconds


@dataclass
class Loop:
    """One controller at work. `run` ends only by cancellation."""

    controller: Controller[Any]
    mirror: Mirror
    client: Client
    clock: Clock
    record: Record
    _retries: dict[Ref, int] = field(default_factory=dict)
    _rested: dict[Ref, float] = field(default_factory=dict)  # when an object may be looked at again

    async def run(self) -> None:
        queue = Queue(self.clock)
        self._subscribe(queue)
        while True:
            ref = await queue.next()
            obj = self.mirror.get(*ref)
            if obj is None:
                self._retries.pop(ref, None)
                self._rested.pop(ref, None)
                continue
            if (tired := self._rested.get(ref, 0.0) - self.clock.monotonic()) > 0:
                queue.add_after(ref, tired)
                continue
            try:
                await self._look_at(ref, obj, queue)
                self._retries.pop(ref, None)
            except (Conflict, NotFound):
                queue.add_after(ref, FIRST_RETRY)  # usually the mirror's next change wakes it sooner
            except ApiError as error:
                tries = self._retries[ref] = self._retries.get(ref, 0) + 1
                delay = min(FIRST_RETRY * 2**tries, LAST_RETRY)
                log.warning("%s: %s: %s; again in %.1f s", self.controller.name, ref, error.message, delay)
                queue.add_after(ref, delay)

    def _subscribe(self, queue: Queue) -> None:
        """Wake for every object there is, then for every change."""
        controller, mirror = self.controller, self.mirror

        def changed(new: Obj | None, old: Obj | None) -> None:
            for obj in (new, old):
                if obj is not None:
                    for ref in woken(controller, obj, mirror):
                        queue.add(ref)

        kinds = {controller.kind, *controller.owns, *controller.watches}
        mirror.on_change(["*"] if "*" in kinds else sorted(kinds), changed)
        for kind in mirror.kinds() if controller.kind == "*" else (controller.kind,):
            for obj in mirror.list(kind):
                queue.add(ref_of(obj))

    async def _look_at(self, ref: Ref, obj: Obj, queue: Queue) -> None:
        seen = self.controller.observe(obj, self.mirror, self.clock.now())
        if seen is None:
            return
        if rest := self.controller.rest(seen):
            self._rested[ref] = self.clock.monotonic() + rest
        try:
            await self._carry_out(ref, self.controller.plan(seen), queue)
        except (Conflict, NotFound):
            raise
        except ApiError as error:
            if self.controller.failed is not None:
                await self._carry_out(ref, self.controller.failed(seen, error), queue)
            raise

    async def _carry_out(self, ref: Ref, plan: Iterator[Action], queue: Queue) -> None:
        """An Event is recorded only after the writes that the plan names before it."""
        batch: list[Action] = []
        events: list[Emit] = []
        revision = 0
        for action in plan:
            if isinstance(action, Again):
                queue.add_after(ref, action.seconds)
            elif isinstance(action, Emit):
                events.append(action)
            else:
                if batch and (type(action) is not type(batch[0]) or len(batch) >= WIDTH):
                    revision = max(revision, await self._act(batch))
                    self._record(events)
                    batch, events = [], []
                batch.append(action)
        if batch:
            revision = max(revision, await self._act(batch))
        self._record(events)
        await self.mirror.caught_up(revision)

    def _record(self, events: Iterable[Emit]) -> None:
        for event in events:
            self.record(event.about, event.type, event.reason, event.message)

    async def _act(self, batch: Iterable[Action]) -> int:
        """Carry out actions of one type at once; the highest revision written. Raises the first failure at the end."""
        results = await asyncio.gather(*(act(self.client, action) for action in batch), return_exceptions=True)
        revision, failure = 0, None
        for result in results:
            if isinstance(result, BaseException):
                failure = failure or result
            else:
                revision = max(revision, result)
        if failure is not None:
            await self.mirror.caught_up(revision)
            raise failure
        return revision


def woken(controller: Controller[Any], obj: Obj, mirror: Mirror) -> Iterable[Ref]:
    """Whom a change of `obj` wakes."""
    kind = kind_of(obj)
    if controller.kind in (kind, "*"):
        yield ref_of(obj)
    if kind in controller.owns:
        owner = controller_of(obj)
        if owner is not None and kind_of({"apiVersion": owner["apiVersion"], "kind": owner["kind"]}) == controller.kind:
            yield Ref(controller.kind, obj["metadata"].get("namespace", ""), owner["name"])
    for watched in (kind, "*"):
        wakes = controller.watches.get(watched)
        if wakes is not None:
            yield from wakes(obj, mirror)


async def act(client: Client, action: Action) -> int:
    """Carry out one write; its revision, 0 where nothing was written."""
    written: Obj | None = None
    match action:
        case Create(obj):
            try:
                written = await client.create(obj)
            except AlreadyExists:
                return 0
        case Update(obj, subresource):
            written = await client.update(obj, subresource=subresource)
        case MergePatch(ref, patch, subresource):
            written = await client.patch(*ref, patch, subresource=subresource)
        case SetStatus(obj, status):
            written = await client.update({**obj, "status": status}, subresource="status")
        case Post(ref, subresource, body):
            written = await client.post(*ref, subresource, body)
        case Delete(ref, uid, grace, propagation):
            try:
                await client.delete(*ref, uid=uid, grace_seconds=grace, propagation=propagation)
            except NotFound:
                return 0
        case _:
            raise TypeError(f"not a write: {action!r}")
    return int((written or {}).get("metadata", {}).get("resourceVersion") or 0)
