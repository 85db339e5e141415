"""The store: reads from memory on the event loop, writes by the one writer thread, all told after the commit."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from wherry.store.disk import Options
from wherry.store.errors import Closed, Future, ReadOnly
from wherry.store.feed import Feed, Subscription
from wherry.store.handover import Handover
from wherry.store.records import Key, Record, Seal, Sync
from wherry.store.snapshot import Snapshot, undone
from wherry.store.writer import Group, Write, Writer

DEFAULTS = Options()


class Store:
    """Open with `Store.open`, from the event loop that uses it. Everything but `put` and `delete` is immediate."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._feed = Feed(0, changes=0, size=0)
        self._failed = asyncio.Event()
        self._failure: ReadOnly | None = None
        self._closed = False
        self._handover = Handover()
        self._writer: Writer

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        ring: int = 50_000,
        ring_bytes: int = 64 * 2**20,
        options: Options = DEFAULTS,
    ) -> Self:
        """Open the directory, making it if need be. Raises InUse, Unreadable, Full, or what the system says.

        The ring remembers at most `ring` changes and `ring_bytes` of their values.
        """
        self = cls()
        self._writer = Writer(directory, options, self._publish)
        opened = await self._writer.open()
        self._snapshot = Snapshot(opened.records)
        self._feed = Feed(opened.revision, changes=ring, size=ring_bytes)
        return self

    async def close(self) -> None:
        """Carry out what was asked for, end every subscription, let go of the directory. May be repeated."""
        if not self._closed:
            self._closed = True
            await self._writer.close()
            self._feed.close()

    @property
    def revision(self) -> int:
        """The last one published: every read shows the state at this revision."""
        return self._feed.revision

    @property
    def failure(self) -> ReadOnly | None:
        """Why nothing can be stored any more; None while all is well."""
        return self._failure

    async def failed(self) -> ReadOnly:
        """Wait until the disk fails for good."""
        await self._failed.wait()
        assert self._failure is not None
        return self._failure

    def get(self, key: Key) -> Record | None:
        return self._snapshot.get(key)

    def scan(self, resource: str, namespace: str = "") -> Sequence[Record]:
        """Sorted by namespace and name; namespace "" means all. The same object until something changes."""
        return self._snapshot.scan(resource, namespace)

    def scan_at(self, resource: str, namespace: str, revision: int) -> Sequence[Record]:
        """What `scan` gave at that revision. Raises Compacted, or Future."""
        if revision > self.revision:
            raise Future(revision, self.revision)
        self._feed.check(revision)
        if self._snapshot.changed(resource) <= revision:
            return self._snapshot.scan(resource, namespace)
        newer = [
            change
            for change in self._feed.newer(revision)
            if change.record.key.resource == resource and namespace in ("", change.record.key.namespace)
        ]
        return undone(self._snapshot.scan(resource, namespace), newer)

    def changed(self, resource: str) -> int:
        """The revision of the latest change of this resource since the store was opened; 0 for none."""
        return self._snapshot.changed(resource)

    def resources(self) -> Sequence[str]:
        """The resources that have records, sorted."""
        return self._snapshot.resources()

    async def put(self, key: Key, seal: Seal, *, expect: int | None = None, sync: Sync = Sync.FULL) -> Record:
        """Create or replace. Returns once it is committed as `sync` asks, and readers see it.

        `expect` None: whatever is there; 0: nothing (else Exists); n: the record at revision n (else Stale, Missing).
        A cancelled caller's write is carried out nevertheless. What `seal` raises comes out. Raises Full, ReadOnly.
        """
        return await self._write(key, seal, expect, sync, deletes=False)

    async def delete(self, key: Key, seal: Seal, *, expect: int | None = None, sync: Sync = Sync.FULL) -> Record:
        """Remove. Returns the last state, sealed with the deletion's revision. Raises Missing, Stale, as `put`."""
        return await self._write(key, seal, expect, sync, deletes=True)

    def subscribe(self, since: int, *, resource: str = "", namespace: str = "", capacity: int = 10_000) -> Subscription:
        """Follow every change after `since`, in order, once: of one resource or all, of one namespace or all.

        A revision that is not reached yet is silent until it has passed. Raises Compacted.
        """
        return self._feed.subscribe(since, resource, namespace, capacity)

    async def _write(self, key: Key, seal: Seal, expect: int | None, sync: Sync, *, deletes: bool) -> Record:
        if self._closed:
            raise Closed("store")
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._handover.asked()
        self._writer.ask(Write(key, seal, expect, sync, deletes, future))
        return await future

    def _publish(self, group: Group) -> None:
        """One commit becomes visible: state, then readers, then those who asked for it."""
        changes = [outcome.change for outcome in group.outcomes if outcome.change is not None]
        for change in changes:
            self._snapshot.apply(change)
        self._feed.publish(changes, group.revision)
        self._handover.published(len(group.outcomes))
        if group.broken is not None:
            self._failure = group.broken
            self._failed.set()
        for outcome in group.outcomes:
            future = outcome.write.future
            if future.done():  # its caller was cancelled
                continue
            if outcome.change is not None:
                future.set_result(outcome.change.record)
            elif outcome.error is not None:
                future.set_exception(outcome.error)
