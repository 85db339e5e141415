"""EndpointSlice: which addresses stand behind a Service and in what state they are."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Create, Delete, Update
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
from wherry.objects import Obj, ref_of
from wherry.objects.owners import owner_reference
from wherry.objects.pods import ready, terminating, with_suffix

KIND = "EndpointSlice.discovery.k8s.io"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MOST = 100  # endpoints of one slice


@dataclass(frozen=True)
class Observed:
    """`slices` are ours: made by this controller for this Service."""

    service: Obj
    pods: tuple[Obj, ...]
    slices: tuple[Obj, ...]


def observe(service: Obj, lister: Lister, now: datetime) -> Observed | None:
    if service["metadata"].get("deletionTimestamp"):
        return None
    slices = tuple(
        each
        for each in lister.controlled(service, KIND)
        if (each["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER
        and not each["metadata"].get("deletionTimestamp")
    )
    if not routed(service):
        return None
    return Observed(service, pods_of(service, lister), slices)


def plan(seen: Observed) -> Iterator[Action]:
    """A slice that is no longer needed becomes one that is: readers see a change of it, and none come and go."""
    changes = list(_changes(seen))
    known = {ref_of(each): each for each in seen.slices}
    unneeded = {each.ref: each for each in changes if isinstance(each, Delete)}
    for each in changes:
        if isinstance(each, Update):
            yield each
        elif isinstance(each, Create):
            family = each.obj["addressType"]
            spare = next((ref for ref in unneeded if known[ref]["addressType"] == family), None)
            if spare is None:
                yield each
            else:
                del unneeded[spare]
                yield _rewritten(seen, known[spare], each.obj["endpoints"], each.obj["ports"])
    yield from unneeded.values()


def _changes(seen: Observed) -> Iterator[Action]:
    """For each address family and set of ports: endpoints stay in the slice they are in, new ones fill it up."""
    kept: dict[str, list[Obj]] = {}
    for each in seen.slices:
        kept.setdefault(_group(each["addressType"], each.get("ports") or ()), []).append(each)
    for family in seen.service["spec"].get("ipFamilies") or ("IPv4",):
        for ports, endpoints in _wanted(seen, family):
            yield from _fill(seen, family, ports, endpoints, kept.pop(_group(family, ports), []))
    for unused in kept.values():
        yield from (_remove(each) for each in unused)


def _group(family: str, ports: Sequence[Obj]) -> str:
    """The same for ports as made here and as a server gives them back, with or without their empty fields."""
    told = [{key: value for key, value in port.items() if value} for port in ports]
    return json.dumps([family, told], sort_keys=True)


def _wanted(seen: Observed, family: str) -> Iterator[tuple[list[Obj], list[Obj]]]:
    """The endpoints by the ports they answer on; one group without endpoints if there are none at all."""
    groups: dict[str, tuple[list[Obj], list[Obj]]] = {}
    for pod in seen.pods:
        address = next((each for each in addresses(pod) if (":" in each) == (family == "IPv6")), None)
        if address is not None:
            ports = [_port(port, number) for port, number in resolved(seen.service, pod)]
            groups.setdefault(_group(family, ports), (ports, []))[1].append(endpoint(seen.service, pod, address))
    yield from groups.values() or [([], [])]


def _port(port: Obj, number: int) -> Obj:
    shared = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
    return {**shared, "appProtocol": port["appProtocol"]} if port.get("appProtocol") else shared


def endpoint(service: Obj, pod: Obj, address: str) -> Obj:
    serving, leaving = ready(pod), terminating(pod)
    anyway = bool(service["spec"].get("publishNotReadyAddresses"))
    out: Obj = {
        "addresses": [address],
        "conditions": {"ready": anyway or (serving and not leaving), "serving": serving, "terminating": leaving},
        "targetRef": reference(pod),
    }
    if pod["spec"].get("nodeName"):
        out["nodeName"] = pod["spec"]["nodeName"]
    if name := hostname(service, pod):
        out["hostname"] = name
    return out


def _fill(seen: Observed, family: str, ports: list[Obj], endpoints: list[Obj], slices: list[Obj]) -> Iterator[Action]:
    waiting = {each["targetRef"]["uid"]: each for each in endpoints}
    contents: list[list[Obj]] = []
    for old in slices:
        uids = [each.get("targetRef", {}).get("uid", "") for each in old.get("endpoints") or ()]
        contents.append([waiting.pop(uid) for uid in uids if uid in waiting])
    rest = list(waiting.values())
    for content in contents:
        room = MOST - len(content)
        content += rest[: max(room, 0)]
        rest = rest[max(room, 0) :]
    new = [rest[start : start + MOST] for start in range(0, len(rest), MOST)]
    keeper = next((index for index, content in enumerate(contents) if content), 0)
    for index, (old, content) in enumerate(zip(slices, contents, strict=True)):
        if not content and index != keeper:
            yield _remove(old)
        else:
            yield from _replace(seen, old, content)
    for content in new or ([[]] if not slices else []):
        yield Create(_slice(seen, family, ports, content))


def _remove(old: Obj) -> Action:
    return Delete(ref_of(old), old["metadata"]["uid"])


def _replace(seen: Observed, old: Obj, endpoints: list[Obj]) -> Iterator[Action]:
    labels = _labels(seen.service)
    if (old.get("endpoints") or []) != endpoints or (old["metadata"].get("labels") or {}) != labels:
        yield _rewritten(seen, old, endpoints, old.get("ports") or [])


def _rewritten(seen: Observed, old: Obj, endpoints: list[Obj], ports: list[Obj]) -> Action:
    metadata = stamped({**old["metadata"], "labels": _labels(seen.service)}, seen.service, seen.pods)
    return Update({**old, "metadata": metadata, "endpoints": endpoints, "ports": ports})


def _labels(service: Obj) -> dict[str, str]:
    own = {key: value for key, value in (service["metadata"].get("labels") or {}).items() if key != HEADLESS}
    mark = {HEADLESS: ""} if headless(service) else {}
    return {**own, SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: MANAGER, **mark}


def _slice(seen: Observed, family: str, ports: list[Obj], endpoints: list[Obj]) -> Obj:
    """Named after what is in it, so that two looks at the same state make the same one."""
    meta = seen.service["metadata"]
    taken = ",".join(each["metadata"]["name"] for each in seen.slices)
    first = endpoints[0]["targetRef"]["uid"] if endpoints else ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": stamped(
            {
                "name": with_suffix(f"{meta['name']}-", f"{meta['uid']}/{_group(family, ports)}/{first}/{taken}"),
                "generateName": f"{meta['name']}-",
                "namespace": meta["namespace"],
                "labels": _labels(seen.service),
                "ownerReferences": [owner_reference(seen.service)],
            },
            seen.service,
            seen.pods,
        ),
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


ENDPOINTSLICE = Controller(
    name="endpointslice",
    kind="Service",
    observe=observe,
    plan=plan,
    rest=lambda seen: REST_SECONDS * len(seen.pods),
    owns=(KIND,),
    watches={"Pod": services_of},
)
