"""Endpoints: a Service's addresses in the form of old; EndpointSlices are what the network reads."""

from collections.abc import Iterator

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, NONE, first_few
from wherry.kinds.defaults import fill, items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import required


def default(obj: Obj) -> None:
    for subset in items(obj, "subsets"):
        for port in items(subset, "ports"):
            fill(port, "protocol", "TCP")


def validate(obj: Obj) -> Errors:
    for index, subset in enumerate(items(obj, "subsets")):
        at = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(at, "must specify `addresses` or `notReadyAddresses`")
        for field in ("addresses", "notReadyAddresses"):
            for number, address in enumerate(items(subset, field)):
                yield from _address(f"{at}.{field}[{number}]", address)
        ports = list(items(subset, "ports"))
        for number, port in enumerate(ports):
            yield from _port(f"{at}.ports[{number}]", port, needs_name=len(ports) > 1)


def _address(path: str, address: Obj) -> Errors:
    yield from checks.ip(f"{path}.ip", address.get("ip", ""))
    yield from checks.endpoint_ip(f"{path}.ip", address.get("ip", ""))
    if address.get("hostname"):
        yield from checks.named(f"{path}.hostname", address["hostname"], names.dns1123_label)
    if address.get("nodeName") is not None:
        yield from checks.named(f"{path}.nodeName", address["nodeName"], names.dns1123_subdomain)


def _port(path: str, port: Obj, *, needs_name: bool) -> Errors:
    if needs_name or port.get("name"):
        yield from checks.required_name(f"{path}.name", port.get("name"), names.dns1123_label)
    yield from checks.port_number(f"{path}.port", port.get("port"))
    yield from checks.required_word(f"{path}.protocol", port.get("protocol"), checks.PROTOCOLS)
    if port.get("appProtocol") is not None:
        yield from checks.named(f"{path}.appProtocol", port["appProtocol"], names.qualified_name)


def _endpoints(obj: Obj) -> Cell:
    return first_few(_addresses(obj)) if obj.get("subsets") else NONE


def _addresses(obj: Obj) -> Iterator[str]:
    for subset in items(obj, "subsets"):
        for port in subset.get("ports") or (None,):
            for address in items(subset, "addresses"):
                ip = address.get("ip", "")
                host = f"[{ip}]" if ":" in ip else ip
                yield f"{host}:{port['port']}" if port else ip


ENDPOINTS = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    schema="io.k8s.api.core.v1.Endpoints",
    short_names=("ep",),
    default=default,
    validate=validate,
    columns=(Column(name="Endpoints", cell=_endpoints, description="Addresses and ports."), AGE),
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    create_on_update=True,
    generation=False,
)
