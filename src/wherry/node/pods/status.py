"""What the runtime has of a pod -> its PodStatus, as the kubelet words it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wherry.node.pods.plan import PodState, finished_phase, is_sidecar, passed, restart_delay
from wherry.node.runtime import Container, State
from wherry.objects import Obj
from wherry.objects.conditions import set_condition
from wherry.objects.times import format_time


@dataclass(frozen=True)
class Facts:
    """What the status says beside the runtime's state."""

    now: datetime
    host_ip: str
    ready: Mapping[str, bool] = field(default_factory=dict)  # container id -> its readiness probe; absent: no probe
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # container -> reason, message of not starting


def pod_status(pod: Obj, state: PodState, facts: Facts) -> Obj:
    """The whole status; conditions keep their times where nothing changed."""
    spec, before = pod["spec"], pod.get("status") or {}
    inits, mains = spec.get("initContainers") or [], spec["containers"]
    out: Obj = {key: value for key, value in before.items() if key in ("qosClass", "startTime", "conditions")}
    out["observedGeneration"] = pod["metadata"].get("generation", 1)
    out.setdefault("startTime", format_time(facts.now))
    initialized = all(passed(container, state) for container in inits)
    out["phase"] = _phase(pod, state)
    out["hostIP"], out["hostIPs"] = facts.host_ip, [{"ip": facts.host_ip}]
    ip = facts.host_ip if spec.get("hostNetwork") else (state.sandbox.ip if state.sandbox else "")
    if ip:
        out["podIP"], out["podIPs"] = ip, [{"ip": ip}]
    if inits:
        out["initContainerStatuses"] = [_container(c, state, facts, "PodInitializing") for c in inits]
    idle = "PodInitializing" if inits and not initialized else "ContainerCreating"
    out["containerStatuses"] = [_container(c, state, facts, idle) for c in mains]
    out["conditions"] = _conditions(pod, state, out, facts)
    return out


def _phase(pod: Obj, state: PodState) -> str:
    done = finished_phase(pod, state)
    if done:
        return done
    mains = [state.latest(container["name"]) for container in pod["spec"]["containers"]]
    return "Running" if mains and all(main is not None and main.started is not None for main in mains) else "Pending"


def _container(container: Obj, state: PodState, facts: Facts, idle: str) -> Obj:
    name = container["name"]
    last = state.latest(name)
    why = facts.waiting.get(name)
    out: Obj = {"name": name, "image": container.get("image", ""), "imageID": "", "restartCount": 0}
    out |= {"ready": False, "started": False, "lastState": {}}
    if last is None:
        out["state"] = {"waiting": _said(*(why or (idle, "")))}
        return out
    out |= {"image": last.image or out["image"], "imageID": last.image_id, "containerID": f"containerd://{last.id}"}
    out["restartCount"] = last.attempt
    earlier = [c for c in state.containers if c.name == name and c.attempt < last.attempt and c.state is State.EXITED]
    previous = max(earlier, key=lambda c: c.attempt, default=None)
    if previous is not None:
        out["lastState"] = {"terminated": _terminated(previous)}
    if last.state is State.RUNNING:
        out["state"] = {"running": {"startedAt": format_time(last.started or last.created)}}
        out["started"] = state.started.get(last.id, True)
        out["ready"] = bool(out["started"]) and facts.ready.get(last.id, True)
    elif last.state is State.EXITED:
        if why is not None:
            out["state"] = {"waiting": _said(*why)}
            out["lastState"] = {"terminated": _terminated(last)}
        else:
            out["state"] = {"terminated": _terminated(last)}
            out["ready"] = last.exit_code == 0 and idle == "PodInitializing"
    else:
        out["state"] = {"waiting": _said(*(why or (idle, "")))}
    return out


def crash_loop(container: Obj, pod: Obj, state: PodState, now: datetime) -> tuple[str, str] | None:
    """The waiting reason of a container that backs off before its next start."""
    last = state.latest(container["name"])
    if last is None or last.state is not State.EXITED:
        return None
    if restart_delay(last.attempt + 1, last, now) <= 0:
        return None
    total = restart_delay(last.attempt + 1, last, last.finished or now)
    minutes, seconds = divmod(int(total), 60)
    shown = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
    meta = pod["metadata"]
    said = f"back-off {shown} restarting failed container={container['name']} "
    return "CrashLoopBackOff", f"{said}pod={meta['name']}_{meta['namespace']}({meta['uid']})"


def _said(reason: str, message: str) -> Obj:
    return {"reason": reason, "message": message} if message else {"reason": reason}


def _terminated(container: Container) -> Obj:
    out: Obj = {
        "exitCode": container.exit_code,
        "reason": container.reason or ("Completed" if container.exit_code == 0 else "Error"),
        "startedAt": format_time(container.started) if container.started else None,
        "finishedAt": format_time(container.finished) if container.finished else None,
        "containerID": f"containerd://{container.id}",
    }
    return {**out, "message": container.message} if container.message else out


def _conditions(pod: Obj, state: PodState, out: Obj, facts: Facts) -> list[Any]:
    inits = pod["spec"].get("initContainers") or []
    shown = zip(inits, out.get("initContainerStatuses") or (), strict=True)
    statuses = [*(status for container, status in shown if is_sidecar(container)), *out["containerStatuses"]]
    unready = [status["name"] for status in statuses if not status["ready"]]
    ready: Obj = {"status": "True"}
    if out["phase"] in ("Succeeded", "Failed"):
        ready = {"status": "False", "reason": f"Pod{'Completed' if out['phase'] == 'Succeeded' else 'Failed'}"}
    elif unready:
        said = f"containers with unready status: [{' '.join(unready)}]"
        ready = {"status": "False", "reason": "ContainersNotReady", "message": said}
    pending = [container["name"] for container in inits if not passed(container, state)]
    setup: Obj = {"status": "True"}
    if pending and out["phase"] == "Pending":
        said = f"containers with incomplete status: [{' '.join(pending)}]"
        setup = {"status": "False", "reason": "ContainersNotInitialized", "message": said}
    sandbox = "True" if state.sandbox is not None and state.sandbox.ready else "False"
    conditions: list[Any] = list(out.get("conditions") or [])
    now, generation = format_time(facts.now), out["observedGeneration"]
    for condition in (
        {"type": "PodReadyToStartContainers", "status": sandbox},
        {"type": "Initialized", **setup},
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ):
        conditions = set_condition(conditions, {**condition, "observedGeneration": generation}, now)
    return conditions
