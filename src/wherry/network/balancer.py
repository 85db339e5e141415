"""LoadBalancer Services: which address each gets, and the HAProxy configuration for them. Pure."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

from wherry.network.ruleset import Endpoint, group, ready
from wherry.objects import Obj

HTTP_PORTS = frozenset({80, 8000, 8080, 3000, 5000})
HTTP_PROTOCOLS = frozenset({"http", "kubernetes.io/ws"})
LOOPBACK = "127.0.0.1"
FEWEST = 8  # servers that a frontend has room for
_OUT = 0x23  # the bits of HAProxy's administrative state that keep a server from getting requests

Free = Callable[[str, int], bool]
"""Whether an address and port can be listened at, or is ours already."""


class Around(IntEnum):
    """Whether HAProxy listens at another port than clients use, to which nftables leads them."""

    NEVER = 0
    IF_TAKEN = 1
    ALWAYS = 2


def _always(address: str, port: int) -> bool:
    return True


class Key(NamedTuple):
    namespace: str
    name: str


class Place(NamedTuple):
    """Where a Service is reached, and where HAProxy listens for each of its ports.

    They differ where another program holds the port on all addresses: then nftables leads from one to the other.
    """

    address: str
    listens: Mapping[int, int]  # the Service's port -> HAProxy's


@dataclass(frozen=True)
class Frontend:
    """One port of a LoadBalancer Service."""

    service: Key
    port: int
    binds: tuple[Endpoint, ...]
    http: bool
    servers: tuple[Endpoint, ...]
    sources: tuple[str, ...] = ()  # networks of allowed clients; all if empty

    @property
    def name(self) -> str:
        return f"{self.service.namespace}:{self.service.name}:{self.port}"


Slots = Mapping[str, tuple[Endpoint | None, ...]]
"""By a frontend's name: which endpoint stands at each of its numbered servers."""


def balanced(service: Obj) -> bool:
    """Whether this Service wants a load balancer, and ours."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def assign(
    services: Iterable[Obj], known: Mapping[Key, str], pool: str, free: Free, free_udp: Free = _always
) -> dict[Key, Place]:
    """The place of each LoadBalancer Service: the address it has, else 127.0.0.1, else one of `pool`.

    With UDP it is always one of `pool`: the kernel leads no packet from 127.0.0.1 to a pod. A Service that finds all of
    them taken gets none.
    """
    wanting = sorted(((_key(service), service) for service in services if balanced(service)), key=lambda pair: pair[0])
    wanting.sort(key=lambda pair: pair[0] not in known)  # who has an address keeps it against newcomers
    used: set[tuple[str, int]] = set()
    used_udp: set[tuple[str, int]] = set()
    found: dict[Key, Place] = {}
    for key, service in wanting:
        ports, packets = [port["port"] for port in _tcp(service)], udp_ports(service)
        for address, hidden in _candidates(key, known.get(key), pool):
            there = [(address, port) for port in packets]
            if there and (
                address == LOOPBACK or used_udp.intersection(there) or not all(free_udp(*at) for at in there)
            ):
                continue
            # A kubelet on this machine drops what is sent to 127.0.0.0/8 from elsewhere and is not translated.
            around = Around.ALWAYS if there else Around.IF_TAKEN if hidden else Around.NEVER
            listens = _listens(address, ports, used, free, around)
            if listens is not None:
                found[key] = Place(address, listens)
                used.update((address, number) for pair in listens.items() for number in pair)
                used_udp.update(there)
                break
    return found


def _listens(
    address: str, ports: Iterable[int], used: Container[tuple[str, int]], free: Free, around: Around
) -> dict[int, int] | None:
    """Where to listen for each port at this address: there, or at another port; None if that cannot be."""
    found: dict[int, int] = {}
    for port in ports:
        others = ((20000 + port + step) % 40000 + 20000 for step in range(1, 17)) if around else ()
        for number in (*([] if around is Around.ALWAYS else [port]), *others):
            if (address, port) not in used and (address, number) not in used and free(address, number):
                found[port] = number
                break
        else:
            return None
    return found


def frontends(
    services: Iterable[Obj],
    slices: Iterable[Obj],
    places: Mapping[Key, Place],
    exposed: Mapping[Key, str],
    *,
    gateway: str,
) -> tuple[Frontend, ...]:
    """Every TCP port of the Services that have a place; `exposed` are further addresses.

    `gateway` is this host, like 127.0.0.0/8, where a Service has UDP too.
    """
    by_service = group(slices)
    found = []
    for service in services:
        key = _key(service)
        if key not in places or not balanced(service):
            continue
        ranges = service["spec"].get("loadBalancerSourceRanges") or ()
        sources = (*ranges, gateway) if ranges and udp_ports(service) else tuple(ranges)
        for port in _tcp(service):
            servers = tuple(sorted(set(ready(by_service.get(key, ()), port.get("name") or "", "TCP"))))
            place = places[key]
            binds = [Endpoint(place.address, place.listens[port["port"]])]
            if key in exposed:
                binds.append(Endpoint(exposed[key], port["port"]))
            found.append(Frontend(key, port["port"], tuple(binds), is_http(port), servers, sources))
    return tuple(sorted(found, key=lambda each: (each.service, each.port)))


def expose(
    services: Iterable[Obj], places: Mapping[Key, Place], address: str, free: Free, free_udp: Free = _always
) -> dict[Key, str]:
    """The further address of those Services whose ports are all free there (and no earlier one's)."""
    used: set[tuple[str, int]] = set()
    found: dict[Key, str] = {}
    for key, service in sorted(((_key(service), service) for service in services), key=lambda pair: pair[0]):
        ports = {("TCP", port["port"]) for port in _tcp(service)} | {("UDP", port) for port in udp_ports(service)}
        if not address or key not in places or ports & used:
            continue
        if all((free if protocol == "TCP" else free_udp)(address, port) for protocol, port in ports):
            found[key] = address
            used |= ports
    return found


def detours(places: Mapping[Key, Place]) -> dict[Endpoint, Endpoint]:
    """From the addresses that clients use to those where HAProxy had to listen instead."""
    return {
        Endpoint(place.address, port): Endpoint(place.address, number)
        for place in places.values()
        for port, number in place.listens.items()
        if port != number
    }


def seat(fronts: Iterable[Frontend], before: Slots) -> dict[str, tuple[Endpoint | None, ...]]:
    """A numbered server for each endpoint: who has one keeps it, and there is room for a rollout's new ones."""
    found = {}
    for front in fronts:
        old = before.get(front.name, ())
        seats: list[Endpoint | None] = [each if each in front.servers else None for each in old]
        new = [each for each in front.servers if each not in seats]
        # A seat that was just left is the last to be taken: connections may still be leading there.
        empty = [index for index, each in enumerate(seats) if each is None]
        empty.sort(key=lambda index: old[index] is not None)
        if len(new) > len(empty):
            size = max(FEWEST, 1 << (2 * len(front.servers) - 1).bit_length())
            empty += range(len(seats), size)
            seats += [None] * (size - len(seats))
        for index, endpoint in zip(empty, new, strict=False):
            seats[index] = endpoint
        found[front.name] = tuple(seats or [None] * FEWEST)
    return found


def render(fronts: Iterable[Frontend], slots: Slots, stats_socket: Path) -> str:
    """The configuration of HAProxy."""
    lines = [
        "global",
        f"  stats socket {stats_socket} mode 600 level admin expose-fd listeners",
        "  hard-stop-after 1h",
        "defaults",
        "  balance roundrobin",
        "  option redispatch 1",
        "  option dontlognull",
        "  retries 3",
        "  retry-on conn-failure",  # anything more could repeat a request that had an effect
        "  timeout connect 2s",
        "  timeout client 1h",
        "  timeout server 1h",
        "  timeout tunnel 24h",
        "  timeout http-request 30s",
        "  timeout http-keep-alive 60s",
    ]
    for front in fronts:
        lines += [f"listen {front.name}", *(f"  bind {address}:{port}" for address, port in front.binds)]
        if front.sources:
            lines += [f"  tcp-request connection reject if !{{ src 127.0.0.0/8 {' '.join(front.sources)} }}"]
        if front.http:
            # Idle connections to a pod would keep it from draining: they end with each answer. Those of clients outlive
            # a reload until their next answer, as closing one may cross with a request.
            lines += [
                "  mode http",
                "  option forwardfor",
                "  option http-server-close",
                "  option idle-close-on-response",
            ]
        else:
            lines += ["  mode tcp"]
        lines += [f"  server {name} {_at(endpoint)}" for name, endpoint in _servers(slots[front.name])]
    return "\n".join(lines) + "\n"


def seats(config: str) -> dict[str, tuple[Endpoint | None, ...]]:
    """Who stands where in a configuration made by `render`."""
    found: dict[str, list[Endpoint | None]] = {}
    for words in map(str.split, config.splitlines()):
        if words[0] == "listen":
            found[words[1]] = latest = []
        elif words[0] == "server":
            address, _, port = words[2].rpartition(":")
            latest.append(None if words[3:] == ["disabled"] else Endpoint(address, int(port)))
    return {name: tuple(each) for name, each in found.items()}


def shape(config: str) -> str:
    """A configuration without its endpoints: while this is the same, HAProxy can be told the rest as it runs."""
    lines = config.splitlines()
    return "\n".join(
        line.rpartition("  server ")[1] + line.split()[1] if "  server " in line else line for line in lines
    )


def orders(before: Slots, after: Slots) -> list[str]:
    """What to tell the running HAProxy, servers that leave first."""
    leaving, coming = [], []
    for name, now in after.items():
        for (server, endpoint), old in zip(_servers(now), before[name], strict=True):
            if endpoint == old:
                continue
            if old is not None:
                leaving.append(f"set server {name}/{server} state maint")
            if endpoint is not None:
                coming.append(f"set server {name}/{server} addr {endpoint.address} port {endpoint.port}")
                coming.append(f"set server {name}/{server} state ready")
    return [*leaving, *coming]


def obeyed(state: str, slots: Slots) -> bool:
    """Whether the answer to `show servers state` says that everybody stands where they should."""
    found: dict[tuple[str, str], Endpoint | None] = {}
    for words in map(str.split, state.splitlines()):
        if len(words) > 18 and words[0] != "#":
            out = int(words[6]) & _OUT
            found[words[1], words[3]] = None if out else Endpoint(words[4], int(words[18]))
    return all(
        found.get((name, server), False) == each for name, all in slots.items() for server, each in _servers(all)
    )


def _servers(endpoints: Iterable[Endpoint | None]) -> Iterator[tuple[str, Endpoint | None]]:
    return ((f"s{number}", endpoint) for number, endpoint in enumerate(endpoints, 1))


def _at(endpoint: Endpoint | None) -> str:
    return f"{endpoint.address}:{endpoint.port}" if endpoint else "127.0.0.1:1 disabled"


def is_http(port: Mapping[str, Any]) -> bool:
    """By the appProtocol, else by the name, else by the number."""
    protocol, name = port.get("appProtocol"), port.get("name") or ""
    if protocol:
        return str(protocol).lower() in HTTP_PROTOCOLS
    if name == "http" or name.startswith("http-"):
        return True
    return not name.startswith("https") and port["port"] in HTTP_PORTS


def bound(config: str) -> dict[tuple[str, int], str]:
    """The addresses and ports that a configuration made by `render` listens at, and for which frontend."""
    found, name = {}, ""
    for words in map(str.split, config.splitlines()):
        if words[0] == "listen":
            name = words[1]
        elif words[0] == "bind":
            address, _, port = words[1].rpartition(":")
            found[address, int(port)] = name
    return found


def _key(service: Obj) -> Key:
    return Key(service["metadata"]["namespace"], service["metadata"]["name"])


def _tcp(service: Obj) -> Iterator[Mapping[str, Any]]:
    """HAProxy carries no other protocol."""
    return (port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP")


def udp_ports(service: Obj) -> list[int]:
    return [port["port"] for port in service["spec"].get("ports") or () if port.get("protocol") == "UDP"]


def _candidates(key: Key, known: str | None, pool: str) -> Iterator[tuple[str, bool]]:
    """Addresses in the order in which they are tried, and whether HAProxy may listen at another port there.

    The pool is tried from a place that hangs on the Service's name.
    """
    network = IPv4Network(pool)
    usable = [known] if known and _within(known, network) else []  # a status can say anything
    yield from ((address, False) for address in (*usable, LOOPBACK))
    size = network.num_addresses - 2
    start = int.from_bytes(sha256("/".join(key).encode()).digest()[:4], "big") % size
    own = [str(network[1 + (start + step) % size]) for step in range(min(size, 256))]
    yield from ((address, False) for address in own)
    # Somebody listens on all addresses of the machine.
    yield from ((address, True) for address in (*usable, *own))


def _within(address: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(address) in network
    except ValueError:
        return False
