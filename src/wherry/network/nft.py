"""A Ruleset in the kernel: the text of one transaction (pure), for `libnftables` to carry out.

Only the table `inet NAME` is touched, and it is replaced as a whole: created if missing, deleted, defined anew, in one
transaction. The nat chains see only the first packet of a connection, so whoever is connected stays connected. Whatever
is still addressed to the service range after translation has no Service or no ready endpoint, and is refused.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from wherry import process
from wherry.network.ruleset import ANY, Ruleset, Target
from wherry.network.settings import NetworkSettings


def table_name(name: str) -> str:
    """nft has no hyphen in identifiers, Kubernetes no underscore in names: nothing collides."""
    return name.replace("-", "_").replace(".", "_")


@dataclass(frozen=True)
class Kernel:
    """What the text depends on beside the rules."""

    sees_bridged: bool = False  # packets between ports of the bridge pass the nat chains too (br_netfilter)
    remembered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # affinity set -> client -> seconds left


def render(rules: Ruleset, settings: NetworkSettings, kernel: Kernel = Kernel()) -> str:
    """The transaction that makes the table be these rules."""
    table = f"table inet {table_name(settings.name)}"
    services = [
        f"{at.address} . {at.protocol} . {at.port} : goto {table_name(name)}"
        for at, name in sorted(rules.services.items())
    ]
    ports = [f"{at.protocol} . {at.port} : goto {table_name(name)}" for at, name in sorted(rules.node_ports.items())]
    blocks = [
        _map("services", "ipv4_addr . inet_proto . inet_service", services),
        _map("node_ports", "inet_proto . inet_service", ports),
        *_host_ports(rules),
        *_detours(rules),
        *_hairpins(rules),
        *(block for name, target in sorted(rules.targets.items()) for block in _target(name, target, settings, kernel)),
        *_hooks(rules, settings, kernel),
    ]
    body = "\n".join(line for block in blocks for line in block)
    # A table must exist to be deleted.
    return f"{table} {{}}\ndelete {table}\n{table} {{\n{body}\n}}\n"


async def remembered(name: str) -> dict[str, dict[str, int]]:
    """Which clients the affinity sets of the table know, and for how many seconds more."""
    done = await process.run("nft", "-j", "list", "table", "inet", table_name(name), check=False)
    return affinities(done.stdout) if not done.code else {}


def affinities(listing: str) -> dict[str, dict[str, int]]:
    """The sets with expiring elements, of what `nft -j list table` prints."""
    found: dict[str, dict[str, int]] = {}
    for item in json.loads(listing)["nftables"]:
        elements = (item.get("set") or {}).get("elem") or ()
        clients = [each["elem"] for each in elements if isinstance(each, dict) and "elem" in each]
        left = {str(each["val"]): int(each["expires"]) for each in clients if each.get("expires")}
        if left:
            found[item["set"]["name"]] = left
    return found


def removal(name: str) -> str:
    """The transaction that takes the table away, if it is there."""
    table = f"table inet {table_name(name)}"
    return f"{table} {{}}\ndelete {table}\n"


def _hooks(rules: Ruleset, settings: NetworkSettings, kernel: Kernel) -> Iterable[list[str]]:
    """The chains that the kernel calls."""
    service = "ip daddr . meta l4proto . th dport vmap @services"
    at = "ip daddr . meta l4proto . th dport vmap @host_addresses"
    local = "fib daddr type local meta l4proto . th dport vmap"
    # To 127.0.0.0/8 no packet comes from elsewhere, and none from there leaves for a pod (route_localnet stays off).
    away = "ip daddr != 127.0.0.0/8"
    host = [f"{away} {local} @host_ports"] if rules.host_ports else []
    inward = [*([f"{away} {at}"] if host else []), *host, f"{local} @node_ports"]
    outside = [f'iifname "{settings.bridge}" {rule}' for rule in inward]
    if settings.expose == str(IPv4Address(0)):
        outside = inward
    elif settings.expose:
        outside += [f"ip daddr {settings.expose} {rule}" for rule in inward]
    yield _chain("prerouting", ["type nat hook prerouting priority dstnat; policy accept;", service, *outside])
    around = ["meta l4proto tcp dnat ip to ip daddr . tcp dport map @detours"] if rules.detours else []
    # Balancers' addresses in 127.0.0.0/8 work from this host: `loopback` gives its packets to them another source.
    own = [*([at] if host else []), *host, f"{away} {local} @node_ports"]
    yield _chain("output", ["type nat hook output priority -100; policy accept;", *around, service, *own])
    # A pod's answer to itself must pass by here to be translated back, and to others where bridged packets do not.
    pair = "ip saddr . ip daddr @hairpins"
    if not kernel.sees_bridged:
        pair = f"ip saddr {settings.pods} ip daddr {settings.pods}"
    # By lo goes what this host sends from the bridge's address to a balancer's.
    outward = f'ip saddr {settings.pods} ip daddr != {settings.pods} oifname != {{ "lo", "{settings.bridge}" }}'
    yield _chain(
        "postrouting",
        [
            "type nat hook postrouting priority srcnat; policy accept;",
            f"{pair} ct status dnat masquerade",
            f"{outward} masquerade",
        ],
    )
    yield _chain("refuse", ["meta l4proto tcp reject with tcp reset", "reject with icmp port-unreachable"])
    refuse = f"ip daddr {settings.services} jump refuse"
    for hook in ("forward", "filter_output"):
        name = hook.removeprefix("filter_")
        yield _chain(hook, [f"type filter hook {name} priority filter; policy accept;", refuse])


def _host_ports(rules: Ruleset) -> Iterable[list[str]]:
    """At one address, and at all of them. Who returns from the chain goes to whoever listens on this machine."""
    if not rules.host_ports:
        return
    verdicts = [(at, f"goto {table_name(name)}" if name else "return") for at, name in sorted(rules.host_ports.items())]
    one = [f"{at.address} . {at.protocol} . {at.port} : {verdict}" for at, verdict in verdicts if at.address != ANY]
    all = [f"{at.protocol} . {at.port} : {verdict}" for at, verdict in verdicts if at.address == ANY]
    yield _map("host_addresses", "ipv4_addr . inet_proto . inet_service", one)
    yield _map("host_ports", "inet_proto . inet_service", all)


def _detours(rules: Ruleset) -> Iterable[list[str]]:
    if rules.detours:
        elements = [f"{at[0]} . {at[1]} : {to[0]} . {to[1]}" for at, to in sorted(rules.detours.items())]
        yield _map("detours", "ipv4_addr . inet_service", elements, value="ipv4_addr . inet_service")


def _hairpins(rules: Ruleset) -> Iterable[list[str]]:
    addresses = sorted({endpoint.address for endpoint in rules.endpoints()})
    yield _set("hairpins", "type ipv4_addr . ipv4_addr", [f"{address} . {address}" for address in addresses])


def _target(name: str, target: Target, settings: NetworkSettings, kernel: Kernel) -> Iterable[list[str]]:
    """The chain that picks one endpoint; with affinity also each endpoint's clients, and how they are led to it."""
    chain, ends = table_name(name), target.endpoints
    # This host itself is always allowed, as it is by HAProxy.
    allowed = ", ".join(("127.0.0.0/8", str(settings.gateway), *target.sources))
    only = [f"ip saddr != {{ {allowed} }} drop"] if target.sources else []
    if not target.affinity_seconds:
        choices = ", ".join(f"{index} : {address} . {port}" for index, (address, port) in enumerate(ends))
        pick = f"numgen random mod {len(ends)} map {{ {choices} }}"
        yield _chain(chain, [*only, f"meta l4proto {target.protocol} dnat ip to {pick}"])
        return
    own = [f"{chain}/{address}/{port}" for address, port in ends]
    for (address, port), each in zip(ends, own, strict=True):
        seconds = target.affinity_seconds
        known = [
            f"{client} timeout {seconds}s expires {min(left, seconds)}s"
            for client, left in sorted(kernel.remembered.get(each, {}).items())
        ]
        yield _set(each, f"type ipv4_addr; flags dynamic,timeout; timeout {seconds}s", known)
        lead = f"meta l4proto {target.protocol} dnat ip to {address}:{port}"
        yield _chain(each, [f"update @{each} {{ ip saddr }}", lead])
    choices = ", ".join(f"{index} : goto {each}" for index, each in enumerate(own))
    returning = [f"ip saddr @{each} goto {each}" for each in own]
    yield _chain(chain, [*only, *returning, f"numgen random mod {len(own)} vmap {{ {choices} }}"])


def _set(name: str, words: str, elements: list[str]) -> list[str]:
    lines = [f"  set {name} {{", f"    {words}"]
    if elements:
        lines += ["    elements = {", *(f"      {element}," for element in elements), "    }"]
    return [*lines, "  }"]


def _map(name: str, key: str, elements: list[str], *, value: str = "verdict") -> list[str]:
    lines = [f"  map {name} {{", f"    type {key} : {value}"]
    if elements:
        lines += ["    elements = {", *(f"      {element}," for element in elements), "    }"]
    return [*lines, "  }"]


def _chain(name: str, rules: list[str]) -> list[str]:
    return [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]
