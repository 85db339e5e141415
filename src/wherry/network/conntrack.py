"""The kernel's memory of connections, where it would outlive what it leads to."""

from collections.abc import Iterable

from wherry import process
from wherry.network.ruleset import Endpoint


async def forget_udp(gone: Iterable[Endpoint]) -> None:
    """Let UDP clients of endpoints that are gone be translated anew: their entries would live as long as they send."""
    for address, port in gone:
        # Fails when there is nothing to delete.
        where = ("--reply-src", address, "--reply-port-src", str(port))
        await process.run("conntrack", "-D", "-p", "udp", *where, check=False)
