"""PodStatus, as upstream's kubelet computes it. Pure; `pod_worker` writes it where it differs from what the API has."""

from collections.abc import Iterator, Sequence

from wherry.kinds.core.podspec import qos_class
from wherry.node import container_status, pod_conditions
from wherry.node.seen import (
    Seen,
    ended,
    ephemeral_containers,
    init_containers,
    is_sidecar,
    main_containers,
    past_deadline,
)
from wherry.objects import Obj
from wherry.objects.times import format_time

DEADLINE_EXCEEDED = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
_TERMINAL = ("Succeeded", "Failed")


def pod_status(seen: Seen, *, host_ip: str) -> Obj:
    """The whole status. What others own (conditions of readiness gates, nominations) is kept."""
    pod, old = seen.pod, seen.status
    mains = container_status.statuses(seen, main_containers(pod))
    inits = container_status.statuses(seen, init_containers(pod))
    ephemerals = container_status.statuses(seen, ephemeral_containers(pod))
    phase = _phase(seen, mains, inits)
    status: Obj = {
        **{key: value for key, value in old.items() if key in ("nominatedNodeName", "resize")},
        "phase": phase,
        "conditions": pod_conditions.conditions(seen, phase, mains, inits),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        **_pod_ip(seen, host_ip),
        "startTime": old.get("startTime") or format_time(seen.now),
        "qosClass": old.get("qosClass") or qos_class(seen.spec),
        **_reason(seen, phase),
    }
    generation = pod["metadata"].get("generation")
    if generation:
        status["observedGeneration"] = generation
    for key, group in (
        ("containerStatuses", mains),
        ("initContainerStatuses", inits),
        ("ephemeralContainerStatuses", ephemerals),
    ):
        if group:
            status[key] = group
    return status


def _pod_ip(seen: Seen, host_ip: str) -> Obj:
    sandbox = seen.sandbox
    ip = sandbox.ip if sandbox is not None else ""
    if seen.spec.get("hostNetwork"):
        ip = seen.status.get("podIP") or host_ip
    elif not ip and (ended(seen) or seen.pod["metadata"].get("deletionTimestamp")):
        ip = seen.status.get("podIP", "")  # it had one, and nothing new will change that
    return {"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}


def _reason(seen: Seen, phase: str) -> Obj:
    if seen.rejected is not None:
        return {"reason": seen.rejected.reason, "message": seen.rejected.message}
    old = seen.status
    if past_deadline(seen) is not None and phase == "Failed" and old.get("phase") not in _TERMINAL:
        reason, message = DEADLINE_EXCEEDED
        return {"reason": reason, "message": message}
    if phase == old.get("phase"):
        return {key: old[key] for key in ("reason", "message") if old.get(key)}
    return {}


def _phase(seen: Seen, mains: Sequence[Obj], inits: Sequence[Obj]) -> str:
    old = str(seen.status.get("phase") or "Pending")
    if old in _TERMINAL:
        return old
    if seen.rejected is not None or past_deadline(seen) is not None:
        return "Failed"
    alive = any(True for _ in seen.running())
    over = not alive and (bool(seen.pod["metadata"].get("deletionTimestamp")) or ended(seen))
    phase = _of_containers(seen, mains, inits, over=over)
    if over and phase not in _TERMINAL and (seen.containers or ended(seen)):
        return "Failed"
    return phase


def _of_containers(seen: Seen, mains: Sequence[Obj], inits: Sequence[Obj], *, over: bool) -> str:
    policy = seen.spec.get("restartPolicy", "Always")
    specs = {one["name"]: one for one in init_containers(seen.pod)}
    regular = [one for one in inits if not is_sidecar(specs[one["name"]])]
    sidecars = [one for one in inits if is_sidecar(specs[one["name"]])]
    codes = [list(_exit_codes(one)) for one in regular]
    if policy == "Never" and any(code for found in codes for code in found):
        return "Failed"
    if any("running" in one["state"] or not found for one, found in zip(regular, codes, strict=True)):
        return "Pending"
    begun = any("running" in one["state"] or "terminated" in one["state"] for one in mains)
    if not begun and any(_pending_sidecar(one) for one in sidecars):
        return "Pending"
    ends = [list(_exit_codes(one)) for one in mains]
    if any("waiting" in one["state"] and not found for one, found in zip(mains, ends, strict=True)):
        return "Pending"
    if any("running" in one["state"] for one in (*mains, *sidecars)):
        return "Running"
    failed = any(code for found in ends for code in found)
    if over:
        return "Failed" if failed else "Succeeded"
    if policy == "Always" or (policy == "OnFailure" and failed):
        return "Running"
    return "Failed" if failed else "Succeeded"


def _pending_sidecar(status: Obj) -> bool:
    if "running" in status["state"]:
        return not status.get("started")
    return "waiting" in status["state"] and not status.get("lastState")


def _exit_codes(status: Obj) -> Iterator[int]:
    """The code a container ended with: its own, or the last one's of a container that waits."""
    end = status["state"].get("terminated")
    if end is None and "waiting" in status["state"]:
        end = (status.get("lastState") or {}).get("terminated")
    if end is not None:
        yield int(end.get("exitCode", 0))
