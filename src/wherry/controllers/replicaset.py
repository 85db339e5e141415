"""ReplicaSet: keep `spec.replicas` pods of its template alive."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Again, Create, Delete, Emit, SetStatus, status_of
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.controllers.claims import adopt, claimants, namespace_ends, orphans, release, strays
from wherry.objects import Obj, ref_of
from wherry.objects.conditions import get_condition, remove_condition
from wherry.objects.errors import ApiError
from wherry.objects.owners import controller_of
from wherry.objects.pods import active, available, available_in, deletion_order, from_template, ready
from wherry.objects.times import format_time

KIND = "ReplicaSet.apps"


@dataclass(frozen=True)
class Observed:
    """`pods` are active, controlled and matched; `neighbours` are the workload's pods, known when some must go."""

    replicaset: Obj
    now: datetime
    pods: tuple[Obj, ...] = ()
    orphans: tuple[Obj, ...] = ()
    strays: tuple[Obj, ...] = ()
    neighbours: tuple[Obj, ...] = ()
    taken: frozenset[str] = frozenset()  # names of pods in its namespace, known when some are missing


def observe(replicaset: Obj, lister: Lister, now: datetime) -> Observed:
    owned = tuple(pod for pod in lister.controlled(replicaset, "Pod") if active(pod))
    gone = strays(replicaset, owned)
    free = tuple(pod for pod in orphans(replicaset, "Pod", lister) if active(pod))
    pods = tuple(pod for pod in owned if pod not in gone) if gone else owned
    wish = replicaset["spec"].get("replicas", 1)
    neighbours = (_workload(replicaset, lister) or pods) if len(pods) > wish else pods
    beside = lister.list("Pod", replicaset["metadata"]["namespace"]) if len(pods) < wish else ()
    taken = frozenset(pod["metadata"]["name"] for pod in beside)
    return Observed(replicaset, now, pods, free, gone, neighbours, taken)


def _workload(replicaset: Obj, lister: Lister) -> tuple[Obj, ...]:
    """The active pods of all ReplicaSets of the same owner."""
    ref = controller_of(replicaset)
    owner = lister.by_uid(ref["uid"]) if ref else None
    if owner is None:
        return ()
    return tuple(
        pod for each in lister.controlled(owner, KIND) for pod in lister.controlled(each, "Pod") if active(pod)
    )


def plan(seen: Observed) -> Iterator[Action]:
    """Claims first, then pods, then, when their number is right, the status: each write wakes the next look."""
    replicaset, pods = seen.replicaset, seen.pods
    if seen.orphans or seen.strays:
        yield from (adopt(replicaset, pod) for pod in seen.orphans)
        yield from (release(replicaset, pod) for pod in seen.strays)
        return
    missing = replicaset["spec"].get("replicas", 1) - len(pods)
    if missing and not replicaset["metadata"].get("deletionTimestamp"):
        yield from _create(seen, missing) if missing > 0 else _delete(seen, -missing)
        return
    status = status_for(seen)
    if status != status_of(replicaset):
        yield SetStatus(replicaset, status)
    yield from _look_again(seen)


def _create(seen: Observed, count: int) -> Iterator[Action]:
    """Names follow from the moment of the look, so that a plan stays a function of what was observed."""
    replicaset = seen.replicaset
    seed = f"{replicaset['metadata']['uid']}/{seen.now.isoformat()}"
    made = (from_template(replicaset["spec"]["template"], replicaset, f"{seed}/{n}") for n in itertools.count())
    fresh = (pod for pod in made if pod["metadata"]["name"] not in seen.taken)
    for pod in itertools.islice(fresh, count):
        yield Create(pod)
        yield Emit(replicaset, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")


def _delete(seen: Observed, count: int) -> Iterator[Action]:
    for pod in deletion_order(seen.pods, seen.neighbours, seen.now)[:count]:
        meta = pod["metadata"]
        yield Delete(ref_of(pod), meta["uid"])
        yield Emit(seen.replicaset, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")


def status_for(seen: Observed) -> Obj:
    """The status that the pods amount to."""
    replicaset, pods = seen.replicaset, seen.pods
    spec = replicaset["spec"]
    wanted = ((spec["template"].get("metadata") or {}).get("labels") or {}).items()
    min_ready = spec.get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": sum(wanted <= (pod["metadata"].get("labels") or {}).items() for pod in pods),
        "readyReplicas": sum(ready(pod) for pod in pods),
        "availableReplicas": sum(available(pod, min_ready, seen.now) for pod in pods),
        "observedGeneration": replicaset["metadata"].get("generation", 0),
    }
    conditions = remove_condition(status_of(replicaset).get("conditions"), "ReplicaFailure")
    return {
        "replicas": len(pods),
        **{name: count for name, count in counts.items() if count},
        **({"conditions": conditions} if conditions else {}),
    }


def _look_again(seen: Observed) -> Iterator[Action]:
    """When the next pod will have been ready for minReadySeconds."""
    min_ready = seen.replicaset["spec"].get("minReadySeconds", 0)
    waits = [wait for pod in seen.pods if (wait := available_in(pod, min_ready, seen.now))]
    if waits:
        yield Again(min(waits))


def failed(seen: Observed, error: ApiError) -> Iterator[Action]:
    """Say on the object that its pods cannot be created or deleted; the loop tries again."""
    replicaset = seen.replicaset
    missing = replicaset["spec"].get("replicas", 1) - len(seen.pods)
    if not missing or namespace_ends(error):
        return
    reason, doing = ("FailedCreate", "creating") if missing > 0 else ("FailedDelete", "deleting")
    yield Emit(replicaset, "Warning", reason, f"Error {doing}: {error.message}")
    known = get_condition(status_of(replicaset).get("conditions"), "ReplicaFailure")
    status = status_for(seen)
    condition = known or {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": format_time(seen.now),
        "reason": reason,
        "message": error.message,
    }
    status = {**status, "conditions": [*(status.get("conditions") or ()), condition]}
    if status != status_of(replicaset):
        yield SetStatus(replicaset, status)


REPLICASET = Controller(
    name="replicaset",
    kind=KIND,
    observe=observe,
    plan=plan,
    failed=failed,
    owns=("Pod",),
    watches={"Pod": lambda pod, lister: claimants(pod, KIND, lister)},
)
