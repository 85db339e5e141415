"""How far a rollout is, from the objects alone: waiting, under way with each pod's step, done, failed and why. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from wherry.deploy.pods import PodStep, Trouble, step, trouble
from wherry.objects import Obj, Ref
from wherry.objects.conditions import condition_of, get_condition
from wherry.objects.owners import controller_of
from wherry.objects.pods import same_template, terminating
from wherry.objects.times import parse

ROOM_COMES = timedelta(seconds=10)  # so long pods that are stopping may take to make room for one that has none
SETTLES = timedelta(seconds=3)  # what crashes at its start has done so by then
KINDS = ("Deployment", "StatefulSet", "DaemonSet")
"""Workloads that roll out."""


class State(Enum):
    """Where a rollout is."""

    WAITING = "waiting"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that a verdict is made of. All objects are of the workload's namespace."""

    workload: Obj
    now: datetime
    pods: Sequence[Obj] = ()
    replicasets: Sequence[Obj] = ()
    events: Sequence[Obj] = ()
    patience: timedelta = timedelta()  # how long a pod may lack a node, as on clusters that grow


@dataclass(frozen=True)
class Verdict:
    """`old` is how many pods of earlier revisions serve still, `stopping` how many of any are on their way out."""

    state: State
    wanted: int = 0
    ready: int = 0
    old: int = 0
    stopping: int = 0
    pods: tuple[PodStep, ...] = ()
    settled: bool = True  # False while a pod that nobody probes may still be about to crash
    trouble: Trouble | None = None


Verdicts = Mapping[Ref, Verdict]


def judge(seen: Seen) -> Verdict:
    """The verdict of this moment. Whoever watches asks again after each change."""
    new, rest = _pods(seen)
    stopping = sum(map(terminating, rest))
    by_pod = _events_by_pod(seen.events)
    steps = tuple(step(pod, by_pod.get(pod["metadata"]["name"], ())) for pod in new)
    wanted = _wanted(seen.workload)
    counts = (wanted, sum(each.ready for each in steps), len(rest) - stopping, stopping)
    if _done(seen):
        return Verdict(State.DONE, *counts, pods=steps, settled=all(_settled(pod, seen.now) for pod in new))
    found = _trouble(seen, new)
    if found is not None:
        return Verdict(State.FAILED, *counts, pods=steps, trouble=found)
    return Verdict(State.UNDER_WAY if _observed(seen.workload) else State.WAITING, *counts, pods=steps)


def _settled(pod: Obj, now: datetime) -> bool:
    """A container without a readiness probe counts as ready as soon as it runs, also one that is about to crash."""
    if all(container.get("readinessProbe") for container in pod["spec"]["containers"]):
        return True
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    starts = [((each.get("state") or {}).get("running") or {}).get("startedAt") for each in statuses]
    return all(start and now - parse(start) >= SETTLES for start in starts)


def _wanted(workload: Obj) -> int:
    if workload["kind"] == "DaemonSet":
        return int((workload.get("status") or {}).get("desiredNumberScheduled", 0))
    return int(workload["spec"].get("replicas", 1))


def _observed(workload: Obj) -> bool:
    """The controller has seen the spec as it is now."""
    status = workload.get("status") or {}
    return bool(status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 1))


def _done(seen: Seen) -> bool:
    """As `kubectl rollout status` sees it."""
    workload = seen.workload
    status, wanted = workload.get("status") or {}, _wanted(workload)
    if not _observed(workload):
        return False
    match workload["kind"]:
        case "Deployment":
            updated = status.get("updatedReplicas", 0)
            return bool(
                updated >= wanted and status.get("replicas", 0) <= updated <= status.get("availableReplicas", 0)
            )
        case "DaemonSet":
            return bool(min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)) >= wanted)
    same = status.get("updateRevision") == status.get("currentRevision")
    partition = ((workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0)
    return bool(status.get("readyReplicas", 0) >= wanted and (same or partition))


def _pods(seen: Seen) -> tuple[list[Obj], list[Obj]]:
    """The pods of the revision that is wanted, oldest first, and those of others."""
    owner, label = _revision(seen)
    new: list[Obj] = []
    old: list[Obj] = []
    owners = {each["metadata"]["uid"] for each in seen.replicasets if _owned(each, seen.workload)}
    owners.add(seen.workload["metadata"].get("uid", ""))
    for pod in sorted(seen.pods, key=lambda each: (each["metadata"].get("creationTimestamp", ""), _name(each))):
        controller = controller_of(pod)
        if controller is None or controller["uid"] not in owners:
            continue
        current = controller["uid"] == owner and (
            not label or (pod["metadata"].get("labels") or {}).get("controller-revision-hash") == label
        )
        (new if current and not terminating(pod) else old).append(pod)
    return new, old


def _revision(seen: Seen) -> tuple[str, str]:
    """The uid of whoever owns the wanted pods, and the revision label that they have ("" if none matters)."""
    workload = seen.workload
    if workload["kind"] != "Deployment":
        return workload["metadata"].get("uid", ""), (workload.get("status") or {}).get("updateRevision", "")
    current = current_replicaset(workload, seen.replicasets)
    return (current["metadata"]["uid"] if current else ""), ""


def current_replicaset(deployment: Obj, replicasets: Sequence[Obj]) -> Obj | None:
    """The one of the Deployment's template, the oldest if there are two; None while there is none yet."""
    template = deployment["spec"]["template"]
    same = (
        each for each in replicasets if _owned(each, deployment) and same_template(each["spec"]["template"], template)
    )
    return min(same, key=lambda each: each["metadata"].get("creationTimestamp", ""), default=None)


def _owned(obj: Obj, owner: Obj) -> bool:
    controller = controller_of(obj)
    return controller is not None and controller["uid"] == owner["metadata"].get("uid")


def stuck(seen: Seen) -> list[Obj]:
    """The wanted revision's pods that will not get further by themselves."""
    return [pod for pod in _pods(seen)[0] if trouble(pod) is not None]


def _trouble(seen: Seen, new: Sequence[Obj]) -> Trouble | None:
    if not _observed(seen.workload):
        return None
    found = next((each for each in map(trouble, new) if each is not None), None)
    return found or _unschedulable(seen, new) or _refused(seen) or _too_slow(seen)


def _unschedulable(seen: Seen, new: Sequence[Obj]) -> Trouble | None:
    """No node has room, and none is being made by pods that stop."""
    limit = max(seen.patience, ROOM_COMES if any(map(terminating, seen.pods)) else timedelta())
    for pod in new:
        condition = condition_of(pod, "PodScheduled")
        if condition is None or condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
            continue
        since = condition.get("lastTransitionTime")
        if since is None or seen.now - parse(since) >= limit:
            hint = "lower resources.requests or the replicas, or make room on the node"
            return Trouble("Unschedulable", condition.get("message", ""), hint, _name(pod))
    return None


def _refused(seen: Seen) -> Trouble | None:
    """Pods cannot even be created: a quota, an admission rule, a missing ServiceAccount."""
    status = seen.workload.get("status") or {}
    failure = get_condition(status.get("conditions"), "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return None
    hint = "the cluster refuses the pods: see the message; a quota, a limit range or an admission rule is in the way"
    return Trouble(failure.get("reason") or "FailedCreate", failure.get("message", ""), hint)


def _too_slow(seen: Seen) -> Trouble | None:
    progressing = condition_of(seen.workload, "Progressing")
    if progressing is None or progressing.get("reason") != "ProgressDeadlineExceeded":
        return None
    waiting = next((pod for pod in _pods(seen)[0] if not step(pod).ready), None)
    hint = "replicas do not get ready: check the readiness probe's path and port, and what the program logs"
    name = _name(waiting) if waiting else ""
    container = waiting["spec"]["containers"][0]["name"] if waiting else ""
    return Trouble("ProgressDeadlineExceeded", progressing.get("message", ""), hint, name, container)


def _events_by_pod(events: Sequence[Obj]) -> Mapping[str, list[Obj]]:
    out: dict[str, list[Obj]] = {}
    for event in events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        if about.get("kind") == "Pod":
            out.setdefault(about.get("name", ""), []).append(event)
    return out


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def workloads(objects: Sequence[Obj]) -> Iterator[Obj]:
    return (obj for obj in objects if obj["kind"] in KINDS and obj["apiVersion"].startswith("apps/"))
