"""Cluster IPs and node ports: given out once each, kept while the Service lives, free again afterwards."""

import ipaddress
import secrets
from collections.abc import Iterator

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.registry import object_of
from wherry.objects import Obj
from wherry.objects.errors import Cause, InternalError, Invalid
from wherry.objects.field_errors import show
from wherry.store import Store

WITH_PORTS = ("NodePort", "LoadBalancer")


class ServiceAllocation:
    """What is taken is derived from the stored Services at start and kept in step by every write of one."""

    def __init__(self, store: Store, services: str, node_ports: tuple[int, int]) -> None:
        self._network = ipaddress.IPv4Network(services)
        self._ports = range(node_ports[0], node_ports[1] + 1)
        self._addresses: dict[str, str] = {}  # address -> Service uid
        self._taken: dict[tuple[int, str], str] = {}  # (port, protocol) -> Service uid
        for record in store.scan("services"):
            self._take(object_of(record))

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        if target.kind.id != "Service" or target.subresource:
            return
        spec, uid = obj["spec"], obj["metadata"]["uid"]
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
            return
        self._families(target, spec)
        before = (old or {}).get("spec") or {}
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or self._free_address()
        if spec["clusterIP"] != "None" and before.get("clusterIP") in (None, "", "None", spec["clusterIP"]):
            self._reserve_address(target, spec["clusterIP"], uid)
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec.get("type") in WITH_PORTS and spec.get("allocateLoadBalancerNodePorts", True):
            self._node_ports(target, spec, before, uid)

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None:
        if target.kind.id != "Service" or target.subresource:
            return
        kept = obj if stored else old
        self._release(obj["metadata"]["uid"])
        if kept is not None:
            self._take(kept)

    def deleted(self, target: Target, obj: Obj) -> None:
        if target.kind.id == "Service":
            self._release(obj["metadata"]["uid"])

    def _node_ports(self, target: Target, spec: Obj, before: Obj, uid: str) -> None:
        known = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in before.get("ports") or ()}
        for index, port in enumerate(spec.get("ports") or ()):
            protocol = port.get("protocol", "TCP")
            wanted = port.get("nodePort") or known.get((port.get("port"), protocol))
            if not wanted:
                wanted = self._free_port(protocol)
            elif self._taken.get((wanted, protocol), uid) != uid:
                raise self._invalid(
                    target, f"spec.ports[{index}].nodePort", wanted, "provided port is already allocated"
                )
            elif wanted not in self._ports:
                first, last = self._ports[0], self._ports[-1]
                said = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
                raise self._invalid(target, f"spec.ports[{index}].nodePort", wanted, said)
            self._taken[wanted, protocol] = uid
            port["nodePort"] = wanted

    def _families(self, target: Target, spec: Obj) -> None:
        """One network, of IPv4: what Services ask for beyond it is refused, what they leave out is filled in."""
        if spec.get("ipFamilyPolicy") == "RequireDualStack":
            said = "this cluster is not configured for dual-stack services"
            raise self._invalid(target, "spec.ipFamilyPolicy", "RequireDualStack", said)
        for index, family in enumerate(spec.get("ipFamilies") or ()):
            if family == "IPv6":
                raise self._invalid(target, f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = ["IPv4"]
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _reserve_address(self, target: Target, address: str, uid: str) -> None:
        try:
            inside = ipaddress.IPv4Address(address) in self._network
        except ValueError:
            return  # the kind's own checks say what is wrong with it
        if not inside:
            said = f"failed to allocate IP {address}: the provided IP ({address}) is not in the valid range. "
            raise self._invalid(
                target, "spec.clusterIPs", [address], f"{said}The range of valid IPs is {self._network}"
            )
        if self._addresses.setdefault(address, uid) != uid:
            said = f"failed to allocate IP {address}: provided IP is already allocated"
            raise self._invalid(target, "spec.clusterIPs", [address], said)

    def _free_address(self) -> str:
        """A random free address outside the low ones, which are for those who ask for a certain one."""
        size = self._network.num_addresses
        low = min(max(16, size // 16), 256, size // 2)
        for offset in _walk(size - low - 1):
            address = str(self._network[low + offset])
            if address not in self._addresses:
                return address
        raise InternalError(f"failed to allocate a serviceIP: range {self._network} is full")

    def _free_port(self, protocol: str) -> int:
        for offset in _walk(len(self._ports)):
            port = self._ports[offset]
            if not any((port, p) in self._taken for p in ("TCP", "UDP", "SCTP", protocol)):
                return port
        raise InternalError("failed to allocate a nodePort: range is full")

    def _take(self, service: Obj) -> None:
        spec, uid = service["spec"], service["metadata"]["uid"]
        if spec.get("clusterIP") not in (None, "", "None"):
            self._addresses[spec["clusterIP"]] = uid
        for port in spec.get("ports") or ():
            if port.get("nodePort"):
                self._taken[port["nodePort"], port.get("protocol", "TCP")] = uid

    def _release(self, uid: str) -> None:
        self._addresses = {address: owner for address, owner in self._addresses.items() if owner != uid}
        self._taken = {port: owner for port, owner in self._taken.items() if owner != uid}

    def _invalid(self, target: Target, path: str, value: object, said: str) -> Invalid:
        message = f"Invalid value: {show(value)}: {said}"
        return Invalid(
            f'Service "{target.name}" is invalid: {path}: {message}',
            causes=[Cause("FieldValueInvalid", message, path)],
            name=target.name,
            kind="Service",
        )


def _walk(size: int) -> Iterator[int]:
    """Every number below `size` once, from a random one on."""
    start = secrets.randbelow(size)
    for step in range(size):
        yield (start + step) % size
