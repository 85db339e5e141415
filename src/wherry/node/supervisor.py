"""containerd kept alive: started again whenever it ends, with a growing pause where it does not stay up.

Containers run on meanwhile. The node says NotReady only if containerd stays away: a moment's absence must not take its
pods out of the routing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from wherry.clock import Clock
from wherry.process import ProgramError

log = logging.getLogger("wherry.node")

FIRST_PAUSE, LAST_PAUSE = 0.1, 30.0  # seconds
STEADY_SECONDS = 60.0  # after so long the pause is the first again
PATIENCE_SECONDS = 10.0  # how long containerd may be away until the node is NotReady


class Supervised(Protocol):
    async def start(self) -> None: ...

    async def wait(self) -> None: ...


Tell = Callable[[str], Awaitable[None]]
"""What is wrong with the runtime; "" when nothing is."""


@dataclass
class Supervisor:
    containerd: Supervised
    clock: Clock
    tell: Tell
    _pause: float = FIRST_PAUSE

    async def run(self) -> None:
        """Until cancelled; containerd runs on after that."""
        while True:
            up = self.clock.monotonic()
            await self.containerd.wait()
            if self.clock.monotonic() - up > STEADY_SECONDS:
                self._pause = FIRST_PAUSE
            log.warning("containerd has ended; it is started again in %g s", self._pause)
            complaint = asyncio.create_task(self._complain())
            try:
                await self._restart()
            finally:
                complaint.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await complaint
            log.info("containerd is up again")
            await self.tell("")

    async def _restart(self) -> None:
        while True:
            await self.clock.sleep(self._pause)
            self._pause = min(self._pause * 2, LAST_PAUSE)
            try:
                await self.containerd.start()
            except ProgramError as error:
                log.error("%s; tried again in %g s", error, self._pause)
            else:
                return

    async def _complain(self) -> None:
        await self.clock.sleep(PATIENCE_SECONDS)
        await self.tell("container runtime is down")
