"""Whether this node takes a pod that is bound to it: the scheduler is not the only one who may bind. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.node.security import forbidden_sysctl
from wherry.node.seen import Failure
from wherry.node.settings import NodeSettings
from wherry.objects import Obj
from wherry.objects.pods import pod_requests


@dataclass(frozen=True)
class Needs:
    """What a pod asks for of what the node has."""

    cpu: int  # thousandths of a processor
    memory: int  # bytes


def needs_of(pod: Obj) -> Needs:
    wanted = pod_requests(pod)
    cpu, memory = wanted.get("cpu"), wanted.get("memory")
    return Needs(cpu.milli() if cpu else 0, memory.value() if memory else 0)


def admit(pod: Obj, needs: Needs, others: Sequence[Needs], settings: NodeSettings) -> Failure | None:
    """None, or why not, in upstream's words. A pod that has started before is not asked again.

    `others` are those of the pods that are here and have not ended.
    """
    status = pod.get("status") or {}
    if status.get("phase", "Pending") != "Pending" or status.get("startTime") or _deleted(pod):
        return None
    sysctl = forbidden_sysctl(pod)
    if sysctl:
        return _rejected("SysctlForbidden", f'forbidden sysctl: "{sysctl}" not allowlisted')
    if len(others) >= settings.max_pods:
        return _insufficient("pods", 1, len(others), settings.max_pods)
    used = Needs(sum(one.cpu for one in others), sum(one.memory for one in others))
    if needs.cpu and needs.cpu + used.cpu > settings.cpu_milli:
        return _insufficient("cpu", needs.cpu, used.cpu, settings.cpu_milli)
    if needs.memory and needs.memory + used.memory > settings.memory_for_pods:
        return _insufficient("memory", needs.memory, used.memory, settings.memory_for_pods)
    return None


def _deleted(pod: Obj) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _insufficient(name: str, asked: int, used: int, capacity: int) -> Failure:
    numbers = f"requested: {asked}, used: {used}, capacity: {capacity}"
    return _rejected(f"OutOf{name}", f"Node didn't have enough resource: {name}, {numbers}")


def _rejected(reason: str, message: str) -> Failure:
    return Failure(reason=reason, message=f"Pod was rejected: {message}")
