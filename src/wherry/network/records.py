"""The cluster's names, answered from Services, EndpointSlices and pods as they are at this moment. Pure.

After the "Kubernetes DNS-Based Service Discovery" specification, 1.1.0; `dns` speaks the protocol.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any, NamedTuple

from wherry.client.lister import Lister
from wherry.network.ruleset import SERVICE_NAME
from wherry.objects import Obj

SERVICE, SLICE = "Service", "EndpointSlice.discovery.k8s.io"
VERSION = "1.1.0"
REVERSE = ".in-addr.arpa"


class Record(NamedTuple):
    """`data` is in the presentation format of zone files."""

    name: str
    type: str
    data: str


@dataclass(frozen=True)
class Answer:
    """`exists` without records of the type asked is "no data", else the name does not exist."""

    exists: bool
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    zone: str = ""  # whose SOA belongs to an answer without records


class _Host(NamedTuple):
    """One ready endpoint of a Service."""

    name: str
    address: str
    type: str  # A or AAAA
    ports: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Records:
    """Names are given in lower case and without the last dot."""

    lister: Lister
    domain: str
    pods: str
    services: str

    def lookup(self, name: str, type: str) -> Answer | None:
        """None for what is not the cluster's."""
        if name == self.domain:
            return self._soa(self.domain, type)
        if name.endswith(f".{self.domain}"):
            answer = self._named(name, name.removesuffix(f".{self.domain}").split("."), type)
            return Answer(answer.exists, answer.records, answer.additional, self.domain)
        if name.endswith(REVERSE):
            return self._reverse(name, type)
        return None

    def _soa(self, zone: str, type: str) -> Answer:
        return Answer(True, (self.soa(zone),) if type == "SOA" else (), zone=zone)

    def soa(self, zone: str) -> Record:
        """The last number is for how long a resolver may believe that something is not there."""
        return Record(zone, "SOA", f"ns.dns.{self.domain}. hostmaster.{self.domain}. 1 7200 1800 86400 5")

    def _named(self, name: str, labels: list[str], type: str) -> Answer:
        match labels:
            case ["svc"] | ["pod"]:
                return Answer(True)
            case ["dns-version"]:
                return Answer(True, (Record(name, "TXT", f'"{VERSION}"'),) if type == "TXT" else ())
            case [namespace, "svc" | "pod"]:
                return Answer(self.lister.get("Namespace", "", namespace) is not None)
            case [*inner, service, namespace, "svc"]:
                found = self.lister.get(SERVICE, namespace, service)
                return self._service(name, found, inner, type) if found else Answer(False)
            case [address, namespace, "pod"]:
                return self._pod(name, address.replace("-", "."), namespace, type)
        return Answer(False)

    def _service(self, name: str, service: Obj, inner: list[str], type: str) -> Answer:
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            target = Record(name, "CNAME", f"{spec['externalName'].rstrip('.')}.")
            return Answer(not inner, () if inner else (target,))
        hosts = tuple(self._hosts(service))
        addresses = _cluster_addresses(name, spec)
        if spec.get("clusterIP") == "None":
            addresses = tuple(Record(name, host.type, host.address) for host in hosts)
            if not addresses:  # so the specification says
                return Answer(False)
        match inner:
            case []:
                if type == "SRV":
                    return self._srv(name, service, hosts, "", "")
                return Answer(True, tuple(record for record in addresses if record.type == type))
            case [port, protocol] if port[:1] == protocol[:1] == "_":
                answer = self._srv(name, service, hosts, port[1:], protocol[1:])
                return answer if type == "SRV" else Answer(answer.exists)
            case [protocol] if protocol[:1] == "_":
                return Answer(any(_protocol(port) == protocol[1:] for port in spec.get("ports") or ()))
            case [host_name]:
                own = tuple(Record(name, host.type, host.address) for host in hosts if host.name == host_name)
                return Answer(bool(own), tuple(record for record in own if record.type == type))
        return Answer(False)

    def _srv(self, name: str, service: Obj, hosts: tuple[_Host, ...], port_name: str, protocol: str) -> Answer:
        """The ports of that name, or all of them for ""."""
        spec, full = service["spec"], self._full(service)

        def wanted(port: Mapping[str, Any]) -> bool:
            return not port_name or (port.get("name") == port_name and _protocol(port) == protocol)

        found: list[tuple[int, str]] = []
        additional: list[Record] = []
        if spec.get("clusterIP") == "None":
            for host in hosts:
                numbers = [(int(port["port"]), f"{host.name}.{full}") for port in host.ports if wanted(port)]
                found += numbers
                if numbers:
                    additional.append(Record(f"{host.name}.{full}", host.type, host.address))
        else:
            found = [(int(port["port"]), full) for port in spec.get("ports") or () if wanted(port)]
            additional = list(_cluster_addresses(full, spec)) if found else []
        weight = 100 // len(found) if found else 0
        records = (Record(name, "SRV", f"0 {max(weight, 1)} {number} {target}.") for number, target in found)
        return Answer(bool(found), tuple(records), tuple(additional))

    def _pod(self, name: str, address: str, namespace: str, type: str) -> Answer:
        """Only for pods that are there, so that nobody gets a name for an address of their choice."""
        for pod in self.lister.list("Pod", namespace):
            if (pod.get("status") or {}).get("podIP") == address:
                return Answer(True, (Record(name, "A", address),) if type == "A" else ())
        return Answer(False)

    def _reverse(self, name: str, type: str) -> Answer | None:
        labels = name.removesuffix(REVERSE).split(".")
        try:
            address = IPv4Address(".".join(reversed(labels)))
        except AddressValueError:
            return None
        if not any(address in IPv4Network(network) for network in (self.pods, self.services)):
            return None
        zone = ".".join(labels[2:]) + REVERSE
        names = tuple(Record(name, "PTR", f"{each}.") for each in self._names_of(str(address)))
        return Answer(bool(names), names if type == "PTR" else (), zone=zone)

    def _names_of(self, address: str) -> Iterator[str]:
        """The Service of a cluster IP, or the names of an endpoint in its Services."""
        for service in self.lister.list(SERVICE):
            if address in (service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP")]):
                yield self._full(service)
                return
        for item in self.lister.list(SLICE):
            if any(address in endpoint["addresses"] for endpoint in item.get("endpoints") or ()):
                service_name = (item["metadata"].get("labels") or {}).get(SERVICE_NAME)
                service_or_none = self.lister.get(SERVICE, item["metadata"]["namespace"], service_name or "")
                if service_or_none:
                    hosts = self._hosts(service_or_none)
                    full = self._full(service_or_none)
                    yield from sorted({f"{host.name}.{full}" for host in hosts if host.address == address})

    def _full(self, service: Obj) -> str:
        return f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.{self.domain}"

    def _hosts(self, service: Obj) -> Iterator[_Host]:
        """The endpoints that are ready, or count as ready because the Service wants unready ones too."""
        meta, seen = service["metadata"], set()
        for item in self.lister.list(SLICE, meta["namespace"]):
            if (item["metadata"].get("labels") or {}).get(SERVICE_NAME) != meta["name"]:
                continue
            type = {"IPv4": "A", "IPv6": "AAAA"}.get(item.get("addressType", ""), "")
            ports = tuple(port for port in item.get("ports") or () if port.get("port"))
            for endpoint in item.get("endpoints") or ():
                address = endpoint["addresses"][0]
                ready = (endpoint.get("conditions") or {}).get("ready") is not False
                if type and ready and address not in seen:
                    seen.add(address)
                    name = endpoint.get("hostname") or address.replace(".", "-").replace(":", "-")
                    yield _Host(name, address, type, ports)


def _cluster_addresses(name: str, spec: Mapping[str, Any]) -> tuple[Record, ...]:
    ips = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return tuple(Record(name, "AAAA" if ":" in ip else "A", ip) for ip in ips if ip not in ("", "None"))


def _protocol(port: Mapping[str, Any]) -> str:
    return str(port.get("protocol", "TCP")).lower()
