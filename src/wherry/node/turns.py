"""Who starts next on a node that can start only so many at once: what finishes a pod goes ahead of what begins one.

With every sandbox first, all pods of a rollout would be ready at its end, and none before.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """At most `most` at once; those waiting get their turn in the order in which they came, those `ahead` first."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._ahead: deque[asyncio.Future[None]] = deque()
        self._behind: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, ahead: bool = False) -> AsyncIterator[None]:
        await self._wait(self._ahead if ahead else self._behind)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, queue: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # it was given a turn that it will not take
            raise

    def _pass_on(self) -> None:
        for queue in (self._ahead, self._behind):
            while queue:
                waiting = queue.popleft()
                if not waiting.done():
                    waiting.set_result(None)
                    return
        self._free += 1
