"""Endpoints: a Service's addresses in the form of old; EndpointSlices are what the network reads."""

from collections.abc import Iterator

from wherry.kinds.columns import AGE, NONE, first_few
from wherry.kinds.defaults import fill, items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj


def default(obj: Obj) -> None:
    for subset in items(obj, "subsets"):
        for port in items(subset, "ports"):
            fill(port, "protocol", "TCP")


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
    columns=(Column(name="Endpoints", cell=_endpoints, description="Addresses and ports."), AGE),
    create_on_update=True,
    generation=False,
)
