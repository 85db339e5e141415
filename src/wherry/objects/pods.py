"""What can be said of a Pod by reading it: whether it is ready, who goes first, what it asks for, of which template."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cmp_to_key

from wherry.objects import Obj, copied, quantities
from wherry.objects.conditions import condition_of
from wherry.objects.owners import owner_reference
from wherry.objects.quantities import Quantity
from wherry.objects.times import parse

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
TEMPLATE_HASH = "pod-template-hash"

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no generated name spells a word
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_SUFFIX = 5


def phase(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("phase") or "Pending")


def finished(pod: Obj) -> bool:
    """All containers have ended and none will be restarted."""
    return phase(pod) in ("Succeeded", "Failed")


def terminating(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def active(pod: Obj) -> bool:
    """It counts towards its owner's replicas."""
    return not terminating(pod) and not finished(pod)


def ready_since(pod: Obj) -> datetime | None:
    """When it became ready; None while it is not."""
    condition = condition_of(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    since = condition.get("lastTransitionTime")
    return parse(since) if since else parse(pod["metadata"]["creationTimestamp"])


def ready(pod: Obj) -> bool:
    condition = condition_of(pod, "Ready")
    return condition is not None and condition.get("status") == "True"


def available_in(pod: Obj, min_ready_seconds: int, now: datetime) -> float | None:
    """The seconds until it has been ready long enough, 0 once it has; None while it is not ready."""
    if not min_ready_seconds:
        return 0.0 if ready(pod) else None  # the usual case, without reading any time
    since = ready_since(pod)
    return None if since is None else max((since + timedelta(seconds=min_ready_seconds) - now).total_seconds(), 0.0)


def available(pod: Obj, min_ready_seconds: int, now: datetime) -> bool:
    return available_in(pod, min_ready_seconds, now) == 0


def deletion_order(pods: Iterable[Obj], neighbours: Iterable[Obj], now: datetime) -> list[Obj]:
    """Whom a scale-in takes first: the least useful, then the youngest (upstream: `ActivePodsWithRanks`).

    `neighbours` are the active pods of the same workload; of nodes with many of them one is taken first.
    """
    crowd: dict[str, int] = {}
    for pod in neighbours:
        node = pod["spec"].get("nodeName") or ""
        crowd[node] = crowd.get(node, 0) + 1
    ranked = [(_rank(pod, crowd), _Age(pod, now), pod) for pod in pods]

    def compare(one: tuple[tuple[int, ...], _Age, Obj], other: tuple[tuple[int, ...], _Age, Obj]) -> int:
        if one[0] != other[0]:
            return -1 if one[0] < other[0] else 1
        return one[1].compare(other[1])

    return [pod for _, _, pod in sorted(ranked, key=cmp_to_key(compare))]


def _rank(pod: Obj, crowd: Mapping[str, int]) -> tuple[int, ...]:
    node = pod["spec"].get("nodeName") or ""
    return (int(bool(node)), _PHASES.get(phase(pod), 0), int(ready(pod)), deletion_cost(pod), -crowd.get(node, 0))


def deletion_cost(pod: Obj) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


class _Age:
    """The last criteria: among pods of about the same age it is their uid that decides, so that no age is spared."""

    def __init__(self, pod: Obj, now: datetime) -> None:
        meta = pod["metadata"]
        self.uid = meta.get("uid", "")
        self.since = ready_since(pod)
        self.created = parse(meta["creationTimestamp"])
        self.restarts = max(_restarts(pod), default=0)
        self.now = now

    def compare(self, other: "_Age") -> int:
        if self.since and other.since and self.since != other.since:
            return self._by_magnitude(self.since, other.since, other)
        if self.restarts != other.restarts:
            return other.restarts - self.restarts
        if self.created != other.created:
            return self._by_magnitude(self.created, other.created, other)
        return 0

    def _by_magnitude(self, mine: datetime, theirs: datetime, other: "_Age") -> int:
        difference = _magnitude(self.now - mine) - _magnitude(self.now - theirs)
        return difference or (-1 if self.uid < other.uid else 1)


def _restarts(pod: Obj) -> Iterable[int]:
    status = pod.get("status") or {}
    for each in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        yield each.get("restartCount", 0)


def _magnitude(age: timedelta) -> int:
    nanoseconds = age / timedelta(microseconds=1) * 1000
    return int(math.log2(nanoseconds)) if nanoseconds >= 1 else -1


def from_template(template: Obj, owner: Obj, seed: str) -> Obj:
    """The pod that `template` describes, controlled by `owner`, with a name that follows from `seed`."""
    meta = template.get("metadata") or {}
    prefix = f"{owner['metadata']['name']}-"
    given = {key: copied(meta[key]) for key in ("labels", "annotations", "finalizers") if meta.get(key)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **given,
            "name": with_suffix(prefix, seed),
            "generateName": prefix,
            "namespace": owner["metadata"].get("namespace", ""),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": copied(template["spec"]),
    }


def with_suffix(prefix: str, seed: str) -> str:
    """`prefix` (cut where it would get too long) and five characters that follow from `seed`."""
    digits = fnv1a_64(seed.encode())
    suffix = ""
    for _ in range(_SUFFIX):
        digits, index = divmod(digits, len(_ALPHABET))
        suffix += _ALPHABET[index]
    return prefix[: 63 - _SUFFIX] + suffix


def template_hash(template: Obj, collisions: int = 0) -> str:
    """The label that tells one template's pods from another's; `collisions` makes it another one."""
    text = json.dumps(plain_template(template), sort_keys=True, separators=(",", ":"))
    number = fnv1a_32(text.encode() + (str(collisions).encode() if collisions else b""))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def plain_template(template: Obj) -> Obj:
    """`template` without its hash and empty metadata: two of one revision are equal."""
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {key: value for key, value in (meta.get("labels") or {}).items() if key != TEMPLATE_HASH}
    return {"metadata": {key: value for key, value in meta.items() if value}, "spec": template["spec"]}


def same_template(one: Obj, other: Obj) -> bool:
    return plain_template(one) == plain_template(other)


def fnv1a_32(data: bytes) -> int:
    number = 0x811C9DC5
    for byte in data:
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return number


def fnv1a_64(data: bytes) -> int:
    number = 0xCBF29CE484222325
    for byte in data:
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return number


def qos_class(pod: Obj) -> str:
    """Guaranteed: cpu and memory have limits equal to requests everywhere; BestEffort: nowhere any; else Burstable."""
    spec = pod["spec"]
    whole = spec.get("resources")
    asking = [whole] if whole else [each.get("resources") or {} for each in _all_containers(spec)]
    requests, limits = [_compute(each, "requests") for each in asking], [_compute(each, "limits") for each in asking]
    if not any(requests) and not any(limits):
        return "BestEffort"
    exact = all(
        len(limit) == 2 and {**limit, **request} == limit for request, limit in zip(requests, limits, strict=True)
    )
    return "Guaranteed" if exact else "Burstable"


def _compute(resources: Obj, side: str) -> dict[str, Quantity]:
    given = {name: quantities.parse(text) for name, text in (resources.get(side) or {}).items()}
    return {name: amount for name, amount in given.items() if name in ("cpu", "memory") and amount}


def _all_containers(spec: Obj) -> Sequence[Obj]:
    return (*(spec.get("initContainers") or ()), *spec["containers"])


def pod_requests(pod: Obj, side: str = "requests") -> dict[str, Quantity]:
    """What the pod as a whole needs at its worst moment; with side "limits": what it may take."""
    spec = pod["spec"]
    total: dict[str, Quantity] = {}
    for container in spec["containers"]:
        _add(total, _amounts(container.get("resources"), side))
    total = _with_init(total, spec.get("initContainers") or (), side)
    total.update(_amounts(spec.get("resources"), side))
    _add(total, {name: quantities.parse(text) for name, text in (spec.get("overhead") or {}).items()})
    return total


def _with_init(main: dict[str, Quantity], containers: Sequence[Obj], side: str) -> dict[str, Quantity]:
    """Init containers run one by one before the main ones; sidecars (restartPolicy Always) stay from then on."""
    sidecars: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in containers:
        amounts = _amounts(container.get("resources"), side)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, amounts)
            amounts = sidecars
        else:
            _add(amounts, sidecars)
        _raise(peak, amounts)
    _add(main, sidecars)
    _raise(main, peak)
    return main


def _amounts(resources: Obj | None, side: str) -> dict[str, Quantity]:
    return {name: quantities.parse(text) for name, text in ((resources or {}).get(side) or {}).items()}


def _add(total: dict[str, Quantity], amounts: Mapping[str, Quantity]) -> None:
    for name, amount in amounts.items():
        total[name] = total[name] + amount if name in total else amount


def _raise(total: dict[str, Quantity], amounts: Mapping[str, Quantity]) -> None:
    for name, amount in amounts.items():
        if name not in total or total[name] < amount:
            total[name] = amount
