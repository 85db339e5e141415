"""Addresses in 127.0.0.0/8 from which the kernel leads this host's packets to pods, without route_localnet.

What a program sends to 127.80.1.2 has the source 127.0.0.1, and no packet with that leaves by a bridge. A route of its
own gives the address another source, the bridge's: then nftables may translate it like any other. The routes are the
machine's register of such addresses as well: where several nodes run, each leaves those of the others alone.
"""

import json
from collections.abc import Collection

from wherry import process
from wherry.network.settings import NetworkSettings


async def taken(settings: NetworkSettings) -> frozenset[str]:
    """Addresses of the pool that have another node's source."""
    gateway = str(settings.gateway)
    return frozenset(address for address, source in (await _routes(settings)).items() if source != gateway)


async def lead(addresses: Collection[str], settings: NetworkSettings) -> None:
    """Make these addresses, and no others of this node, have the bridge's as their source."""
    gateway = str(settings.gateway)
    now = {address for address, source in (await _routes(settings)).items() if source == gateway}
    orders = [f"route del {_local(address)}" for address in sorted(now.difference(addresses))]
    orders += [f"route add {_local(address)} src {gateway}" for address in sorted(set(addresses) - now)]
    if orders:
        await process.run("ip", "-batch", "-", stdin="\n".join([*orders, ""]).encode())


async def _routes(settings: NetworkSettings) -> dict[str, str]:
    """The sources of single addresses in the pool."""
    listed = await process.run("ip", "-j", "route", "show", "table", "local", "root", settings.balancer_addresses)
    routes = json.loads(listed.stdout or "[]")
    return {each["dst"]: each.get("prefsrc", "") for each in routes if "/" not in each["dst"]}


def _local(address: str) -> str:
    return f"local {address}/32 dev lo table local"
