"""Endpoints: the older form of EndpointSlices, one object for each Service, for clients that still read it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Create, Update
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.controllers.service_pods import (
    HEADLESS,
    REST_SECONDS,
    addresses,
    headless,
    hostname,
    pods_of,
    reference,
    resolved,
    routed,
    services_of,
    stamped,
)
from wherry.objects import Obj, Ref
from wherry.objects.owners import owner_reference
from wherry.objects.pods import ready, terminating

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MOST = 1000  # addresses of one Endpoints object


@dataclass(frozen=True)
class Observed:
    service: Obj
    pods: tuple[Obj, ...]
    endpoints: Obj | None


def observe(service: Obj, lister: Lister, now: datetime) -> Observed | None:
    meta = service["metadata"]
    if not routed(service) or meta.get("deletionTimestamp"):
        return None
    return Observed(service, pods_of(service, lister), lister.get("Endpoints", meta["namespace"], meta["name"]))


def plan(seen: Observed) -> Iterator[Action]:
    meta, old = seen.service["metadata"], seen.endpoints
    labels = _labels(seen.service)
    wanted = subsets(seen)
    if old is None:
        made = {"name": meta["name"], "namespace": meta["namespace"], "labels": labels}
        owners = [owner_reference(seen.service)]  # so that it goes with its Service
        yield Create(
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": stamped({**made, "ownerReferences": owners}, seen.service, seen.pods),
                **({"subsets": wanted} if wanted else {}),
            }
        )
    elif (old.get("subsets") or []) != wanted or (old["metadata"].get("labels") or {}) != labels:
        metadata = stamped({**old["metadata"], "labels": labels}, seen.service, seen.pods)
        yield Update({**old, "metadata": metadata, "subsets": wanted})


def _labels(service: Obj) -> dict[str, str]:
    own = {key: value for key, value in (service["metadata"].get("labels") or {}).items() if key != HEADLESS}
    return {**own, MANAGED_BY: "endpoint-controller", **({HEADLESS: ""} if headless(service) else {})}


def subsets(seen: Observed) -> list[Obj]:
    """The addresses by the ports they answer on; pods on their way out are left out, unless all are published."""
    spec = seen.service["spec"]
    anyway = bool(spec.get("publishNotReadyAddresses"))
    groups: dict[str, Obj] = {}
    for pod in [pod for pod in seen.pods if anyway or not terminating(pod)][:MOST]:
        ports = [_port(port, number) for port, number in resolved(seen.service, pod)]
        if spec.get("ports") and not ports:
            continue
        group = groups.setdefault(json.dumps(ports, sort_keys=True), {"ports": ports} if ports else {})
        side = "addresses" if anyway or ready(pod) else "notReadyAddresses"
        group.setdefault(side, []).append(_address(seen.service, pod))
    return list(groups.values())


def _address(service: Obj, pod: Obj) -> Obj:
    out: Obj = {"ip": addresses(pod)[0], "targetRef": reference(pod)}
    if pod["spec"].get("nodeName"):
        out["nodeName"] = pod["spec"]["nodeName"]
    if name := hostname(service, pod):
        out["hostname"] = name
    return out


def _port(port: Obj, number: int) -> Obj:
    optional = {key: port[key] for key in ("name", "appProtocol") if port.get(key)}
    return {**optional, "port": number, "protocol": port.get("protocol", "TCP")}


def _service_of(endpoints: Obj, lister: Lister) -> Iterator[Ref]:
    meta = endpoints["metadata"]
    yield Ref("Service", meta["namespace"], meta["name"])


ENDPOINTS = Controller(
    name="endpoints",
    kind="Service",
    observe=observe,
    plan=plan,
    rest=lambda seen: REST_SECONDS * len(seen.pods),
    watches={"Pod": services_of, "Endpoints": _service_of},
)
