"""Keys that want to be looked at: each at most once at a time, in order, also later (client-go: workqueue).

Fair (first come, first served), stingy (a key added many times before it is taken comes once), and a key that is added
while it is worked on comes again afterwards. One reader.
"""

import asyncio
import heapq

from wherry.clock import Clock
from wherry.objects import Ref


class Queue:
    """A set of due keys in order, and a heap of those that become due later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[Ref, None] = {}
        self._later: list[tuple[float, Ref]] = []
        self._wanted: dict[Ref, float] = {}  # the earliest time in the heap that counts, by key
        self._wake = asyncio.Event()

    def add(self, ref: Ref) -> None:
        """Look at `ref` as soon as its turn comes."""
        self._due[ref] = None
        self._wake.set()

    def add_after(self, ref: Ref, seconds: float) -> None:
        """Look at `ref` in `seconds`; of several such wishes the earliest holds."""
        at = self._clock.monotonic() + seconds
        if self._wanted.get(ref, at + 1) > at:
            self._wanted[ref] = at
            heapq.heappush(self._later, (at, ref))
            self._wake.set()

    async def next(self) -> Ref:
        """The next key that is due; waits for it."""
        while True:
            wait = self._ripen()
            if self._due:
                ref = next(iter(self._due))
                del self._due[ref]
                return ref
            self._wake.clear()
            if wait is None:
                await self._wake.wait()
                continue
            sleeper = asyncio.ensure_future(self._clock.sleep(wait))
            waker = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeper.cancel()
                waker.cancel()

    def _ripen(self) -> float | None:
        """Move what is due; the seconds until the next is, or None when nothing is planned."""
        now = self._clock.monotonic()
        while self._later:
            at, ref = self._later[0]
            if self._wanted.get(ref) != at:
                heapq.heappop(self._later)  # an earlier wish has replaced it
            elif at <= now:
                heapq.heappop(self._later)
                del self._wanted[ref]
                self._due[ref] = None
            else:
                return at - now
        return None
