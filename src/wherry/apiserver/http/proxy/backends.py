"""Which pod's address and port a proxied request means. Pure; no connection is made here."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from wherry.objects import Obj
from wherry.objects.errors import BadRequest, ServiceUnavailable

SERVICE_NAME = "kubernetes.io/service-name"
DEFAULT_PORTS = {"http": 80, "https": 443}


class Asked(NamedTuple):
    """`name`, `name:port` or `scheme:name:port`, taken apart."""

    scheme: str
    name: str
    port: str


class Backend(NamedTuple):
    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def asked_of(text: str, what: str) -> Asked:
    """Raises BadRequest for what is none of the three forms."""
    scheme = name = port = ""
    match text.split(":"):
        case [name]:
            pass
        case [name, port]:
            pass
        case [scheme, name, port]:
            pass
    if not name or scheme not in ("", "http", "https"):
        raise BadRequest(f'invalid {what} request "{text}"')
    return Asked(scheme or "http", name, port)


def pod_backend(pod: Obj, asked: Asked) -> Backend:
    """The pod's own address; its first declared port where none is named."""
    port = asked.port
    if not port:
        declared = [each["containerPort"] for one in pod["spec"]["containers"] for each in one.get("ports") or ()]
        port = str(declared[0]) if declared else str(DEFAULT_PORTS[asked.scheme])
    number = _number(port)
    if not 0 < number < 65536:
        raise BadRequest(f'invalid pod request "{asked.name}:{port}": the port must be a number from 1 to 65535')
    address = str(pod.get("status", {}).get("podIP", ""))
    if not _proxyable(address):
        raise BadRequest("address not allowed")
    return Backend(asked.scheme, address, number)


def service_backend(
    service: Obj, slices: Sequence[Obj], asked: Asked, choose: Callable[[Sequence[Backend]], Backend]
) -> Backend:
    """One ready pod behind the Service. `asked.port` is a port's number or name; "" is the port without a name."""
    port, name = asked.port, service["metadata"]["name"]
    if _number(port) >= 0:
        found = [each for each in service["spec"].get("ports") or () if each["port"] == _number(port)]
        if not found:
            raise ServiceUnavailable(f'no service port {port} found for service "{name}"')
        port = found[0].get("name") or ""
    backends = [Backend(asked.scheme, *place) for place in _ready(slices, port) if _proxyable(place[0])]
    if not backends:
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')
    return choose(backends)


def _ready(slices: Sequence[Obj], port: str) -> Iterator[tuple[str, int]]:
    """Only pods: a slice that somebody wrote by hand cannot lead elsewhere."""
    for part in slices:
        numbers = [each["port"] for each in part.get("ports") or () if (each.get("name") or "") == port]
        for endpoint in part.get("endpoints") or ():
            ready = endpoint.get("conditions", {}).get("ready", True)
            if ready and endpoint.get("targetRef", {}).get("kind") == "Pod":
                yield from ((address, number) for address in endpoint["addresses"] for number in numbers)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _proxyable(address: str) -> bool:
    """No loopback, link-local or multicast address: a pod's status does not open the host's own ports."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
