"""ContainerStatus: waiting, running or terminated, why, and how it ended before. Pure."""

from collections.abc import Sequence

from wherry.node.runtime import Container, State
from wherry.node.seen import (
    Failure,
    Probed,
    Seen,
    backoff,
    failed_init,
    held_until,
    init_containers,
    is_sidecar,
    old_status,
    pod_label,
    should_restart,
)
from wherry.objects import Obj
from wherry.objects.times import format_time

_LOST = "The container could not be located when the pod was terminated"
_LOST_RUNNING = "The container could not be located when the pod was deleted.  The container used to be Running"
_UNKNOWN = "ContainerStatusUnknown"


def statuses(seen: Seen, containers: Sequence[Obj]) -> list[Obj]:
    """One for each; main containers by name, as upstream sorts them, init containers in their order."""
    inits = init_containers(seen.pod)
    found = [_status(seen, container) for container in containers]
    return found if containers is inits else sorted(found, key=lambda status: str(status["name"]))


def _status(seen: Seen, container: Obj) -> Obj:
    name = container["name"]
    known = [one for one in seen.containers if one.name == name][:2]
    old = old_status(seen.pod, name)
    status = _from_runtime(seen, container, known[0], old) if known else _from_memory(seen, container, old)
    if len(known) > 1 and known[1].state is State.EXITED:
        status["lastState"] = {"terminated": _terminated(seen, known[1])}
    elif known and not status["lastState"] and known[0].attempt > 0:
        before = (old.get("state") or {}).get("terminated") or (old.get("lastState") or {}).get("terminated")
        if before and before.get("containerID") != status["containerID"]:
            status["lastState"] = {"terminated": before}
    held = _held(seen, container)
    if held is not None:
        if "terminated" in status["state"]:
            status["lastState"] = status["state"]
        waiting = {"reason": held.reason, "message": held.message} if held.message else {"reason": held.reason}
        status["state"] = {"waiting": waiting}
        status["ready"] = False
        if "started" in status:
            status["started"] = False
    return status


def _held(seen: Seen, container: Obj) -> Failure | None:
    """Why a container that is wanted does not run."""
    name, last = container["name"], seen.last(container["name"])
    if last is not None and last.state is State.RUNNING:
        return None
    init = any(one["name"] == name for one in init_containers(seen.pod))
    if init and last is not None and last.state is State.EXITED and not last.exit_code and not is_sidecar(container):
        return None
    if not should_restart(seen.pod, container, last) or failed_init(seen) is not None:
        return None
    failure = seen.failures.get(name)
    if failure is not None:
        return failure
    until = held_until(last)
    if last is not None and until is not None and until > seen.now:
        delay = _duration(backoff(last))
        text = f"back-off {delay} restarting failed container={name} pod={pod_label(seen.pod)}"
        return Failure(reason="CrashLoopBackOff", message=text)
    return None


def _duration(seconds: float) -> str:
    """As Go prints it: 10s, 1m20s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _from_runtime(seen: Seen, container: Obj, last: Container, old: Obj) -> Obj:
    status: Obj = {
        "name": last.name,
        "state": _state(seen, last),
        "lastState": {},
        "ready": False,
        "restartCount": last.attempt,
        "image": last.image,
        "imageID": last.image_id,
        "containerID": f"containerd://{last.id}",
        "started": False,
        **_mounts(container),
    }
    resources = container.get("resources") or {}
    if resources:
        status["resources"] = resources
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
    if f"start:{last.name}" in seen.busy and "running" in status["state"]:
        status["state"] = {"waiting": {"reason": _default_reason(seen)}}  # its postStart hook has not ended
        status["lastState"] = old.get("lastState") or {}
    elif "running" in status["state"]:
        probed = seen.probes.get(last.id, Probed())
        status["started"] = probed.started
        status["ready"] = probed.started and probed.ready and not _plain_init(seen, container)
    elif _completed_init(seen, container, last):
        status["ready"] = True
    return status


def _plain_init(seen: Seen, container: Obj) -> bool:
    """One that has to end before others begin: what counts of it is its end."""
    return not is_sidecar(container) and any(one["name"] == container["name"] for one in init_containers(seen.pod))


def _completed_init(seen: Seen, container: Obj, last: Container) -> bool:
    return _plain_init(seen, container) and last.state is State.EXITED and not last.exit_code


def _state(seen: Seen, last: Container) -> Obj:
    if last.state is State.RUNNING:
        return {"running": {"startedAt": format_time(last.started or last.created)}}
    if last.state is State.EXITED:
        return {"terminated": _terminated(seen, last)}
    if last.state is State.UNKNOWN and "running" in (old_status(seen.pod, last.name).get("state") or {}):
        return {"terminated": {"exitCode": 137, "reason": _UNKNOWN, "message": _LOST}}
    return {"waiting": {"reason": _default_reason(seen)}}


def _terminated(seen: Seen, container: Container) -> Obj:
    out: Obj = {"exitCode": container.exit_code}
    if container.exit_code > 128 and container.reason == "":
        out["signal"] = container.exit_code - 128
    out["reason"] = container.reason or ("Completed" if not container.exit_code else "Error")
    message = seen.messages.get(container.id) or container.message
    if message:
        out["message"] = message
    out["startedAt"] = format_time(container.started) if container.started else None
    out["finishedAt"] = format_time(container.finished) if container.finished else None
    out["containerID"] = f"containerd://{container.id}"
    return out


def _from_memory(seen: Seen, container: Obj, old: Obj) -> Obj:
    """The runtime knows nothing of it: it has not been started yet, or has been forgotten."""
    state = old.get("state") or {}
    if "terminated" in state:
        return dict(old)
    status: Obj = {
        "name": container["name"],
        "state": {"waiting": {"reason": _default_reason(seen)}},
        "lastState": old.get("lastState") or {},
        "ready": False,
        "restartCount": old.get("restartCount", 0),
        "image": container.get("image", ""),
        "imageID": "",
        "started": False,
        **_mounts(container),
    }
    if "running" in state and not status["lastState"]:
        status["lastState"] = {"terminated": {"exitCode": 137, "reason": _UNKNOWN, "message": _LOST_RUNNING}}
        if not seen.pod["metadata"].get("deletionTimestamp"):
            status["restartCount"] += 1
    return status


def _default_reason(seen: Seen) -> str:
    return "PodInitializing" if init_containers(seen.pod) else "ContainerCreating"


def _mounts(container: Obj) -> Obj:
    mounts = []
    for mount in container.get("volumeMounts") or ():
        one: Obj = {"name": mount["name"], "mountPath": mount["mountPath"]}
        if mount.get("readOnly"):
            one |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
        mounts.append(one)
    return {"volumeMounts": mounts} if mounts else {}
