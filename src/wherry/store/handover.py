"""Lets the writer thread run beside a busy event loop.

A loop that never rests gives the interpreter's lock away only for an instant in each round, too short for another
thread to wake up and take it: measured, commits of 0.2 ms then waited for seconds. So while writes wait and none was
published for a while, the loop rests, briefly. With nothing to wait for there is no timer.
"""

import asyncio
import time

PATIENCE = 0.001
REST = 0.0002


class Handover:
    """Counts the writes under way. All on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    def asked(self) -> None:
        self._waiting += 1
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._rest)

    def published(self, writes: int) -> None:
        self._waiting -= writes
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(PATIENCE, self._rest) if self._waiting else None

    def _rest(self) -> None:
        time.sleep(REST)  # on purpose: this is what gives the lock away
        self._timer = self._loop.call_later(PATIENCE, self._rest)
