"""What the kernel shall do with packets to Services, decided from Services and EndpointSlices. Pure.

A `Ruleset` says where a new connection to a cluster IP or a node port goes; `nft` writes it in the kernel's words. How
LoadBalancers are reached is in `haproxy`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from wherry.objects import Obj

SERVICE_NAME = "kubernetes.io/service-name"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"  # the Service is some other proxy's

ANY = "0.0.0.0"  # noqa: S104  all addresses of this machine but its loopback ones
_THREE_HOURS = 10800


class Endpoint(NamedTuple):
    address: str
    port: int


@dataclass(frozen=True)
class Target:
    """The ready endpoints of one Service port. A new connection gets one at random, or by its client's address."""

    protocol: str  # tcp, udp, sctp
    endpoints: tuple[Endpoint, ...]
    affinity_seconds: int = 0  # a client keeps its endpoint for so long after its last connection
    sources: tuple[str, ...] = ()  # networks of allowed clients; all if empty


class ServiceAddress(NamedTuple):
    address: str
    protocol: str
    port: int


class NodePort(NamedTuple):
    protocol: str
    port: int


@dataclass(frozen=True)
class Ruleset:
    """An address in the service range that is not in `services` is refused; so is a node port not in `node_ports`."""

    targets: Mapping[str, Target] = field(default_factory=dict)  # by name
    services: Mapping[ServiceAddress, str] = field(default_factory=dict)  # -> name of a target
    node_ports: Mapping[NodePort, str] = field(default_factory=dict)  # -> name of a target
    detours: Mapping[Endpoint, Endpoint] = field(default_factory=dict)  # of this host's connections to a load balancer
    # Ports at this machine's addresses -> name of a target, or "" where a program of the machine listens itself.
    host_ports: Mapping[ServiceAddress, str] = field(default_factory=dict)

    def endpoints(self) -> frozenset[Endpoint]:
        return frozenset(endpoint for target in self.targets.values() for endpoint in target.endpoints)


def compute(
    services: Iterable[Obj],
    slices: Iterable[Obj],
    node: str,
    balancers: Mapping[tuple[str, str], Collection[str]] = MappingProxyType({}),
) -> Ruleset:
    """The rules for this state on `node` (which matters to the traffic policy Local).

    `balancers` are the addresses of LoadBalancer Services: their UDP ports are led from here, as HAProxy has no UDP.
    """
    by_service = group(slices)
    targets: dict[str, Target] = {}
    addresses: dict[ServiceAddress, str] = {}
    node_ports: dict[NodePort, str] = {}
    host_ports: dict[ServiceAddress, str] = {}
    for service in services:
        if not proxied(service):
            continue
        meta, spec = service["metadata"], service["spec"]
        own = by_service.get((meta["namespace"], meta["name"]), ())
        for port in spec.get("ports") or ():
            internal, external = _targets(spec, port, own, node)
            name = f"service/{meta['namespace']}/{meta['name']}/{internal.protocol}/{port['port']}"
            outer = name if external == internal else f"{name}/external"
            if internal.endpoints:
                targets[name] = internal
                for address in _cluster_ips(spec):
                    addresses[ServiceAddress(address, internal.protocol, port["port"])] = name
            if external.endpoints and port.get("nodePort"):
                targets[outer] = external
                node_ports[NodePort(internal.protocol, port["nodePort"])] = outer
            places = balancers.get((meta["namespace"], meta["name"]), ()) if external.protocol == "udp" else ()
            if external.endpoints and places:
                sources = tuple(spec.get("loadBalancerSourceRanges") or ())
                targets[f"{name}/balancer"] = replace(external, sources=sources)
                host_ports.update((ServiceAddress(each, "udp", port["port"]), f"{name}/balancer") for each in places)
    return Ruleset(targets, addresses, node_ports, host_ports=host_ports)


def given_node_ports(services: Iterable[Obj]) -> frozenset[NodePort]:
    """All that Services have, with endpoints or without."""
    return frozenset(
        NodePort(port.get("protocol", "TCP").lower(), port["nodePort"])
        for service in services
        for port in service["spec"].get("ports") or ()
        if port.get("nodePort")
    )


def proxied(service: Obj) -> bool:
    """Whether this Service has a cluster IP for us to serve."""
    spec = service["spec"]
    mine = PROXY_NAME not in (service["metadata"].get("labels") or {})
    return mine and spec.get("type") != "ExternalName" and bool(_cluster_ips(spec))


def _cluster_ips(spec: Mapping[str, Any]) -> list[str]:
    """The IPv4 cluster addresses; a headless Service has none."""
    ips = spec.get("clusterIPs") or [spec.get("clusterIP") or "None"]
    return [ip for ip in ips if ip not in ("None", "") and ":" not in ip]


def _targets(
    spec: Mapping[str, Any], port: Mapping[str, Any], slices: Iterable[Obj], node: str
) -> tuple[Target, Target]:
    """Where connections from inside and those by node ports go: the same, but for the traffic policies."""
    protocol = port.get("protocol", "TCP")
    everywhere = sorted(set(ready(slices, port.get("name") or "", protocol)))
    local = everywhere
    if "Local" in (spec.get("internalTrafficPolicy"), spec.get("externalTrafficPolicy")):
        local = sorted(set(ready(slices, port.get("name") or "", protocol, node=node)))
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = int(client.get("timeoutSeconds") or _THREE_HOURS)

    def target(policy: str) -> Target:
        return Target(protocol.lower(), tuple(local if spec.get(policy) == "Local" else everywhere), affinity)

    return target("internalTrafficPolicy"), target("externalTrafficPolicy")


def group(slices: Iterable[Obj]) -> dict[tuple[str, str], list[Obj]]:
    """IPv4 slices by the namespace and name of their Service."""
    found: dict[tuple[str, str], list[Obj]] = {}
    for item in slices:
        name = (item["metadata"].get("labels") or {}).get(SERVICE_NAME)
        if name and item.get("addressType") == "IPv4":
            found.setdefault((item["metadata"]["namespace"], name), []).append(item)
    return found


def ready(slices: Iterable[Obj], port_name: str, protocol: str, *, node: str = "") -> Iterator[Endpoint]:
    """The endpoints that take new connections at the named port, of one node or of all."""
    for item in slices:
        numbers = [
            port["port"]
            for port in item.get("ports") or ()
            if (port.get("name") or "") == port_name and port.get("protocol", "TCP") == protocol and port.get("port")
        ]
        if not numbers:
            continue
        for endpoint in item.get("endpoints") or ():
            if takes_connections(endpoint) and (not node or endpoint.get("nodeName") == node):
                # Of several addresses in one endpoint they all lead to the same; upstream's proxy uses the first too.
                yield from (Endpoint(endpoint["addresses"][0], number) for number in numbers)


def takes_connections(endpoint: Mapping[str, Any]) -> bool:
    """Whether an endpoint of a slice is ready (unknown counts as ready) and its pod is not on its way out."""
    conditions = endpoint.get("conditions") or {}
    # A terminating endpoint that still says ready belongs to a Service with publishNotReadyAddresses.
    return conditions.get("ready") is not False and not conditions.get("terminating")


def routed_pods(slices: Iterable[Obj]) -> frozenset[str]:
    """The uids of the pods that some slice offers new connections."""
    return frozenset(
        uid
        for item in slices
        for endpoint in item.get("endpoints") or ()
        if takes_connections(endpoint) and (uid := (endpoint.get("targetRef") or {}).get("uid"))
    )
