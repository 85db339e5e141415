"""What `kubectl get pods` shows: one word for the state of all containers, and what adds up to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherry.kinds.columns import AGE, NONE, path, since
from wherry.kinds.defaults import items
from wherry.kinds.kind import Cell, Column
from wherry.objects import Obj


@dataclass(frozen=True)
class Summary:
    """A pod's containers, added up."""

    reason: str
    ready: int
    total: int
    restarts: int
    last_restart: str  # "" if none is known


@dataclass(frozen=True)
class _Init:
    """How far the init containers are: `reason` is set while they are not done."""

    reason: str = ""
    ready: int = 0


def summary(pod: Obj) -> Summary:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {c["name"] for c in items(spec, "initContainers") if c.get("restartPolicy") == "Always"}
    init_statuses = list(items(status, "initContainerStatuses"))
    init = _init(spec, init_statuses, sidecars)
    total = len(spec.get("containers") or ()) + len(sidecars)
    reason, ready = init.reason or _phase_reason(status), init.ready
    counted = _until_unfinished(init_statuses, sidecars)
    if not init.reason or _condition(status, "Initialized"):
        main = list(items(status, "containerStatuses"))
        reason, running = _main(reason, status, main)
        ready += running
        counted = [c for c in counted if c.get("name") in sidecars] + main
    return Summary(_ending(pod, reason), ready, total, *_restarts(counted))


def _phase_reason(status: Obj) -> str:
    for condition in items(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _done(container: Obj, sidecars: set[str]) -> bool:
    """Whether the next init container may start."""
    terminated = (container.get("state") or {}).get("terminated")
    if terminated is not None and not terminated.get("exitCode"):
        return True
    return container.get("name") in sidecars and bool(container.get("started"))


def _until_unfinished(statuses: Sequence[Obj], sidecars: set[str]) -> list[Obj]:
    """Those that count: all done ones and the first that is not."""
    counted = []
    for container in statuses:
        counted.append(container)
        if not _done(container, sidecars):
            break
    return counted


def _init(spec: Obj, statuses: Sequence[Obj], sidecars: set[str]) -> _Init:
    ready = 0
    for index, container in enumerate(statuses):
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if _done(container, sidecars):
            exited = terminated is not None and not terminated.get("exitCode")
            ready += bool(container.get("ready")) and not exited
        elif terminated is not None:
            return _Init("Init:" + _exit(terminated), ready)
        elif waiting and waiting != "PodInitializing":
            return _Init("Init:" + waiting, ready)
        else:
            return _Init(f"Init:{index}/{len(spec.get('initContainers') or ())}", ready)
    return _Init(ready=ready)


def _exit(terminated: Obj) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _main(reason: str, status: Obj, statuses: Sequence[Obj]) -> tuple[str, int]:
    """The reason as the first container with one has it, and how many run and are ready."""
    ready = 0
    for container in reversed(statuses):
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            reason = _exit(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == "Completed" and ready:
        reason = "Running" if _condition(status, "Ready") else "NotReady"
    return reason, ready


def _ending(pod: Obj, reason: str) -> str:
    if not pod["metadata"].get("deletionTimestamp"):
        return reason
    status = pod.get("status") or {}
    if status.get("reason") == "NodeLost":
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _condition(status: Obj, type_: str) -> bool:
    return any(c.get("type") == type_ and c.get("status") == "True" for c in items(status, "conditions"))


def _restarts(statuses: Sequence[Obj]) -> tuple[int, str]:
    return sum(c.get("restartCount") or 0 for c in statuses), max(_finished(statuses), default="")


def _finished(statuses: Sequence[Obj]) -> Iterator[str]:
    for container in statuses:
        terminated = (container.get("lastState") or {}).get("terminated") or {}
        if terminated.get("finishedAt"):
            yield terminated["finishedAt"]


def _ready(pod: Obj) -> Cell:
    found = summary(pod)
    return f"{found.ready}/{found.total}"


def _status(pod: Obj) -> Cell:
    return summary(pod).reason


def _restarts_at(pod: Obj, now: datetime) -> Cell:
    found = summary(pod)
    if found.restarts and found.last_restart:
        return f"{found.restarts} ({since(found.last_restart, now)} ago)"
    return str(found.restarts)


def _ip(pod: Obj) -> Cell:
    ips = (pod.get("status") or {}).get("podIPs") or ()
    return str(ips[0].get("ip") or NONE) if ips else NONE


def _gates(pod: Obj) -> Cell:
    gates = list(items(pod.get("spec"), "readinessGates"))
    passed = sum(_condition(pod.get("status") or {}, gate.get("conditionType", "")) for gate in gates)
    return f"{passed}/{len(gates)}" if gates else NONE


COLUMNS: Sequence[Column] = (
    Column(name="Ready", cell=_ready, description="How many of the containers are ready."),
    Column(name="Status", cell=_status, description="The state of all containers in one word."),
    Column(name="Restarts", cell_at=_restarts_at, description="How often containers were restarted, and when last."),
    AGE,
    Column(name="IP", cell=_ip, wide=True, description="The pod's address."),
    Column(name="Node", cell=path("spec.nodeName", NONE), wide=True, description="Where it runs."),
    Column(name="Nominated Node", cell=path("status.nominatedNodeName", NONE), wide=True),
    Column(name="Readiness Gates", cell=_gates, wide=True, description="How many further conditions hold."),
)
