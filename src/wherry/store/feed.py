"""What was committed, in order: a bounded ring of past changes and the subscriptions that follow it.

All on the event loop. A reader that falls behind its bounded queue is cut off (`Lagged`) and lists again: it delays
neither writers nor other readers, and costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from wherry.store.errors import Closed, Compacted, Lagged
from wherry.store.records import Change


class Feed:
    """The ring. `oldest`: every change after this revision is still here."""

    def __init__(self, revision: int, *, changes: int, size: int) -> None:
        self.revision = revision
        self.oldest = revision
        self._changes = changes
        self._size = size
        self._held = 0
        self._ring: deque[Change] = deque()
        self._readers: dict[str, dict[Subscription, None]] = {}

    def publish(self, changes: Iterable[Change], revision: int) -> None:
        """Tell every reader, in order. `revision` is where the store is after these changes."""
        touched: dict[Subscription, None] = {}
        for change in changes:
            self._remember(change)
            for resource in ("", change.record.key.resource):
                for reader in tuple(self._readers.get(resource, ())):
                    if reader.offer(change):
                        touched[reader] = None
        self.revision = revision
        for reader in touched:
            reader.wake()

    def check(self, revision: int) -> None:
        """Raises Compacted where changes after this revision are forgotten."""
        if revision < self.oldest:
            raise Compacted(revision, self.oldest)

    def newer(self, revision: int) -> Iterator[Change]:
        """The changes after this revision, newest first."""
        for change in reversed(self._ring):
            if change.revision <= revision:
                return
            yield change

    def subscribe(self, since: int, resource: str, namespace: str, capacity: int) -> "Subscription":
        """Follow every change after `since` (of one resource, of one namespace). Raises Compacted."""
        self.check(since)
        reader = Subscription(self, since, resource, namespace, capacity)
        reader.begin(tuple(self.newer(since))[::-1])
        self._readers.setdefault(resource, {})[reader] = None
        return reader

    def forget(self, reader: "Subscription") -> None:
        readers = self._readers.get(reader.resource, {})
        readers.pop(reader, None)
        if not readers:
            self._readers.pop(reader.resource, None)

    def close(self) -> None:
        for readers in tuple(self._readers.values()):
            for reader in tuple(readers):
                reader.close()

    def _remember(self, change: Change) -> None:
        self._ring.append(change)
        self._held += len(change.record.value)
        while len(self._ring) > self._changes or self._held > self._size:
            gone = self._ring.popleft()
            self._held -= len(gone.record.value)
            self.oldest = gone.revision


class Subscription:
    """One reader's place in the feed: each change after its start, in order, once. One task reads it."""

    def __init__(self, feed: Feed, since: int, resource: str, namespace: str, capacity: int) -> None:
        self.resource = resource
        self._feed = feed
        self._since = since
        self._namespace = namespace
        self._capacity = capacity
        self._bound = capacity
        self._waiting: list[Change] = []
        self._reader: asyncio.Future[None] | None = None
        self._ended: Lagged | Closed | None = None
        self._stopped = 0

    @property
    def revision(self) -> int:
        """Every change up to here was handed out by `next`, or is not for this reader. Moves on every commit."""
        if self._ended is not None:
            return self._stopped
        if self._waiting:
            return self._waiting[0].revision - 1
        return max(self._since, self._feed.revision)

    async def next(self) -> Sequence[Change]:
        """What happened since the last call; waits for the first change. Cancelling it loses nothing.

        Raises Lagged when this reader was cut off, Closed when it or the store was closed.
        """
        while not self._waiting:
            if self._ended is not None:
                raise self._ended
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        batch, self._waiting = self._waiting, []
        self._bound = self._capacity
        return batch

    def close(self) -> None:
        self._end(Closed("subscription"))

    def begin(self, past: Sequence[Change]) -> None:
        """Queue what the ring remembers. It does not count against the capacity: the reader had no chance yet."""
        self._waiting = [change for change in past if self._wants(change)]
        self._bound = self._capacity + len(self._waiting)

    def offer(self, change: Change) -> bool:
        """Queue it if it is for this reader; whether there is something new to see."""
        if not self._wants(change):
            return False
        if len(self._waiting) >= self._bound:
            self._end(Lagged(self._capacity))
            return False
        self._waiting.append(change)
        return True

    def wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wants(self, change: Change) -> bool:
        key = change.record.key
        return (
            change.revision > self._since
            and self.resource in ("", key.resource)
            and self._namespace in ("", key.namespace)
        )

    def _end(self, why: Lagged | Closed) -> None:
        if self._ended is None:
            self._stopped = self.revision  # must not run ahead of what is dropped here
            self._ended = why
            self._waiting = []
            self._feed.forget(self)
            self.wake()
