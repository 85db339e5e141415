"""EndpointSlice: a part of a Service's addresses, with what is known of each."""

from collections.abc import Iterator, Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, UNSET, first_few, path
from wherry.kinds.core import address_warnings
from wherry.kinds.defaults import fill_absent, items, section
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import duplicate, invalid, required

_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS, _MOST_ZONES = 1000, 100, 20000, 8
_VERSIONS = {"IPv4": 4, "IPv6": 6}


def default(obj: Obj) -> None:
    for port in items(obj, "ports"):
        fill_absent(port, "name", "")
        fill_absent(port, "protocol", "TCP")
    for endpoint in items(obj, "endpoints"):
        section(endpoint, "conditions")


def validate(obj: Obj) -> Errors:
    yield from checks.required_word("addressType", obj.get("addressType"), ("FQDN", "IPv4", "IPv6"))
    yield from _check_ports(list(items(obj, "ports")))
    endpoints = list(items(obj, "endpoints"))
    if len(endpoints) > _MOST_ENDPOINTS:
        yield checks.too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)
        return
    for index, endpoint in enumerate(endpoints):
        yield from _check_endpoint(f"endpoints[{index}]", endpoint, obj.get("addressType", ""))


def validate_update(new: Obj, old: Obj) -> Errors:
    yield from checks.immutable("addressType", new.get("addressType"), old.get("addressType"))


def _check_ports(ports: Sequence[Obj]) -> Errors:
    if len(ports) > _MOST_PORTS:
        yield checks.too_many("ports", len(ports), _MOST_PORTS)
        return
    seen: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"ports[{index}]", port.get("name") or ""
        if name:
            yield from checks.named(f"{at}.name", name, names.dns1123_label)
        if name in seen:
            yield duplicate(f"{at}.name", name)
        seen.add(name)
        yield from checks.supported(f"{at}.protocol", port.get("protocol"), checks.PROTOCOLS)
        if port.get("appProtocol") is not None:
            yield from checks.named(f"{at}.appProtocol", port["appProtocol"], names.qualified_name)


def _check_endpoint(path: str, endpoint: Obj, type_: str) -> Errors:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(addresses) > _MOST_ADDRESSES:
        yield checks.too_many(f"{path}.addresses", len(addresses), _MOST_ADDRESSES)
    for index, address in enumerate(addresses):
        yield from _check_address(f"{path}.addresses", index, address, type_)
    if endpoint.get("nodeName") is not None:
        yield from checks.named(f"{path}.nodeName", endpoint["nodeName"], names.dns1123_subdomain)
    if endpoint.get("hostname") is not None:
        yield from checks.named(f"{path}.hostname", endpoint["hostname"], names.dns1123_label)
    zones = [zone.get("name", "") for zone in items(endpoint.get("hints"), "forZones")]
    if len(zones) > _MOST_ZONES:
        yield checks.too_many(f"{path}.hints.forZones", len(zones), _MOST_ZONES)
        return
    for index, zone in enumerate(zones):
        at = f"{path}.hints.forZones[{index}].name"
        if zone in zones[:index]:
            yield duplicate(at, zone)
        yield from checks.named(at, zone, names.label_value)


def _check_address(path: str, index: int, address: str, type_: str) -> Errors:
    at = f"{path}[{index}]"
    if type_ == "FQDN":
        yield from _domain(at, address)
    elif type_ in _VERSIONS:
        parsed = checks.parse_ip(address)
        if parsed is None:
            yield from checks.ip(at, address)
            return
        if parsed.version != _VERSIONS[type_]:
            yield invalid(path, address, f"must be an {type_} address")
        elif type_ == "IPv6" and str(parsed) != address:
            yield invalid(at, address, f'must be in canonical form ("{parsed}")')
        yield from checks.endpoint_ip(at, address)


def _domain(path: str, name: str) -> Errors:
    plain = name.removesuffix(".")
    wrong = list(checks.required_name(path, plain, names.dns1123_subdomain))
    yield from wrong
    if not wrong and "." not in plain:
        yield invalid(path, plain, "should be a domain with at least two segments separated by dots")


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


def warn(new: Obj, old: Obj | None) -> Iterator[str]:
    if old is None and new.get("addressType") == "FQDN":
        yield "spec.addressType: FQDN endpoints are deprecated"  # upstream's path
    for index, endpoint in enumerate(items(new, "endpoints") if new.get("addressType") != "FQDN" else ()):
        for number, text in enumerate(endpoint.get("addresses") or ()):
            yield from address_warnings.ip(f"endpoints[{index}].addresses[{number}]", text)


ENDPOINTSLICE = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    schema="io.k8s.api.discovery.v1.EndpointSlice",
    default=default,
    validate=validate,
    validate_update=validate_update,
    warn=warn,
    columns=(
        Column(name="AddressType", cell=path("addressType"), description="IPv4, IPv6 or FQDN."),
        Column(name="Ports", cell=_ports, description="Ports of every endpoint."),
        Column(name="Endpoints", cell=_endpoints, description="The first addresses."),
        AGE,
    ),
    generation_metadata=("labels",),
)
