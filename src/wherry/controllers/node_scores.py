"""Which of several nodes a pod likes best: preferred affinities, taints to avoid, and the emptier one of equals."""

from collections.abc import Iterable, Mapping, Sequence

from wherry.controllers.node_fit import Room, term_matches, untolerated
from wherry.controllers.pod_topology import Placed, term_of
from wherry.objects import Obj

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_BEST = 100.0  # each score is stretched to 0..100, as upstream's are, and counts as often as upstream's default says
_TAINTS, _NODE_AFFINITY, _POD_AFFINITY = 3, 2, 2


def best(pod: Obj, rooms: Sequence[Room], placed: Iterable[Placed], namespaces: Mapping[str, Obj]) -> Room:
    """The node to take; `rooms` are those on which the pod fits, at least one."""
    if len(rooms) == 1:
        return rooms[0]
    avoided = _stretched([-float(len(_avoided(pod, room.node))) for room in rooms])
    liked = _stretched([_attraction(pod, room.node) for room in rooms])
    company = _stretched(_company(pod, rooms, tuple(placed), namespaces))
    scores = {
        room.name: _TAINTS * avoided[index]
        + _NODE_AFFINITY * liked[index]
        + _POD_AFFINITY * company[index]
        + _BEST * (1 - room.load())
        for index, room in enumerate(rooms)
    }
    return min(rooms, key=lambda room: (-scores[room.name], room.name))


def _stretched(scores: Sequence[float]) -> list[float]:
    least, most = min(scores), max(scores)
    return [_BEST * (score - least) / (most - least) if most > least else 0.0 for score in scores]


def _avoided(pod: Obj, node: Obj) -> list[Obj]:
    return list(untolerated(pod["spec"], node, ("PreferNoSchedule",)))


def _preferred(pod: Obj, side: str) -> Sequence[Obj]:
    affinity = (pod["spec"].get("affinity") or {}).get(side) or {}
    return affinity.get(PREFERRED) or ()


def _attraction(pod: Obj, node: Obj) -> float:
    """An empty preference likes every node; a term without requirements is one."""
    return float(
        sum(
            each["weight"]
            for each in _preferred(pod, "nodeAffinity")
            if not any(each["preference"].values()) or term_matches(each["preference"], node)
        )
    )


def _company(pod: Obj, rooms: Sequence[Room], placed: tuple[Placed, ...], namespaces: Mapping[str, Obj]) -> list[float]:
    """How much the pod likes who is there, and how much they like it."""
    likes: dict[tuple[str, str], float] = {}

    def count(subject: Obj, other: Obj, node: Obj) -> None:
        for side, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
            for each in _preferred(subject, side):
                term = term_of(subject, each["podAffinityTerm"])
                value = (node["metadata"].get("labels") or {}).get(term.key)
                if value is not None and term.matches(other, namespaces):
                    domain = (term.key, value)
                    likes[domain] = likes.get(domain, 0.0) + sign * each["weight"]

    for resident in placed:
        count(pod, resident.pod, resident.node)
        count(resident.pod, pod, resident.node)
    return [sum(likes.get(each, 0.0) for each in (room.node["metadata"].get("labels") or {}).items()) for room in rooms]
