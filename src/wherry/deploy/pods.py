"""One pod of a rollout: which step it is at, and whether something keeps it from ever getting further. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.objects import Obj
from wherry.objects.conditions import condition_of
from wherry.objects.pods import ready, terminating

HOPELESS: Mapping[str, str] = {
    "ErrImagePull": "check the image's name, and that this cluster can reach its registry",
    "ImagePullBackOff": "check the image's name, and that this cluster can reach its registry",
    "ErrImageNeverPull": "the image is not on the node and imagePullPolicy is Never: build it, or let it be pulled",
    "InvalidImageName": "the image's name is not valid: lower-case letters, digits, and . _ - / : are",
    "RegistryUnavailable": "the registry does not answer: check its name and the network",
    "CreateContainerConfigError": "a ConfigMap, Secret or key that the pod names is missing, or its settings clash",
    "CreateContainerError": "the container cannot be created: check its command, mounts and security context",
    "RunContainerError": "the container cannot be started: check that its command exists in the image",
    "StartError": "the container cannot be started: check that its command exists in the image",
    "ContainerCannotRun": "the container cannot be started: check that its command exists in the image",
    "CrashLoopBackOff": "the program ends by itself: its last lines say why",
    "PostStartHookError": "the postStart hook fails: its message says why",
}
"""Waiting reasons of which none heals by itself, and what to do."""

CRASHES = 2  # so many ends of a program that is to go on, and it is not waited for any longer


@dataclass(frozen=True)
class Trouble:
    """Why a pod (or a whole workload) will not get further."""

    reason: str
    message: str
    hint: str = ""
    pod: str = ""
    container: str = ""  # whose log tells more
    previous: bool = False  # that log is of the container that has ended


@dataclass(frozen=True)
class PodStep:
    """A pod's name and where it is on its way: what a progress line shows."""

    name: str
    step: str
    detail: str = ""
    ready: bool = False

    def __str__(self) -> str:
        return f"{self.step}: {self.detail}" if self.detail else self.step


def step(pod: Obj, events: Sequence[Obj] = ()) -> PodStep:
    """`events` are the pod's, in any order."""
    name = pod["metadata"]["name"]
    if terminating(pod):
        return PodStep(name, "stopping")
    if ready(pod):
        return PodStep(name, "ready", ready=True)
    scheduled = condition_of(pod, "PodScheduled")
    if not pod["spec"].get("nodeName"):
        return PodStep(name, "waiting for a node", (scheduled or {}).get("message", ""))
    for init, status in _statuses(pod):
        reason, message = _waiting(status)
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            return PodStep(name, reason, message)
        if reason == "ContainerCreating" or (init and reason == "PodInitializing"):
            return PodStep(name, *_creating(events))
        if init and "running" in (status.get("state") or {}) and not status.get("started"):
            return PodStep(name, "initializing", status["name"])
        ended = (status.get("state") or {}).get("terminated")
        if ended and not (init and not ended.get("exitCode")):
            return PodStep(name, "ended", said(ended))
    if any("running" in (status.get("state") or {}) for _, status in _statuses(pod)):
        return PodStep(name, "running, not ready", _newest(events, "Unhealthy"))
    return PodStep(name, *_creating(events))


def _creating(events: Sequence[Obj]) -> tuple[str, str]:
    """What the node says that it is doing."""
    last = max(events, key=_when, default=None)
    match (last or {}).get("reason"):
        case "Pulling":
            return "pulling the image", str((last or {}).get("message", "")).removeprefix("Pulling image ").strip('"')
        case "FailedCreatePodSandBox" | "FailedMount" | "FailedAttachVolume":
            return "creating", str((last or {}).get("message", ""))
    return "creating", ""


def _newest(events: Sequence[Obj], reason: str) -> str:
    found = max((each for each in events if each.get("reason") == reason), key=_when, default=None)
    return str((found or {}).get("message", ""))


def _when(event: Obj) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max((time[:19] for time in times if time), default="")


def trouble(pod: Obj) -> Trouble | None:
    """What cannot heal; being unschedulable is judged elsewhere, as room may come."""
    if terminating(pod) or ready(pod):
        return None
    name = pod["metadata"]["name"]
    for init, status in _statuses(pod):
        found = _container_trouble(name, status, once=init or pod["spec"].get("restartPolicy") == "OnFailure")
        if found is not None:
            return found
    if (pod.get("status") or {}).get("phase") == "Failed":
        said_ = pod["status"].get("message") or "the pod has failed"
        return Trouble(pod["status"].get("reason") or "Failed", said_, pod=name)
    return None


def _container_trouble(pod: str, status: Obj, *, once: bool) -> Trouble | None:
    container, reason = status["name"], _waiting(status)[0]
    before = (status.get("lastState") or {}).get("terminated")
    ended = (status.get("state") or {}).get("terminated")
    last = ended or before
    ends = status.get("restartCount", 0) + (1 if ended else 0)
    if reason == "CrashLoopBackOff" or (last and ends >= CRASHES and (last.get("exitCode") or not once)):
        shown = said(last) if last else "it ended again and again"
        hint = _exit_hint(last or {})
        return Trouble("CrashLoopBackOff", f"{container}: {shown}", hint, pod, container, previous=ended is None)
    if reason in HOPELESS:
        return Trouble(reason, f"{container}: {_waiting(status)[1] or reason}", HOPELESS[reason], pod)
    if ended and ended.get("reason") in HOPELESS:
        return Trouble(ended["reason"], f"{container}: {said(ended)}", HOPELESS[ended["reason"]], pod, container)
    return None


def said(ended: Obj) -> str:
    """`ended with code 1 (OOMKilled)`."""
    reason = ended.get("reason") or ""
    signal = f", signal {ended['signal']}" if ended.get("signal") else ""
    shown = f" ({reason})" if reason not in ("", "Error", "Completed") else ""
    message = f": {ended['message'].strip()}" if ended.get("message") else ""
    return f"ended with code {ended.get('exitCode', 0)}{signal}{shown}{message}"


def _exit_hint(ended: Obj) -> str:
    code = ended.get("exitCode", 0)
    if ended.get("reason") == "OOMKilled":
        return "it needs more memory than its limit: raise resources.memory (resources.limits.memory in a manifest)"
    if code in (126, 127):
        return "the command cannot be run (127: it is not in the image; 126: it is not executable)"
    if code == 0:
        return "the program ends where it should go on serving: check its command"
    return HOPELESS["CrashLoopBackOff"]


def _waiting(status: Obj) -> tuple[str, str]:
    waiting = (status.get("state") or {}).get("waiting") or {}
    return str(waiting.get("reason") or ""), str(waiting.get("message") or "")


def _statuses(pod: Obj) -> Iterator[tuple[bool, Obj]]:
    """(is it for initialization, status) in the order in which they start; initialization that is done is left out."""
    status = pod.get("status") or {}
    for each in status.get("initContainerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated")
        if not (ended and ended.get("exitCode") == 0) and not each.get("ready"):
            yield True, each
    for each in status.get("containerStatuses") or ():
        yield False, each
