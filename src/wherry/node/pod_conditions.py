"""The pod conditions that a node sets: is it initialized, are its containers ready, is it. Pure."""

from collections.abc import Sequence

from wherry.node.seen import Seen, init_containers, is_sidecar, main_containers
from wherry.objects import Obj
from wherry.objects.conditions import get_condition, observed_generation
from wherry.objects.times import format_time

OURS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")

_Verdict = tuple[bool, str, str]  # holds, reason, message


def conditions(seen: Seen, phase: str, mains: Sequence[Obj], inits: Sequence[Obj]) -> list[Obj]:
    """Others' conditions, then ours, each with the time of its last change of status."""
    kept = [one for one in seen.status.get("conditions") or () if one.get("type") not in OURS]
    every = {one["name"]: one for one in (*inits, *mains)}
    containers = _containers_ready(seen, phase, every)
    verdicts: Sequence[tuple[str, _Verdict]] = (
        ("PodReadyToStartContainers", (seen.sandbox is not None, "", "")),
        ("Initialized", _initialized(seen, phase, every, mains)),
        ("Ready", containers if not containers[0] else _gates(seen)),
        ("ContainersReady", containers),
        ("PodScheduled", (True, "", "")),
    )
    return kept + [_condition(seen, kind, verdict) for kind, verdict in verdicts]


def _condition(seen: Seen, kind: str, verdict: _Verdict) -> Obj:
    holds, reason, message = verdict
    status = "True" if holds else "False"
    old = get_condition(seen.status.get("conditions"), kind) or {}
    out: Obj = {"type": kind, **observed_generation(seen.pod), "status": status}
    out["lastProbeTime"] = None  # nobody sets it, and the API has it: without it each look would be a write
    same = old.get("status") == status and old.get("lastTransitionTime")
    out["lastTransitionTime"] = old["lastTransitionTime"] if same else format_time(seen.now)
    if reason:
        out["reason"] = reason
    if message:
        out["message"] = message
    return out


def _containers_ready(seen: Seen, phase: str, every: dict[str, Obj]) -> _Verdict:
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    if phase == "Failed":
        return False, "PodFailed", ""
    lasting = [one for one in init_containers(seen.pod) if is_sidecar(one)]
    unready = [one["name"] for one in (*lasting, *main_containers(seen.pod)) if not every[one["name"]]["ready"]]
    if unready:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    return True, "", ""


def _gates(seen: Seen) -> _Verdict:
    messages = []
    for gate in seen.spec.get("readinessGates") or ():
        kind = gate["conditionType"]
        condition = get_condition(seen.status.get("conditions"), kind)
        if condition is None:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif condition.get("status") != "True":
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {condition.get("status")}')
    if messages:
        return False, "ReadinessGatesNotReady", ", ".join(messages)
    return True, "", ""


def _initialized(seen: Seen, phase: str, every: dict[str, Obj], mains: Sequence[Obj]) -> _Verdict:
    if phase == "Succeeded":
        return True, "PodCompleted", ""
    if any("running" in one["state"] or "terminated" in one["state"] or one.get("lastState") for one in mains):
        return True, "", ""
    incomplete = [
        one["name"]
        for one in init_containers(seen.pod)
        if not every[one["name"]]["started" if is_sidecar(one) else "ready"]
    ]
    if incomplete:
        return False, "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(incomplete)}]"
    return True, "", ""
