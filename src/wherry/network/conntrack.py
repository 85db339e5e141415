"""The kernel's memory of connections, where it would outlive what it leads to."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry import process
from wherry.network.ruleset import Endpoint

_OPENING = ("-p", "tcp", "--state", "SYN_SENT")
_IN_VAIN = re.compile(r"\bdst=(\S+) [^\[\n]*\[UNREPLIED\]")
_REPLY = re.compile(r"\bsrc=\S+ .*?\bsrc=(\S+)")


async def forget_udp(gone: Iterable[Endpoint]) -> None:
    """Let UDP clients of endpoints that are gone be translated anew: their entries would live as long as they send."""
    for address, port in gone:
        # Fails when there is nothing to delete.
        where = ("--reply-src", address, "--reply-port-src", str(port))
        await process.run("conntrack", "-D", "-p", "udp", *where, check=False)


async def forget_unled(ports: Iterable[int]) -> None:
    """Let UDP clients be translated who have sent to these ports, in vain, before that led anywhere."""
    for port in ports:
        listed = await process.run("conntrack", "-L", "-p", "udp", "--orig-port-dst", str(port), check=False)
        for address in sorted(set(_IN_VAIN.findall(listed.stdout))):
            where = ("--orig-dst", address, "--orig-port-dst", str(port))
            await process.run("conntrack", "-D", "-p", "udp", *where, check=False)


@dataclass
class Unanswered:
    """First packets that a pod has not answered (its queue was full): repeated, they would go to it still."""

    _wanted: set[str] = field(default_factory=set)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def forget(self, address: str) -> None:
        """Let their senders be translated anew. Those who ask at the same time share one look at the table."""
        self._wanted.add(address)
        async with self._looking:
            if address not in self._wanted:
                return
            wanted, self._wanted = self._wanted, set()
            listed = await process.run("conntrack", "-L", *_OPENING, check=False)
            for each in wanted & set(_REPLY.findall(listed.stdout)):
                await process.run("conntrack", "-D", *_OPENING, "--reply-src", each, check=False)
