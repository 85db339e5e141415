"""The one thread that decides, commits and hands out revisions.

It takes everything that waits, checks each expectation against its own view (the group's earlier writes included),
seals, commits once, and gives the whole group back to the event loop in one call. It sleeps while nothing waits.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple, Unpack

import apsw

from wherry.store.disk import Batch, Disk, Options
from wherry.store.errors import Exists, Full, Missing, ReadOnly, Stale, StoreError
from wherry.store.records import Change, Key, Record, Seal, Sync

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GROUP = 512
RESERVE = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One asked-for write. `seal` None ends the thread, once all before it is done."""

    key: Key
    seal: Seal | None
    expect: int | None
    sync: Sync
    deletes: bool
    future: asyncio.Future[Record]


@dataclass(slots=True)
class Outcome:
    """What became of one write: exactly one of the two is set."""

    write: Write
    change: Change | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What one commit did, in order. `revision` is where the store stands after it; `broken` that it was the last."""

    outcomes: Sequence[Outcome]
    revision: int
    broken: ReadOnly | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found on disk. All revisions up to `revision` are used up."""

    records: Sequence[Record]
    revision: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A record in the writer's view, and its row on disk if it has one."""

    record: Record
    row: int | None


class _Caught:
    """Keeps what its block raised: it belongs to whoever asked for the write, not to this thread."""

    error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: TracebackType | None) -> bool:
        if isinstance(error, Exception):
            self.error = error
        return self.error is not None


class Writer:
    """The thread and its queue. `publish` is called on the event loop, once per group, in commit order."""

    def __init__(self, directory: Path, options: Options, publish: Callable[[Group], None]) -> None:
        self._directory = directory
        self._options = options
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Write] = SimpleQueue()
        self._opened: asyncio.Future[Opened] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._held: dict[Key, _Held] = {}
        self._revision = 0
        self._reserved = 0
        self._broken: ReadOnly | None = None

    async def open(self) -> Opened:
        self._thread.start()
        try:
            return await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            self._queue.put(self._end())
            raise

    def ask(self, write: Write) -> None:
        self._queue.put(write)

    async def close(self) -> None:
        """Carry out all that waits, then end."""
        self._queue.put(self._end())
        await self._ended

    def _end(self) -> Write:
        return Write(Key("", "", ""), None, None, Sync.FULL, False, self._loop.create_future())

    # From here on: the writer's thread.

    def _run(self) -> None:
        disk: Disk | None = None
        with _Caught() as caught:
            disk = Disk(self._directory, self._options)
            opened = self._load(disk)
        if disk is None or caught.error is not None:
            self._tell(_fail, self._opened, caught.error)
            return
        self._tell(_resolve, self._opened, opened)
        self._serve(disk)
        with _Caught() as caught:
            self._leave(disk)
        if caught.error is None:
            self._tell(_resolve, self._ended, None)
        else:
            self._tell(_fail, self._ended, ReadOnly(self._directory, str(caught.error)))

    def _load(self, disk: Disk) -> Opened:
        for row, record in disk.load():
            self._held[record.key] = _Held(record, row)
        records = [held.record for held in self._held.values()]
        self._revision = self._reserved = max([disk.reserved(), *(record.revision for record in records)])
        disk.free_ballast()  # an old size, or a half-made one
        with _Caught():
            disk.restore_ballast()
        return Opened(records, self._revision)

    def _serve(self, disk: Disk) -> None:
        ending = False
        while not ending:
            writes, ending = self._take()
            group = self._carry_out(disk, writes) if self._broken is None else self._refuse(writes, self._broken)
            if writes:
                self._tell(self._publish, group)
            if self._broken is None:
                self._tidy(disk)

    def _leave(self, disk: Disk) -> None:
        if self._broken is not None:
            disk.abandon()
            return
        if self._reserved != self._revision:
            with suppress(apsw.FullError):  # then the next start leaves a gap in the revisions
                disk.commit(Batch(reserved=self._revision, durable=True))
        disk.close()

    def _take(self) -> tuple[list[Write], bool]:
        writes = [self._queue.get()]
        while len(writes) < GROUP and writes[-1].seal is not None:
            try:
                writes.append(self._queue.get_nowait())
            except Empty:
                return writes, False
        ending = writes[-1].seal is None
        return (writes[:-1] if ending else writes), ending

    def _carry_out(self, disk: Disk, writes: Sequence[Write]) -> Group:
        with _Caught() as caught:
            return self._group(disk, writes)
        if isinstance(caught.error, Full):
            return self._only_deletions(disk, writes, caught.error)
        return self._refuse(writes, self._break(caught.error))

    def _only_deletions(self, disk: Disk, writes: Sequence[Write], full: Full) -> Group:
        """No space: what frees some may use the ballast, and what needs none goes on; the rest fails."""
        disk.free_ballast()
        allowed = [write for write in writes if write.deletes or write.sync is Sync.MEMORY]
        failed = [Outcome(write, error=full) for write in writes if write not in allowed]
        with _Caught() as caught:
            group = self._group(disk, allowed)
            return Group([*group.outcomes, *failed], group.revision)
        if isinstance(caught.error, Full):
            return Group([Outcome(write, error=full) for write in writes], self._revision)
        return self._refuse(writes, self._break(caught.error))

    def _break(self, error: Exception | None) -> ReadOnly:
        """Whatever it was: nothing is acknowledged any more, as nobody knows what the disk has."""
        self._broken = ReadOnly(self._directory, f"{type(error).__name__}: {error}")
        self._broken.__cause__ = error
        return self._broken

    def _refuse(self, writes: Sequence[Write], error: ReadOnly) -> Group:
        return Group([Outcome(write, error=error) for write in writes], self._revision, error)

    def _group(self, disk: Disk, writes: Sequence[Write]) -> Group:
        """Decide and commit. Nothing of it is known to anyone if this raises."""
        staged = _Staged(self._held, self._revision)
        outcomes = [staged.decide(write) for write in writes]
        batch = staged.batch()
        if staged.revision > self._reserved:
            batch.reserved = staged.revision + RESERVE
            batch.durable = True  # else a power loss could give these revisions out again
        if batch:
            try:
                if any(not outcome.write.deletes for outcome in outcomes if outcome.write.sync is not Sync.MEMORY):
                    disk.restore_ballast()
                disk.commit(batch)
            except apsw.FullError as error:
                raise Full(self._directory) from error
        self._reserved = batch.reserved or self._reserved
        self._revision = staged.revision
        staged.settle()
        return Group(outcomes, self._revision)

    def _tidy(self, disk: Disk) -> None:
        with _Caught() as caught:
            disk.tidy()
        if isinstance(caught.error, apsw.FullError):
            disk.free_ballast()  # the WAL keeps everything meanwhile; the next group tries again
        elif caught.error is not None:
            self._tell(self._publish, self._refuse((), self._break(caught.error)))

    def _tell(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)


class _Staged:
    """One group before its commit: the writer's view with the group's writes laid over it."""

    def __init__(self, held: dict[Key, _Held], revision: int) -> None:
        self.revision = revision
        self._held = held
        self._new: dict[Key, _Held | None] = {}
        self._durable = False

    def decide(self, write: Write) -> Outcome:
        """Check the expectation, give the next revision, seal."""
        current = self._new[write.key] if write.key in self._new else self._held.get(write.key)
        if error := _refusal(write, current.record if current else None):
            return Outcome(write, error=error)
        revision = self.revision + 1
        with _Caught() as caught:
            assert write.seal is not None
            value, memo = write.seal(revision)
        if caught.error is not None:
            return Outcome(write, error=caught.error)
        self.revision = revision
        record = Record(write.key, revision, value, memo)
        row = self._row(write, current, revision)
        self._new[write.key] = None if write.deletes else _Held(record, row)
        self._durable |= write.sync is Sync.FULL and row is not None
        return Outcome(write, Change(revision, record, current.record if current else None, write.deletes))

    def batch(self) -> Batch:
        """What has to reach the disk: of several writes to one key only the last."""
        batch = Batch(durable=self._durable)
        for key, held in self._new.items():
            before = self._held.get(key)
            row = before.row if before else None
            if held is not None and held.row is not None:
                batch.rows[held.row] = held.record
            if row is not None and (held is None or held.row != row):
                batch.gone.append(row)
        return batch

    def settle(self) -> None:
        for key, held in self._new.items():
            if held is None:
                self._held.pop(key, None)
            else:
                self._held[key] = held

    def _row(self, write: Write, current: _Held | None, revision: int) -> int | None:
        """Once a record has a row it keeps it: written in memory only, it would come back older after a restart."""
        if current is not None and current.row is not None:
            return current.row
        return None if write.sync is Sync.MEMORY else revision


def _refusal(write: Write, current: Record | None) -> StoreError | None:
    if current is None:
        return Missing(write.key) if write.deletes or write.expect else None
    if write.expect is None or write.expect == current.revision:
        return None
    return Exists(current) if write.expect == 0 else Stale(current)


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[T], error: Exception | None) -> None:
    if not future.done():
        future.set_exception(error or RuntimeError("the store's writer ended before it was open"))
