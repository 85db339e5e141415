"""Addresses and ranges in a form that is taken today and may not be for ever, in upstream's words."""

import ipaddress
from collections.abc import Iterator

from wherry.kinds.checks import parse_ip
from wherry.objects.field_errors import show


def ip(path: str, text: str) -> Iterator[str]:
    address = parse_ip(text)
    if address is None:  # validation has said so
        return
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is not None or (address.version == 4 and str(address) != text):
        said = "will be considered invalid in a future Kubernetes release"
        yield f"{path}: non-standard IP address {show(text)} {said}: use {show(str(mapped or address))}"
    elif str(address) != text:
        yield f"{path}: IPv6 address {show(text)} should be in RFC 5952 canonical format ({show(str(address))})"


def cidr(path: str, text: str) -> Iterator[str]:
    host, _, length = text.partition("/")
    address = parse_ip(host)
    if address is None or not length.isdecimal():
        return
    network = ipaddress.ip_network(f"{address}/{int(length)}", strict=False)
    if network.network_address != address:
        single = f"{address}/{address.max_prefixlen}"
        said = f"is ambiguous in this context (should be {show(str(network))} or {show(single)}?)"
        yield f"{path}: CIDR value {show(text)} {said}"
    if str(int(length)) != length or (address.version == 4 and str(address) != host):
        said = "will be considered invalid in a future Kubernetes release"
        yield f"{path}: non-standard CIDR value {show(text)} {said}: use {show(str(network))}"
    elif network.network_address == address and address.version == 6 and str(network) != text:
        yield f"{path}: IPv6 CIDR value {show(text)} should be in RFC 5952 canonical format ({show(str(network))})"
