"""LoadBalancer Services: which address each gets, and the HAProxy configuration for them. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

from wherry.network.ruleset import Endpoint, group, ready
from wherry.objects import Obj

HTTP_PORTS = frozenset({80, 8000, 8080, 3000, 5000})
HTTP_PROTOCOLS = frozenset({"http", "kubernetes.io/ws"})
LOOPBACK = "127.0.0.1"

Free = Callable[[str, int], bool]
"""Whether an address and port can be listened at, or is ours already."""


class Key(NamedTuple):
    namespace: str
    name: str


@dataclass(frozen=True)
class Frontend:
    """One port of a LoadBalancer Service."""

    service: Key
    port: int
    address: str
    http: bool
    servers: tuple[Endpoint, ...]


def balanced(service: Obj) -> bool:
    """Whether this Service wants a load balancer, and ours."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def assign(services: Iterable[Obj], known: Mapping[Key, str], pool: str, free: Free) -> dict[Key, str]:
    """The address of each LoadBalancer Service: the one it has, else 127.0.0.1, else one of `pool`.

    A Service that finds all of them taken gets none.
    """
    wanting = sorted(((_key(service), service) for service in services if balanced(service)), key=lambda pair: pair[0])
    wanting.sort(key=lambda pair: pair[0] not in known)  # who has an address keeps it against newcomers
    used: set[tuple[str, int]] = set()
    found: dict[Key, str] = {}
    for key, service in wanting:
        ports = [port["port"] for port in _tcp(service)]
        for address in _candidates(key, known.get(key), pool):
            if all((address, port) not in used and free(address, port) for port in ports):
                found[key] = address
                used.update((address, port) for port in ports)
                break
    return found


def frontends(services: Iterable[Obj], slices: Iterable[Obj], addresses: Mapping[Key, str]) -> tuple[Frontend, ...]:
    """Every port of the Services that have an address."""
    by_service = group(slices)
    found = []
    for service in services:
        key = _key(service)
        if key not in addresses or not balanced(service):
            continue
        for port in _tcp(service):
            servers = tuple(sorted(set(ready(by_service.get(key, ()), port.get("name") or "", "TCP"))))
            found.append(Frontend(key, port["port"], addresses[key], is_http(port), servers))
    return tuple(sorted(found, key=lambda each: (each.service, each.port)))


def is_http(port: Mapping[str, Any]) -> bool:
    """By the appProtocol, else by the name, else by the number."""
    protocol, name = port.get("appProtocol"), port.get("name") or ""
    if protocol:
        return str(protocol).lower() in HTTP_PROTOCOLS
    if name == "http" or name.startswith("http-"):
        return True
    return not name.startswith("https") and port["port"] in HTTP_PORTS


def render(fronts: Iterable[Frontend], stats_socket: Path) -> str:
    """The configuration of HAProxy."""
    lines = [
        "global",
        f"  stats socket {stats_socket} mode 600 level admin expose-fd listeners",
        "  hard-stop-after 1h",
        "defaults",
        "  balance roundrobin",
        "  option redispatch",
        "  option dontlognull",
        "  retries 3",
        "  retry-on conn-failure",  # anything more could repeat a request that had an effect
        "  timeout connect 2s",
        "  timeout client 1h",
        "  timeout server 1h",
        "  timeout tunnel 24h",
        "  timeout http-request 30s",
    ]
    for front in fronts:
        name = f"{front.service.namespace}/{front.service.name}/{front.port}".replace("/", ":")
        lines += [f"listen {name}", f"  bind {front.address}:{front.port}"]
        if front.http:
            # Idle connections to a pod would keep it from draining: they end with each answer.
            lines += ["  mode http", "  option forwardfor", "  option http-server-close"]
        else:
            lines += ["  mode tcp"]
        lines += [f"  server {address}:{port} {address}:{port}" for address, port in front.servers]
    return "\n".join(lines) + "\n"


def bound(config: str) -> frozenset[tuple[str, int]]:
    """The addresses and ports that a configuration made by `render` listens at."""
    binds = (line.split()[1] for line in config.splitlines() if line.startswith("  bind "))
    return frozenset((address, int(port)) for address, _, port in (bind.rpartition(":") for bind in binds))


def _key(service: Obj) -> Key:
    return Key(service["metadata"]["namespace"], service["metadata"]["name"])


def _tcp(service: Obj) -> Iterator[Mapping[str, Any]]:
    """HAProxy carries no other protocol."""
    return (port for port in service["spec"].get("ports") or () if port.get("protocol", "TCP") == "TCP")


def _candidates(key: Key, known: str | None, pool: str) -> Iterator[str]:
    """Addresses in the order in which they are tried; the pool from a place that hangs on the Service's name."""
    network = IPv4Network(pool)
    if known and _within(known, network):  # a status can say anything
        yield known
    yield LOOPBACK
    size = network.num_addresses - 2
    start = int.from_bytes(sha256("/".join(key).encode()).digest()[:4], "big") % size
    for step in range(min(size, 256)):
        yield str(network[1 + (start + step) % size])


def _within(address: str, network: IPv4Network) -> bool:
    try:
        return IPv4Address(address) in network
    except ValueError:
        return False
