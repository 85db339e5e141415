"""Resource requests and limits as cgroup values, and where in the cgroup tree a pod lives. Pure."""

from collections.abc import Mapping

from wherry.kinds.core.podspec import qos_class
from wherry.node.runtime import Resources
from wherry.node.seen import init_containers, is_sidecar
from wherry.objects import Obj, quantities
from wherry.objects.pods import pod_requests

CPU_PERIOD = 100_000
LEAST_SHARES, MOST_SHARES = 2, 262_144
LEAST_QUOTA = 1_000
_GUARANTEED, _BEST_EFFORT = -997, 1000


def shares(milli: int) -> int:
    return min(max(milli * 1024 // 1000, LEAST_SHARES), MOST_SHARES)


def quota(milli: int) -> int:
    """Microseconds per period; 0: no limit."""
    return max(milli * CPU_PERIOD // 1000, LEAST_QUOTA) if milli else 0


def container_resources(pod: Obj, container: Obj, node_memory: int) -> Resources:
    given = container.get("resources") or {}
    requests, limits = given.get("requests") or {}, given.get("limits") or {}
    cpu_request = _milli(requests, "cpu") if "cpu" in requests else _milli(limits, "cpu")
    return Resources(
        cpu_shares=shares(cpu_request),
        cpu_quota=quota(_milli(limits, "cpu")),
        cpu_period=CPU_PERIOD,
        memory_limit=_bytes(limits, "memory"),
        oom_score_adj=oom_score_adj(pod, container, node_memory),
    )


def oom_score_adj(pod: Obj, container: Obj, node_memory: int) -> int:
    """Whom the kernel takes first: the more a container uses beyond what it asked for, the sooner."""
    if pod["spec"].get("priorityClassName") == "system-node-critical":
        return _GUARANTEED
    qos = qos_class(pod["spec"])
    if qos != "Burstable":
        return _GUARANTEED if qos == "Guaranteed" else _BEST_EFFORT
    score = _by_request(_requested(container), node_memory)
    if is_sidecar(container) and any(one["name"] == container["name"] for one in init_containers(pod)):
        least = min((_requested(one) for one in pod["spec"]["containers"]), default=0)
        score = min(score, _by_request(least, node_memory))
    return min(max(score, 1000 + _GUARANTEED), _BEST_EFFORT - 1)


def _by_request(memory: int, node_memory: int) -> int:
    return 1000 - 1000 * memory // max(node_memory, 1)


def _requested(container: Obj) -> int:
    given = container.get("resources") or {}
    return _bytes(given.get("requests") or {}, "memory")


def cgroup_parent(pod: Obj, root: str) -> str:
    """Guaranteed pods directly below the root, the others below their class, as upstream's cgroupfs driver does."""
    qos = qos_class(pod["spec"]).lower()
    below = "" if qos == "guaranteed" else f"/{qos}"
    return f"{root}{below}/pod{pod['metadata']['uid']}"


def pod_resources(pod: Obj) -> Resources:
    """Limits of the pod's own cgroup: a limit only where every container has one."""
    requests, limits = pod_requests(pod), pod_requests(pod, "limits")
    every = (*init_containers(pod), *pod["spec"]["containers"])
    limited = {
        name: limits[name]
        for name in ("cpu", "memory")
        if name in limits and (_pod_level(pod, name) or all(_has_limit(one, name) for one in every))
    }
    cpu, memory = limited.get("cpu"), limited.get("memory")
    return Resources(
        cpu_shares=shares(requests["cpu"].milli() if "cpu" in requests else 0),
        cpu_quota=quota(cpu.milli()) if cpu is not None else 0,
        cpu_period=CPU_PERIOD,
        memory_limit=memory.value() if memory is not None else 0,
    )


def _pod_level(pod: Obj, name: str) -> bool:
    return name in ((pod["spec"].get("resources") or {}).get("limits") or {})


def _has_limit(container: Obj, name: str) -> bool:
    return bool(_milli((container.get("resources") or {}).get("limits") or {}, name))


def _milli(amounts: Mapping[str, str], name: str) -> int:
    return quantities.parse(amounts[name]).milli() if name in amounts else 0


def _bytes(amounts: Mapping[str, str], name: str) -> int:
    return quantities.parse(amounts[name]).value() if name in amounts else 0
