"""Whether a pod may run on a node, and why not: in the order and the words in which kube-scheduler says it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wherry.objects import Obj, quantities, selectors
from wherry.objects.pods import pod_requests

Ports = frozenset[tuple[str, int, str]]
"""Host ports: protocol, number, address."""

_ANY = "0.0.0.0"  # noqa: S104  a host port's default address, not one that is bound here
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Misfit:
    """Why not; `lasting` when no other pod's end would change it."""

    reasons: tuple[str, ...]
    lasting: bool


@dataclass(frozen=True)
class Needs:
    """What a pod takes of a node, in nano units."""

    amounts: Mapping[str, int]
    ports: Ports


@dataclass(frozen=True)
class Room:
    """A node and what its pods have taken of it."""

    node: Obj
    capacity: Mapping[str, int]
    taken: Mapping[str, int] = field(default_factory=dict)
    ports: Ports = frozenset()
    pods: int = 0

    @property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])

    def with_pod(self, needs: Needs) -> "Room":
        taken = {**self.taken}
        for name, amount in needs.amounts.items():
            taken[name] = taken.get(name, 0) + amount
        return replace(self, taken=taken, ports=self.ports | needs.ports, pods=self.pods + 1)

    def load(self) -> float:
        """How much of cpu and memory is taken, on average."""
        shares = (self.taken.get(name, 0) / (self.capacity.get(name) or 1) for name in ("cpu", "memory"))
        return sum(shares) / 2


def room_of(node: Obj) -> Room:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return Room(node, {name: quantities.parse(text).nano for name, text in allocatable.items()})


def needs_of(pod: Obj) -> Needs:
    amounts = {name: amount.nano for name, amount in pod_requests(pod).items() if amount}
    return Needs(amounts, frozenset(_host_ports(pod)))


def _host_ports(pod: Obj) -> Iterator[tuple[str, int, str]]:
    spec = pod["spec"]
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for container in (*spec["containers"], *sidecars):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("protocol", "TCP"), port["hostPort"], port.get("hostIP") or _ANY


def misfit(pod: Obj, needs: Needs, room: Room) -> Misfit | None:
    """The first thing that keeps `pod` off the node; None when it fits."""
    spec, node = pod["spec"], room.node["spec"]
    tolerations = spec.get("tolerations") or ()
    if node.get("unschedulable") and not _tolerated(_UNSCHEDULABLE, tolerations):
        return Misfit(("node(s) were unschedulable",), True)
    if not tolerated(spec, room.node):
        return Misfit(("node(s) had untolerated taint(s)",), True)
    if not attracted(spec, room.node):
        return Misfit(("node(s) didn't match Pod's node affinity/selector",), True)
    if any(_clash(port, other) for port in needs.ports for other in room.ports):
        return Misfit(("node(s) didn't have free ports for the requested pod ports",), False)
    return _shortage(needs, room)


def tolerated(spec: Obj, node: Obj) -> bool:
    """A pod of this spec may come in spite of the node's taints."""
    return next(untolerated(spec, node, ("NoSchedule", "NoExecute")), None) is None


def untolerated(spec: Obj, node: Obj, effects: Sequence[str]) -> Iterator[Obj]:
    """The node's taints of these effects that a pod of this spec does not tolerate."""
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in effects and not _tolerated(taint, spec.get("tolerations") or ()):
            yield taint


def _tolerated(taint: Obj, tolerations: Iterable[Obj]) -> bool:
    return any(_tolerates(each, taint) for each in tolerations)


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def attracted(spec: Obj, node: Obj) -> bool:
    """The node is one that nodeSelector and required node affinity ask for."""
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def term_matches(term: Obj, node: Obj) -> bool:
    """All of a term's requirements; a term without any matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    labels = node["metadata"].get("labels") or {}
    own = {"metadata.name": node["metadata"]["name"]}
    return all(_meets(each, labels) for each in expressions) and all(_meets(each, own) for each in fields)


def _meets(requirement: Obj, values: Mapping[str, str]) -> bool:
    key, operator, wanted = requirement["key"], requirement["operator"], requirement.get("values") or ()
    if operator in ("Gt", "Lt"):
        return selectors.Requirement(key, operator.lower(), tuple(wanted)).matches(values)
    present = key in values
    match operator:
        case "In":
            return present and values[key] in wanted
        case "NotIn":
            return not present or values[key] not in wanted
        case "Exists":
            return present
        case _:
            return not present


def _clash(one: tuple[str, int, str], other: tuple[str, int, str]) -> bool:
    return one[:2] == other[:2] and (one[2] == other[2] or _ANY in (one[2], other[2]))


def _shortage(needs: Needs, room: Room) -> Misfit | None:
    reasons = []
    lasting = False
    if room.pods + 1 > room.capacity.get("pods", 0) // 10**9:
        reasons.append("Too many pods")
    for name, amount in needs.amounts.items():
        capacity = room.capacity.get(name, 0)
        if amount > capacity - room.taken.get(name, 0):
            reasons.append(f"Insufficient {name}")
            lasting = lasting or amount > capacity
    return Misfit(tuple(reasons), lasting) if reasons else None
