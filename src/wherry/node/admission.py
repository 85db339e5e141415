"""Whether this node takes a pod that is bound to it: the scheduler is not the only one who may bind. Pure."""

from collections.abc import Sequence

from wherry.node.security import forbidden_sysctl
from wherry.node.seen import Failure
from wherry.node.settings import NodeSettings
from wherry.objects import Obj
from wherry.objects.pods import finished, pod_requests


def admit(pod: Obj, others: Sequence[Obj], settings: NodeSettings) -> Failure | None:
    """None, or why not, in upstream's words. A pod that has started before is not asked again."""
    status = pod.get("status") or {}
    if status.get("phase", "Pending") != "Pending" or status.get("startTime") or _deleted(pod):
        return None
    sysctl = forbidden_sysctl(pod)
    if sysctl:
        return _rejected("SysctlForbidden", f'forbidden sysctl: "{sysctl}" not allowlisted')
    active = [other for other in others if not finished(other)]
    if len(active) >= settings.max_pods:
        return _insufficient("pods", 1, len(active), settings.max_pods)
    wanted = pod_requests(pod)
    for name, capacity in (("cpu", settings.cpu_milli), ("memory", settings.memory_bytes)):
        if name not in wanted:
            continue
        asked = wanted[name].milli() if name == "cpu" else wanted[name].value()
        amounts = [pod_requests(other).get(name) for other in active]
        used = sum((one.milli() if name == "cpu" else one.value()) for one in amounts if one is not None)
        if asked + used > capacity:
            return _insufficient(name, asked, used, capacity)
    return None


def _deleted(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _insufficient(name: str, asked: int, used: int, capacity: int) -> Failure:
    numbers = f"requested: {asked}, used: {used}, capacity: {capacity}"
    return _rejected(f"OutOf{name}", f"Node didn't have enough resource: {name}, {numbers}")


def _rejected(reason: str, message: str) -> Failure:
    return Failure(reason=reason, message=f"Pod was rejected: {message}")
