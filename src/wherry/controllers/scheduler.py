"""Scheduler: find a node for each pod that has none.

A look at one waiting pod decides for all that wait: the pods of the cluster are counted once, and the bindings are
written together. Whether a pod fits on a node is `node_fit` and `pod_topology`, which one it likes best `node_scores`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from wherry.client.actions import Action, Emit, Post, SetStatus, status_of
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.controllers.node_fit import Misfit, Needs, Room, misfit, needs_of, room_of
from wherry.controllers.node_scores import best
from wherry.controllers.pod_topology import Placed, relations_of
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.conditions import condition_of, observed_generation, set_condition
from wherry.objects.pods import finished
from wherry.objects.times import format_time

NAME = "default-scheduler"


@dataclass(frozen=True)
class Observed:
    """The pods that wait, in the order of their turns, and the nodes with what is taken of them."""

    waiting: tuple[Obj, ...]
    rooms: tuple[Room, ...]
    now: datetime
    placed: tuple[Placed, ...] = ()
    namespaces: Mapping[str, Obj] = field(default_factory=dict)  # the labels of each


def observe(pod: Obj, lister: Lister, now: datetime) -> Observed | None:
    if not waits(pod):
        return None
    rooms = {node["metadata"]["name"]: room_of(node) for node in lister.list("Node")}
    waiting, placed = [], []
    for each in lister.list("Pod"):
        if waits(each):
            waiting.append(each)
        elif (name := each["spec"].get("nodeName")) in rooms and not finished(each):
            rooms[name] = rooms[name].with_pod(needs_of(each))
            placed.append(Placed(each, rooms[name].node))
    namespaces = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in lister.list("Namespace")}
    return Observed(tuple(sorted(waiting, key=_turn)), tuple(rooms.values()), now, tuple(placed), namespaces)


def waits(pod: Obj) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and spec.get("schedulerName", NAME) == NAME
        and not spec.get("schedulingGates")
        and not pod["metadata"].get("deletionTimestamp")
        and not finished(pod)
    )


def _turn(pod: Obj) -> tuple[int, str]:
    """Higher priority first, then who waits longer."""
    return -(pod["spec"].get("priority") or 0), pod["metadata"]["creationTimestamp"]


def plan(seen: Observed) -> Iterator[Action]:
    """All bindings before all refusals, so that the bindings are written together."""
    rooms = {room.name: room for room in seen.rooms}
    placed = list(seen.placed)
    refused: list[tuple[Obj, str]] = []
    for pod in seen.waiting:
        needs = needs_of(pod)
        verdicts = _verdicts(pod, needs, rooms, placed, seen.namespaces)
        fitting = [rooms[name] for name, verdict in verdicts.items() if verdict is None]
        if not fitting:
            refused.append((pod, message([verdict for verdict in verdicts.values() if verdict])))
            continue
        room = best(pod, fitting, placed, seen.namespaces)
        rooms[room.name] = room.with_pod(needs)
        placed.append(Placed(pod, room.node))
        yield from _bind(pod, room.name)
    for pod, why in refused:
        yield from _refuse(pod, why, seen.now)


def _verdicts(
    pod: Obj, needs: Needs, rooms: Mapping[str, Room], placed: Iterable[Placed], namespaces: Mapping[str, Obj]
) -> dict[str, Misfit | None]:
    """What keeps the pod off each node: the node itself, or else its company."""
    verdicts = {name: misfit(pod, needs, room) for name, room in rooms.items()}
    if None in verdicts.values():
        relations = relations_of(pod, (room.node for room in rooms.values()), placed, namespaces)
        if relations is not None:
            return {name: verdict or relations.misfit(rooms[name].node) for name, verdict in verdicts.items()}
    return verdicts


def _bind(pod: Obj, node: str) -> Iterator[Action]:
    meta = pod["metadata"]
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    yield Post(ref_of(pod), "binding", binding)
    message = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"
    yield Emit(pod, "Normal", "Scheduled", message)


def message(misfits: Iterable[Misfit]) -> str:
    """Why no node will do: how many of them for which reason, and whether evicting others would help."""
    found = list(misfits)
    if not found:
        return "no nodes available to schedule pods"
    none = f"0/{len(found)} nodes are available:"
    evicting = Counter(
        "Preemption is not helpful for scheduling" if each.lasting else "No preemption victims found for incoming pod"
        for each in found
    )
    reasons = Counter(reason for each in found for reason in each.reasons)
    # upstream 1.34 also tells of resource claims, which no pod here has
    return f"{none} {_tally(reasons)}. no new claims to deallocate, preemption: {none} {_tally(evicting)}."


def _tally(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def _refuse(pod: Obj, why: str, now: datetime) -> Iterator[Action]:
    known = condition_of(pod, "PodScheduled")
    if known is not None and known.get("reason") == "Unschedulable" and known.get("message") == why:
        return
    yield Emit(pod, "Warning", "FailedScheduling", why)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    condition |= observed_generation(pod)
    status = status_of(pod)
    conditions = set_condition(status.get("conditions"), condition, format_time(now))
    yield SetStatus(pod, {**status, "conditions": conditions})


def _first_waiting(node: Obj, lister: Lister) -> Iterator[Ref]:
    """One that waits speaks for all."""
    first = next((pod for pod in lister.list("Pod") if waits(pod)), None)
    if first is not None:
        yield ref_of(first)


def _room_made(pod: Obj, lister: Lister) -> Iterator[Ref]:
    """A pod that ended or went leaves room to those that wait; one that came, or has other labels, may be company.

    `pod` may be its state before the change: then what is current differs from it.
    """
    current = lister.by_uid(pod["metadata"]["uid"])
    if current is None or finished(current) or _place(current) != _place(pod):
        yield from _first_waiting(pod, lister)


def _place(pod: Obj) -> tuple[str, Obj]:
    return pod["spec"].get("nodeName", ""), pod["metadata"].get("labels") or {}


SCHEDULER = Controller(
    name="scheduler",
    kind="Pod",
    observe=observe,
    plan=plan,
    watches={"Node": _first_waiting, "Pod": _room_made},
)
