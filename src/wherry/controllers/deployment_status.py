"""Deployment: its status, as its ReplicaSets' statuses and the progress since the last look make it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from wherry.client.actions import status_of
from wherry.controllers.deployment_sizes import counted, fenceposts, replicas, total
from wherry.objects import Obj
from wherry.objects.conditions import get_condition, remove_condition
from wherry.objects.times import format_time, parse

NO_DEADLINE = 2**31 - 1
AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"


def deadline_of(deployment: Obj) -> int | None:
    """progressDeadlineSeconds, None where progress is not watched."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds in (None, NO_DEADLINE) else int(seconds)


def progressing_of(status: Obj) -> Obj | None:
    return get_condition(status.get("conditions"), "Progressing")


def counts_for(deployment: Obj, new: Obj | None, old: Sequence[Obj], now: datetime) -> Obj:
    """The status without a verdict on progress: counts and Available."""
    everyone = [*old, *([new] if new else [])]
    before = status_of(deployment)
    available = counted(everyone, "availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": counted(everyone, "replicas"),
        "updatedReplicas": counted([new] if new else [], "replicas"),
        "readyReplicas": counted(everyone, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(total(everyone) - available, 0),
    }
    status: Obj = {name: count for name, count in counts.items() if count}
    if "collisionCount" in before:
        status["collisionCount"] = before["collisionCount"]
    enough = available >= replicas(deployment) - fenceposts(deployment)[1]
    word, text = ("Available", "has") if enough else ("Unavailable", "does not have")
    return with_condition(
        {**status, "conditions": list(before.get("conditions") or ())},
        "Available",
        "True" if enough else "False",
        f"MinimumReplicas{word}",
        f"Deployment {text} minimum availability.",
        now,
    )


def with_condition(status: Obj, type_: str, value: str, reason: str, message: str, now: datetime) -> Obj:
    """`status` with that condition; unchanged when it has it already with this value and reason."""
    conditions = status.get("conditions") or []
    known = get_condition(conditions, type_)
    if known and known["status"] == value and known.get("reason") == reason:
        return status
    since = known.get("lastTransitionTime") if known and known["status"] == value else None
    condition = {
        "type": type_,
        "status": value,
        "lastUpdateTime": format_time(now),
        "lastTransitionTime": since or format_time(now),
        "reason": reason,
        "message": message,
    }
    return {**status, "conditions": [*remove_condition(conditions, type_), condition]}


def complete(deployment: Obj, status: Obj) -> bool:
    """All replicas are of the current template and available, and nothing else is left."""
    wish = replicas(deployment)
    return all(
        status.get(name, 0) == wish for name in ("updatedReplicas", "replicas", "availableReplicas")
    ) and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)


def with_pause(deployment: Obj, status: Obj, now: datetime) -> Obj:
    """While paused, and when resumed, progress is Unknown, so that the time spent paused does not count."""
    known = progressing_of(status)
    paused = bool(deployment["spec"].get("paused"))
    was_paused = known is not None and known.get("reason") == PAUSED
    if deadline_of(deployment) is None or (known and known.get("reason") == TIMED_OUT) or paused == was_paused:
        return status
    if paused:
        return with_condition(status, "Progressing", "Unknown", PAUSED, "Deployment is paused", now)
    return with_condition(status, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)


def with_progress(deployment: Obj, status: Obj, new: Obj | None, now: datetime) -> Obj:
    """Judge the rollout: complete, under way, or stuck for longer than its deadline."""
    if deadline_of(deployment) is None:
        return {**status, "conditions": remove_condition(status["conditions"], "Progressing")}
    known = progressing_of(status)
    done_before = known is not None and known.get("reason") == AVAILABLE
    if done_before and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return status
    name = deployment["metadata"]["name"]
    what = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{name}"'
    if complete(deployment, status):
        message = f"{what} has successfully progressed."
        return with_condition(status, "Progressing", "True", AVAILABLE, message, now)
    if _moved(status_of(deployment), status):
        return _refreshed(status, f"{what} is progressing.", now)
    if timed_out(deployment, status, now):
        return with_condition(status, "Progressing", "False", TIMED_OUT, f"{what} has timed out progressing.", now)
    return status


def _moved(before: Obj, after: Obj) -> bool:
    def old(status: Obj) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old(after) < old(before) or any(after.get(name, 0) > before.get(name, 0) for name in grown)


def _refreshed(status: Obj, message: str, now: datetime) -> Obj:
    """Progress renews lastUpdateTime, from which the deadline counts, even if the reason stays the same."""
    known = progressing_of(status)
    since = known["lastTransitionTime"] if known and known["status"] == "True" else format_time(now)
    condition = {
        "type": "Progressing",
        "status": "True",
        "lastUpdateTime": format_time(now),
        "lastTransitionTime": since,
        "reason": "ReplicaSetUpdated",
        "message": message,
    }
    return {**status, "conditions": [*remove_condition(status["conditions"], "Progressing"), condition]}


def seconds_left(deployment: Obj, status: Obj, now: datetime) -> float | None:
    """Until the deadline passes; None where no deadline runs."""
    known, deadline = progressing_of(status), deadline_of(deployment)
    if known is None or deadline is None or known.get("reason") in (AVAILABLE, TIMED_OUT):
        return None
    return (parse(known["lastUpdateTime"]) + timedelta(seconds=deadline) - now).total_seconds()


def timed_out(deployment: Obj, status: Obj, now: datetime) -> bool:
    known = progressing_of(status)
    if known is not None and known.get("reason") == TIMED_OUT:
        return True
    left = seconds_left(deployment, status, now)
    return left is not None and left < 0


def with_failures(status: Obj, new: Obj | None, old: Sequence[Obj]) -> Obj:
    """Take over why a ReplicaSet cannot create its pods: the new one's reason before an old one's."""
    for each in (*([new] if new else []), *old):
        failure = get_condition(status_of(each).get("conditions"), "ReplicaFailure")
        if failure is not None:
            if get_condition(status["conditions"], "ReplicaFailure") is not None:
                return status
            condition = {**failure, "lastUpdateTime": failure.get("lastTransitionTime")}
            return {**status, "conditions": [*status["conditions"], condition]}
    return {**status, "conditions": remove_condition(status["conditions"], "ReplicaFailure")}
