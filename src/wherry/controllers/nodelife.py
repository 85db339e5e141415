"""Nodelife: a pod whose node is gone for good fails and goes, as nobody is left who could stop it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wherry.client.actions import Action, Again, Delete, SetStatus, status_of
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.conditions import condition_of, observed_generation, remove_condition, set_condition
from wherry.objects.pods import finished
from wherry.objects.times import format_time, parse

QUARANTINE = timedelta(seconds=40)  # a node that registers anew keeps its pods
TARGET = "DisruptionTarget"
REASON = "DeletionByPodGC"


@dataclass(frozen=True)
class Observed:
    """`marked`: when the pod was first seen without its node; it is written down on the pod, so a restart counts on."""

    pod: Obj
    missing: bool
    marked: datetime | None
    now: datetime


def observe(pod: Obj, lister: Lister, now: datetime) -> Observed | None:
    node = pod["spec"].get("nodeName")
    missing = bool(node) and lister.get("Node", "", node) is None
    marked = _marked(pod)
    return Observed(pod, missing, marked, now) if missing or marked else None


def _marked(pod: Obj) -> datetime | None:
    condition = condition_of(pod, TARGET)
    ours = condition is not None and condition.get("reason") == REASON
    return parse(condition["lastTransitionTime"]) if condition and ours else None


def plan(seen: Observed) -> Iterator[Action]:
    pod, status = seen.pod, status_of(seen.pod)
    if not seen.missing:
        yield SetStatus(pod, {**status, "conditions": remove_condition(status.get("conditions"), TARGET)})
        return
    if seen.marked is None:
        condition = {"type": TARGET, "status": "True", "reason": REASON, "message": "PodGC: node no longer exists"}
        condition |= observed_generation(pod)
        conditions = set_condition(status.get("conditions"), condition, format_time(seen.now))
        yield SetStatus(pod, {**status, "conditions": conditions})
        return
    left = (seen.marked + QUARANTINE - seen.now).total_seconds()
    if left > 0:
        yield Again(left)
        return
    if not finished(pod):
        yield SetStatus(pod, {**status, "phase": "Failed"})
    yield Delete(ref_of(pod), pod["metadata"]["uid"], grace_seconds=0)


def _pods_of(node: Obj, lister: Lister) -> Iterator[Ref]:
    """Those of a node that went, or that came back while they were being given up."""
    name = node["metadata"]["name"]
    gone = lister.get("Node", "", name) is None
    for pod in lister.list("Pod"):
        if pod["spec"].get("nodeName") == name and (gone or _marked(pod)):
            yield ref_of(pod)


NODELIFE = Controller(name="nodelife", kind="Pod", observe=observe, plan=plan, watches={"Node": _pods_of})
