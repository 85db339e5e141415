"""The pods' host ports as they are open now: decided by `host_ports`, from what listens on this machine."""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from wherry.client.mirror import Mirror
from wherry.listeners import Listener, holder, listeners
from wherry.network import host_ports
from wherry.network.host_ports import HostPort, Opening
from wherry.network.ruleset import NodePort, Ruleset, given_node_ports
from wherry.network.settings import NetworkSettings
from wherry.objects import Obj
from wherry.objects.pods import finished, terminating

Record = Callable[[Obj, str, str, str], None]
_Held = Mapping[tuple[str, int], str]


@dataclass
class HostPorts:
    """Who has a port keeps it: only those that are new, or lack something, are decided."""

    mirror: Mirror
    settings: NetworkSettings
    record: Record
    closing: list[Opening] = field(default_factory=list)  # HAProxy has connections to pods that end, and takes no more
    _open: Mapping[HostPort, Opening] = field(default_factory=dict)
    _told: dict[HostPort, tuple[str, ...]] = field(default_factory=dict)

    @property
    def waiting(self) -> bool:
        """Whether a pod waits for a port that a program of this machine has."""
        return any(each.taken for each in self._open.values())

    def wants(self, uid: str) -> bool:
        """Whether this pod wants host ports by the mirror's state of this moment."""
        pod = self.mirror.by_uid(uid)
        return pod is not None and bool(host_ports.wanted([pod]))

    async def decide(self, services: Iterable[Obj], held: _Held, rules: Ruleset) -> list[Opening]:
        """How each is open from now on. `held` is HAProxy's, `rules` are those applied last."""
        wanted, node_ports = host_ports.wanted(self.mirror.list("Pod")), given_node_ports(services)
        before = {
            port: self._open[port] for port in wanted if port in self._open and self._keeps(port, node_ports, held)
        }
        new = [port for port in wanted if port not in before]
        if new:
            asked = {NodePort(each.at.protocol, each.at.port) for each in new}
            taken = await asyncio.to_thread(_taken, asked, held)
            for at, name in rules.host_ports.items():
                if name.startswith("service/"):  # nobody listens there for the kernel to tell
                    who = "the Service " + "/".join(name.split("/")[1:3])
                    taken.setdefault(NodePort(at.protocol, at.port), []).append((at.address, who))
            for port in new:
                before[port] = host_ports.opening(port, taken, node_ports, str(self.settings.gateway), _here)
        last = [*self._open.values(), *self.closing]
        self.closing = [each for each in last if each.loopback and each.port not in before and self._ends(each.port)]
        self._open = {port: before[port] for port in wanted}
        return list(self._open.values())

    def _keeps(self, port: HostPort, node_ports: Collection[NodePort], held: _Held) -> bool:
        """Nothing has to be decided anew: it is open, and HAProxy has got its part of it."""
        now = self._open[port]
        given = NodePort(port.at.protocol, port.at.port) in node_ports
        return not now.problems and not given and (not now.loopback or now.listens in held)

    def _ends(self, port: HostPort) -> bool:
        pod = self.mirror.by_uid(port.pod)
        return pod is not None and terminating(pod) and not finished(pod)

    def tell(self) -> None:
        """Record what a pod's author has to know, once."""
        self._told = {port: words for port, words in self._told.items() if port in self._open}
        for port, each in self._open.items():
            pod, before = self.mirror.by_uid(port.pod), self._told.get(port, ())
            if pod is None:
                continue
            self._told[port] = (*each.problems, each.remark)
            for words in each.problems:
                if words not in before:
                    self.record(pod, "Warning", "HostPortNotOpened", words)
            if each.remark and each.remark not in before:
                self.record(pod, "Normal", "HostPort", each.remark)


def _taken(asked: set[NodePort], held: _Held) -> dict[NodePort, list[tuple[str, str]]]:
    """Who listens at these ports, but for HAProxy on behalf of pods. Blocking."""
    found: dict[NodePort, list[tuple[str, str]]] = {}
    for protocol in sorted({each.protocol for each in asked} & {"tcp", "udp"}):
        for each in listeners(protocol):
            at = NodePort(each.protocol, each.port)
            frontend = held.get((each.address, each.port), "") if protocol == "tcp" else ""
            if at in asked and ":" not in each.address and not host_ports.is_frontend(frontend):
                found.setdefault(at, []).append((each.address, _name(each, frontend)))
    return found


def _name(listener: Listener, frontend: str) -> str:
    if frontend:
        return "the Service " + "/".join(frontend.split(":")[:2])
    return str(holder([listener.inode]) or "a program that cannot be seen")


def _here(address: str) -> bool:
    """Whether it is an address of this machine. Blocking, but never long."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
