"""EndpointSlice: a part of a Service's addresses, with what is known of each."""

from collections.abc import Iterator

from wherry.kinds.columns import AGE, UNSET, first_few, path
from wherry.kinds.defaults import fill, items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj


def default(obj: Obj) -> None:
    for port in items(obj, "ports"):
        fill(port, "name", "")
        fill(port, "protocol", "TCP")


def _ports(obj: Obj) -> Cell:
    return first_few(_port(port) for port in items(obj, "ports")) or UNSET


def _port(port: Obj) -> str:
    number = port.get("port")
    return str(port.get("name", "*") if number is None else number)


def _endpoints(obj: Obj) -> Cell:
    return first_few(_addresses(obj)) or UNSET


def _addresses(obj: Obj) -> Iterator[str]:
    for endpoint in items(obj, "endpoints"):
        yield from endpoint.get("addresses") or ()


ENDPOINTSLICE = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    default=default,
    columns=(
        Column(name="AddressType", cell=path("addressType"), description="IPv4, IPv6 or FQDN."),
        Column(name="Ports", cell=_ports, description="Ports of every endpoint."),
        Column(name="Endpoints", cell=_endpoints, description="The first addresses."),
        AGE,
    ),
    generation_metadata=("labels",),
)
