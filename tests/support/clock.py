"""A clock that jumps: while nothing else can run, its time goes straight to the next sleeper's moment."""

import asyncio
import concurrent.futures
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


class JumpingClock:
    """`Clock` for tests. Within `running()` sleeps end as soon as every other task waits."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._new = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, self._count, future))
        self._new.set()
        await future

    @asynccontextmanager
    async def running(self) -> AsyncIterator["JumpingClock"]:
        loop = asyncio.get_running_loop()
        executor = _Inline()
        loop.set_default_executor(executor)
        driver = asyncio.create_task(self._drive(loop))
        try:
            yield self
        finally:
            driver.cancel()
            executor.shutdown()

    async def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        ready: Any = getattr(loop, "_ready")  # noqa: B009  the loop tells nobody else that it is idle
        while True:
            await asyncio.sleep(0)
            if ready:
                continue
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers:
                self._new.clear()
                await self._new.wait()
                continue
            moment, _, future = heapq.heappop(self._sleepers)
            self._passed = max(self._passed, moment)
            future.set_result(None)


class _Inline(concurrent.futures.ThreadPoolExecutor):
    """Runs what is handed to a thread at once, so that an idle loop is really idle."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "concurrent.futures.Future[Any]":
        future = super().submit(fn, *args, **kwargs)
        concurrent.futures.wait([future])
        return future


async def until(clock: JumpingClock, holds: Callable[[], object], *, seconds: float = 3600.0) -> None:
    """Wait, in the clock's time, until it holds; fails after `seconds`."""
    last = clock.monotonic() + seconds
    step = 0.001
    while not holds():
        if clock.monotonic() > last:
            raise AssertionError(f"not within {seconds:g} s")
        await clock.sleep(step)
        step = min(step * 1.5, 1.0)
