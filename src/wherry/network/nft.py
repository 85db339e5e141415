"""A Ruleset in the kernel: nftables commands (pure), and one `nft -f -` transaction that carries them out.

Only the table `inet NAME` is touched. Changes are sent as the difference to what was applied last, so that a thousand
Services cost nothing when one of them changes, and so that the memory of session affinity stays; where that fails (as
someone else has removed the table) the whole table is replaced.

Two facts shape the rules. The translating (nat) chains see only the first packet of a connection: who is connected
stays connected. And what is still addressed to the service range after them has no Service, or no ready endpoint.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from wherry.network.ruleset import Endpoint, Ruleset, Settings, Target
from wherry.process import ProgramError, run


class Packets(Protocol):
    """Whoever routes packets by a Ruleset: the kernel, or a test's model of it."""

    async def apply(self, rules: Ruleset) -> None:
        """Return when every new connection is routed by exactly these rules. Atomic."""
        ...

    async def clear(self) -> None:
        """Forget everything: as if it had never been here."""
        ...


class Nft:
    """The kernel's nftables, by the `nft` program."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._applied: Ruleset | None = None
        self._lock = asyncio.Lock()

    async def apply(self, rules: Ruleset) -> None:
        async with self._lock:
            before, self._applied = self._applied, None  # a failure leaves us not knowing what the kernel has
            if before is not None and await self._changed(before, rules):
                self._applied = rules
                return
            await run("nft", "-f", "-", stdin=replace(rules, self._settings).encode())
            self._applied = rules

    async def _changed(self, before: Ruleset, rules: Ruleset) -> bool:
        commands = "".join(f"{line}\n" for line in change(before, rules, self._settings))
        if not commands:
            return True
        done = await run("nft", "-f", "-", stdin=commands.encode(), check=False)
        return done.code == 0

    def forget(self) -> None:
        """The table may have been changed by others: replace it whole next time."""
        self._applied = None

    async def present(self) -> bool:
        """Whether the kernel has our table."""
        done = await run("nft", "list", "tables", "inet")
        return f"table inet {self._settings.table}" in done.stdout.splitlines()

    async def clear(self) -> None:
        async with self._lock:
            self._applied = None
            if await self.present():
                await run("nft", "delete", "table", "inet", self._settings.table)


def replace(rules: Ruleset, settings: Settings) -> str:
    """One transaction: our table, from whatever there was to exactly these rules."""
    table = f"inet {settings.table}"
    lines = [f"add table {table}", f"delete table {table}", f"add table {table}"]
    lines += _base(settings)
    lines += change(Ruleset(), rules, settings)
    return "\n".join(lines) + "\n"


def _base(settings: Settings) -> Iterator[str]:
    """What does not depend on any Service: the maps, the hooks, and what pods may not do."""
    table = f"inet {settings.table}"
    yield f"add map {table} services {{ type ipv4_addr . inet_proto . inet_service : verdict; }}"
    yield f"add map {table} node_ports {{ type inet_proto . inet_service : verdict; }}"
    yield f"add map {table} redirects {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; }}"
    yield f"add set {table} pods_behind_services {{ type ipv4_addr . ipv4_addr; }}"
    yield f"add set {table} others_behind_services {{ type ipv4_addr . inet_service; }}"
    for chain, hook, rules in _hooks(settings):
        yield f"add chain {table} {chain}{f' {{ {hook}; policy accept; }}' if hook else ''}"
        yield from (f"add rule {table} {chain} {rule}" for rule in rules)


def _hooks(settings: Settings) -> Iterable[tuple[str, str, list[str]]]:
    """Our chains in the order in which a packet meets them: name, where it hooks in, rules."""
    bridge, services, pods = settings.bridge, settings.services, settings.pods
    service = f"ip daddr {services} ip daddr . meta l4proto . th dport vmap @services"
    node_port = "meta l4proto . th dport vmap @node_ports"
    at_node = "fib daddr type local"
    exposed = {"": [], "0.0.0.0": [f"{at_node} {node_port}"]}.get(  # noqa: S104 - a comparison, nothing is bound here
        settings.expose, [f"ip daddr {settings.expose} {node_port}"]
    )
    # A pod may only send from the pods' network, and connections to ourselves are never carried onto the bridge.
    yield "refuse", "", ["meta l4proto tcp reject with tcp reset", "reject with icmpx type port-unreachable"]
    yield (
        "source",
        "type filter hook prerouting priority raw",
        [f"iifname {bridge} ip saddr != {{ {pods}, 0.0.0.0 }} drop"],
    )
    yield (
        "prerouting",
        "type nat hook prerouting priority dstnat",
        [service, f"iifname {bridge} {at_node} {node_port}", *exposed],
    )
    yield (
        "output",
        "type nat hook output priority -100",
        # Never from 127.0.0.1 to a pod: it would take route_localnet, which opens every loopback service to the pods.
        [
            service,
            "ip daddr . th dport != 0 drop" if False else "ip daddr 127.0.0.0/8 meta l4proto tcp dnat ip to "
            "ip daddr . th dport map @redirects",
            f"ip daddr != 127.0.0.0/8 {at_node} {node_port}",
        ],
    )
    refused = f"ip daddr {services} goto refuse"
    closed = [f"iifname {bridge} ip daddr {{ {', '.join(map(str, settings.closed))} }} goto refuse"]
    yield "forward", "type filter hook forward priority filter", [refused, *(closed if settings.closed else [])]
    yield "outgoing", "type filter hook output priority filter", [refused]
    yield "postrouting", "type nat hook postrouting priority srcnat", _masquerade(settings)
