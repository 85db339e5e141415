"""Who is still connected to a pod, from the kernel's connection tracking."""

import asyncio
from collections.abc import Iterable

from wherry import process
from wherry.network.ruleset import Endpoint

LIVE = frozenset({"SYN_RECV", "ESTABLISHED", "FIN_WAIT"})
_PAUSE = 0.02  # seconds between two looks


def answering(dump: str) -> frozenset[str]:
    """The addresses that live TCP connections are answered from, of what `conntrack -L` prints."""
    found = set()
    for line in dump.splitlines():
        words = line.split()
        sources = [word[4:] for word in words if word.startswith("src=")]
        if len(sources) == 2 and LIVE.intersection(words[:5]):
            found.add(sources[1])
    return frozenset(found)


async def forget_udp(gone: Iterable[Endpoint]) -> None:
    """Let UDP clients of endpoints that are gone be translated anew: their entries would live as long as they send."""
    for address, port in gone:
        # Fails when there is nothing to delete.
        where = ("--reply-src", address, "--reply-port-src", str(port))
        await process.run("conntrack", "-D", "-p", "udp", *where, check=False)


class Connections:
    """Waits for pods to be left by their clients; all who wait share one look at the table."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._looking: asyncio.Task[None] | None = None

    async def drained(self, address: str) -> None:
        """Return when no live TCP connection is answered from `address`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = address
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await future
        finally:
            self._waiting.pop(future, None)

    async def _look(self) -> None:
        while self._waiting:
            asked = dict(self._waiting)  # who comes later needs a later look
            try:
                live = answering((await process.run("conntrack", "-L", "-p", "tcp")).stdout)
            except process.ProgramError as error:
                for future in asked:
                    if not future.done():
                        future.set_exception(error)
                    self._waiting.pop(future, None)
                continue
            for future, address in asked.items():
                if address not in live:
                    self._waiting.pop(future, None)
                    if not future.done():
                        future.set_result(None)
            if self._waiting:
                await asyncio.sleep(_PAUSE)
