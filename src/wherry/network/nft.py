"""A Ruleset in the kernel: the text of one `nft -f -` transaction (pure), and the call that carries it out.

Only the table `inet NAME` is touched, and it is replaced as a whole: created if missing, deleted, defined anew, in one
transaction. The nat chains see only the first packet of a connection, so whoever is connected stays connected. Whatever
is still addressed to the service range after translation has no Service or no ready endpoint, and is refused.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from wherry import process
from wherry.network.ruleset import Ruleset, Target
from wherry.network.settings import NetworkSettings


def table_name(name: str) -> str:
    """nft has no hyphen in identifiers, Kubernetes no underscore in names: nothing collides."""
    return name.replace("-", "_").replace(".", "_")


def render(rules: Ruleset, settings: NetworkSettings) -> str:
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
        *_detours(rules),
        *(_chain(table_name(name), [_translate(target)]) for name, target in sorted(rules.targets.items())),
        *_hooks(settings, detours=bool(rules.detours)),
    ]
    body = "\n".join(line for block in blocks for line in block)
    # A table must exist to be deleted.
    return f"{table} {{}}\ndelete {table}\n{table} {{\n{body}\n}}\n"


async def apply(text: str) -> None:
    """Carry out the transaction. ProgramError quotes nft and means that nothing has changed."""
    await process.run("nft", "-f", "-", stdin=text.encode())


async def remove(name: str) -> None:
    table = f"table inet {table_name(name)}"
    await apply(f"{table} {{}}\ndelete {table}\n")


def _hooks(settings: NetworkSettings, *, detours: bool) -> Iterable[list[str]]:
    """The chains that the kernel calls."""
    service = "ip daddr . meta l4proto . th dport vmap @services"
    node_port = "fib daddr type local meta l4proto . th dport vmap @node_ports"
    outside = [f'iifname "{settings.bridge}" {node_port}']
    if settings.expose == str(IPv4Address(0)):
        outside = [node_port]
    elif settings.expose:
        outside.append(f"ip daddr {settings.expose} {node_port}")
    yield _chain("prerouting", ["type nat hook prerouting priority dstnat; policy accept;", service, *outside])
    # From 127.0.0.0/8 no packet may leave for a pod (route_localnet stays off), so node ports are not there.
    local = f"ip daddr != 127.0.0.0/8 {node_port}"
    around = ["meta l4proto tcp dnat ip to ip daddr . tcp dport map @detours"] if detours else []
    yield _chain("output", ["type nat hook output priority -100; policy accept;", *around, service, local])
    yield _chain(
        "postrouting",
        [
            "type nat hook postrouting priority srcnat; policy accept;",
            # A pod's answer to another pod (or itself) must pass by here to be translated back.
            f"ip saddr {settings.pods} ip daddr {settings.pods} ct status dnat masquerade",
            f'ip saddr {settings.pods} ip daddr != {settings.pods} oifname != "{settings.bridge}" masquerade',
        ],
    )
    yield _chain("refuse", ["meta l4proto tcp reject with tcp reset", "reject with icmp port-unreachable"])
    refuse = f"ip daddr {settings.services} jump refuse"
    for hook in ("forward", "filter_output"):
        name = hook.removeprefix("filter_")
        yield _chain(hook, [f"type filter hook {name} priority filter; policy accept;", refuse])


def _detours(rules: Ruleset) -> Iterable[list[str]]:
    if rules.detours:
        elements = [f"{at[0]} . {at[1]} : {to[0]} . {to[1]}" for at, to in sorted(rules.detours.items())]
        yield _map("detours", "ipv4_addr . inet_service", elements, value="ipv4_addr . inet_service")


def _translate(target: Target) -> str:
    """The rule that picks one endpoint."""
    choices = ", ".join(f"{index} : {address} . {port}" for index, (address, port) in enumerate(target.endpoints))
    pick = "jhash ip saddr" if target.by_client else "numgen random"
    return f"meta l4proto {target.protocol} dnat ip to {pick} mod {len(target.endpoints)} map {{ {choices} }}"


def _map(name: str, key: str, elements: list[str], *, value: str = "verdict") -> list[str]:
    lines = [f"  map {name} {{", f"    type {key} : {value}"]
    if elements:
        lines += ["    elements = {", *(f"      {element}," for element in elements), "    }"]
    return [*lines, "  }"]


def _chain(name: str, rules: list[str]) -> list[str]:
    return [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]
