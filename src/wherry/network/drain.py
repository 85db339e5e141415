"""Waits until a pod's clients have their answers. That no new connection comes is settled before.

A client that keeps one connection and sends request after request on it would hold the pod for ever: after a while its
connection is closed between two requests, which every pool of connections takes for what it is.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from wherry.clock import Clock
from wherry.network.sockets import Connection, Namespaces, PodSockets, State, listening, served

log = logging.getLogger("wherry.network")

PAUSE = 0.02  # seconds between two looks
LONGEST_PAUSE = 0.25  # a request that takes long is not looked at so often
PATIENCE = 2.0  # seconds until connections in constant use are closed between two requests
ARRIVED = 12  # milliseconds after which what was sent is with the client, and more of it would have followed
LOOKS = 2  # without anybody served, one after the other: a packet may be on its way at the first


@dataclass
class Drain:
    """One pod's drain: `look` may be called again and again, and says whether it is over."""

    sockets: PodSockets
    address: str
    ports: frozenset[int] = frozenset()
    clear: int = 0  # looks that found nobody served
    first: dict[bytes, int] = field(default_factory=dict)  # segments received when first seen

    def look(self, *, closing: bool) -> bool:
        """Blocking, for a moment. Raises OSError."""
        connections = self.sockets.connections()
        self.ports |= listening(connections)
        busy = served(connections, self.address, self.ports)
        if closing:
            busy = [each for each in busy if not self._closed(each)]
        for each in busy:
            self.first.setdefault(each.identity, each.received)
        self.clear = 0 if busy else self.clear + 1
        return self.clear >= LOOKS

    def _closed(self, connection: Connection) -> bool:
        """Close it if it is in constant use and nobody owes anything on it at this moment."""
        used = connection.received > self.first.get(connection.identity, connection.received)
        # The answer need not be confirmed: clients do that with their next request. It has arrived long since, though.
        answered = not connection.unread and connection.sent_ago < connection.received_ago
        between = answered and connection.sent_ago >= ARRIVED and connection.state == State.ESTABLISHED
        return used and between and self.sockets.close_connection(connection)


async def drained(namespaces: Namespaces, address: str, clock: Clock) -> None:
    """Return when no client of the pod at `address` waits for an answer. Raises OSError if the kernel cannot tell."""
    sockets = await asyncio.to_thread(namespaces.open, address)
    if sockets is None:  # it has never run, or has ended
        return
    drain, started, pause = Drain(sockets, address), clock.monotonic(), PAUSE
    try:
        while not await asyncio.to_thread(drain.look, closing=clock.monotonic() - started > PATIENCE):
            await clock.sleep(pause)
            if clock.monotonic() - started > 2 * PATIENCE:
                pause = min(pause * 1.2, LONGEST_PAUSE)
    finally:
        sockets.close()
