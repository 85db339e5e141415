"""Host ports: how far the port of this machine that a pod asks for can be opened, and what to tell its author. Pure.

nftables leads packets to all addresses of the machine but the loopback ones; there HAProxy listens, for TCP. A port
that a program of the machine has stays that program's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import NamedTuple

from wherry.network.balancer import LOOPBACK, Frontend, Key
from wherry.network.ruleset import ANY, Endpoint, NodePort, Ruleset, ServiceAddress, Target
from wherry.objects import Obj
from wherry.objects.pods import active

PREFIX = "pod"

Taken = Mapping[NodePort, Sequence[tuple[str, str]]]
"""By protocol and port: at which address, or ANY, a program of the machine listens, and its name."""


class HostPort(NamedTuple):
    """What one port of a container asks for."""

    pod: str  # its uid
    at: ServiceAddress
    to: Endpoint

    def __str__(self) -> str:
        return f"hostPort {self.at.port}/{self.at.protocol.upper()}"


@dataclass(frozen=True)
class Opening:
    """How far a host port is open."""

    port: HostPort
    packets: bool = False  # at its address or, for ANY, at all but the loopback ones, by nftables
    left: tuple[str, ...] = ()  # of these, those where another program listens
    loopback: str = ""  # where HAProxy listens for it
    problems: tuple[str, ...] = ()
    remark: str = ""
    taken: bool = False  # it would be opened further if another program ended

    @property
    def listens(self) -> Endpoint:
        """Where HAProxy does, if it does."""
        return Endpoint(self.loopback, self.port.at.port)


def asks(pod: Obj) -> bool:
    return next(_ports(pod), None) is not None


def wanted(pods: Iterable[Obj]) -> list[HostPort]:
    """The host ports of pods that run, and are not on their way out."""
    found = []
    for pod in pods:
        address = next((each["ip"] for each in (pod.get("status") or {}).get("podIPs") or ()), "")
        if address and ":" not in address and active(pod):
            for port in _ports(pod):
                protocol = port.get("protocol", "TCP").lower()
                at = ServiceAddress(port.get("hostIP") or ANY, protocol, port["hostPort"])
                found.append(HostPort(pod["metadata"]["uid"], at, Endpoint(address, port["containerPort"])))
    return found


def _ports(pod: Obj) -> Iterator[Obj]:
    """Of a pod in a network of its own."""
    spec = pod["spec"]
    if not spec.get("hostNetwork"):
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            yield from (port for port in container.get("ports") or () if port.get("hostPort"))


def opening(
    port: HostPort, taken: Taken, node_ports: Collection[NodePort], gateway: str, here: Callable[[str], bool]
) -> Opening:
    """How far it can be opened; `here` says whether an address is this machine's."""
    at = port.at
    fault = _fault(at, node_ports, gateway, here)
    if fault:
        return Opening(port, problems=(f"{port} is not opened: {fault}",))
    holders = taken.get(NodePort(at.protocol, at.port), ())
    everywhere = [who for address, who in holders if address in (ANY, at.address)]
    if everywhere:
        where = "" if at.address == ANY else f" on {at.address}"
        return Opening(port, problems=(f"{port} is not opened: it is in use{where} by {everywhere[0]}",), taken=True)
    if at.address != ANY:
        return Opening(port, loopback=at.address) if loopback(at.address) else Opening(port, packets=True)
    others = sorted((address, who) for address, who in holders if address == LOOPBACK or not loopback(address))
    found = Opening(
        port,
        packets=True,
        left=tuple(address for address, _ in others if address != LOOPBACK),
        problems=tuple(f"{port} is not opened on {address}: it is in use there by {who}" for address, who in others),
    )
    if at.protocol == "udp":
        return replace(found, remark=f"{port} is not reached at {LOOPBACK}; use {gateway}")
    busy = any(address == LOOPBACK for address, _ in others)
    return replace(found, taken=True) if busy else replace(found, loopback=LOOPBACK)


def _fault(at: ServiceAddress, node_ports: Collection[NodePort], gateway: str, here: Callable[[str], bool]) -> str:
    """Why it can never be opened, "" if it can."""
    if at.protocol not in ("tcp", "udp"):
        return f"{at.protocol.upper()} is not carried on this node"
    if ":" in at.address:
        return f"this node has no IPv6, and its hostIP is {at.address}"
    if NodePort(at.protocol, at.port) in node_ports:
        return "it is the nodePort of a Service"
    if at.address != ANY and not here(at.address):
        return f"its hostIP {at.address} is no address of this machine"
    if at.protocol == "udp" and loopback(at.address):
        return f"by UDP no pod is reached at {at.address}; use {gateway}"
    return ""


def loopback(address: str) -> bool:
    return IPv4Address(address).is_loopback


def added(rules: Ruleset, openings: Iterable[Opening]) -> Ruleset:
    """The rules with those of host ports."""
    targets, ports = dict(rules.targets), dict(rules.host_ports)
    for each in openings:
        at = each.port.at
        if each.packets:
            name = f"{PREFIX}/{each.port.pod}/{at.protocol}/{at.port}/{at.address}"
            targets[name] = Target(at.protocol, (each.port.to,))
            ports[at] = name
            ports.update((at._replace(address=address), "") for address in each.left)
    return replace(rules, targets=targets, host_ports=ports)


def frontends(openings: Iterable[Opening], closing: Iterable[Opening] = ()) -> tuple[Frontend, ...]:
    """What HAProxy has to do for them; those of `closing` keep their connections until the pod is gone."""
    return tuple(
        Frontend(Key(PREFIX, each.loopback), each.port.at.port, (each.listens,), False, servers)
        for all, served in ((openings, True), (closing, False))
        for each in all
        for servers in [(each.port.to,) if served else ()]
        if each.loopback
    )


def is_frontend(name: str) -> bool:
    """No Service's name has a dot."""
    return name.startswith(f"{PREFIX}:") and "." in name


def claims(openings: Iterable[Opening], protocol: str, address: str, port: int) -> bool:
    """Whether a pod has this port of the machine, so that no Service can."""
    for each in openings:
        at = each.port.at
        if (at.protocol, at.port) != (protocol, port):
            continue
        everywhere = ANY in (at.address, address) and not loopback(address)
        if address == each.loopback or (each.packets and (everywhere or address == at.address)):
            return True
    return False
