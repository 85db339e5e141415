"""What a pod needs next: its objects and what the runtime has -> steps. Pure; the rules are the kubelet's.

A worker carries the steps out and asks again. When nothing is missing, nothing is yielded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wherry.node.runtime import Container, Sandbox, State
from wherry.objects import Obj

FIRST_DELAY, LAST_DELAY = 10.0, 300.0
"""Seconds before a second restart, and at most before any."""
FORGIVEN = timedelta(minutes=10)
"""A run of this length makes up for the failures before it."""


@dataclass(frozen=True)
class RunSandbox:
    attempt: int


@dataclass(frozen=True)
class Start:
    """Create and start a container; `attempt` is its restart count."""

    container: str
    attempt: int
    init: bool = False


@dataclass(frozen=True)
class Kill:
    container: Container
    message: str


@dataclass(frozen=True)
class Wait:
    """Ask again after so many seconds."""

    seconds: float


Step = RunSandbox | Start | Kill | Wait


@dataclass(frozen=True)
class PodState:
    """What the runtime has of one pod, and what the probes say."""

    sandbox: Sandbox | None
    containers: Sequence[Container] = ()
    started: Mapping[str, bool] = field(default_factory=dict)  # by container id; absent: no startup probe
    failed: Mapping[str, str] = field(default_factory=dict)  # container id -> why a probe wants it restarted

    def latest(self, name: str) -> Container | None:
        mine = [container for container in self.containers if container.name == name]
        return max(mine, key=lambda container: (container.attempt, container.created), default=None)


def restart_delay(attempt: int, last: Container, now: datetime) -> float:
    """Seconds until a container may start for the `attempt`th time; 0: now."""
    if attempt < 2 or last.finished is None:
        return 0.0
    if last.started is not None and last.finished - last.started > FORGIVEN:
        return 0.0
    delay: float = min(FIRST_DELAY * 2.0 ** min(attempt - 2, 10), LAST_DELAY)
    return max(delay - (now - last.finished).total_seconds(), 0.0)


def is_sidecar(container: Obj) -> bool:
    return container.get("restartPolicy") == "Always"


def plan(pod: Obj, state: PodState, now: datetime) -> Iterator[Step]:
    """The next steps of a pod that is to run."""
    spec = pod["spec"]
    if finished_phase(pod, state) is not None:
        return
    if state.sandbox is None or not state.sandbox.ready:
        yield RunSandbox(state.sandbox.attempt + 1 if state.sandbox else 0)
        return
    for container in spec.get("initContainers") or ():
        yield from _init(pod, container, state, now)
        if not passed(container, state):
            return
    for container in spec["containers"]:
        yield from _keep(container, state, now, spec.get("restartPolicy", "Always"), init=False)


def passed(container: Obj, state: PodState) -> bool:
    """Whether an init container is done, or a sidecar is up."""
    last = state.latest(container["name"])
    if last is None:
        return False
    if is_sidecar(container):
        return last.state is State.RUNNING and state.started.get(last.id, True)
    return last.state is State.EXITED and last.exit_code == 0


def _init(pod: Obj, container: Obj, state: PodState, now: datetime) -> Iterator[Step]:
    if is_sidecar(container):
        yield from _keep(container, state, now, "Always", init=True)
    else:
        never = pod["spec"].get("restartPolicy", "Always") == "Never"
        yield from _keep(container, state, now, "Never" if never else "OnFailure", init=True)


def _keep(container: Obj, state: PodState, now: datetime, policy: str, *, init: bool) -> Iterator[Step]:
    """Start what does not run and should, kill what a probe has given up on."""
    name = container["name"]
    last = state.latest(name)
    if last is None or last.state is State.CREATED:
        yield Start(name, 0 if last is None else last.attempt + 1, init)
    elif last.state is State.RUNNING:
        if last.id in state.failed:
            yield Kill(last, state.failed[last.id])
    elif policy == "Always" or (policy == "OnFailure" and last.exit_code != 0):
        attempt = last.attempt + 1
        delay = restart_delay(attempt, last, now)
        yield Wait(delay) if delay > 0 else Start(name, attempt, init)


def finished_phase(pod: Obj, state: PodState) -> str | None:
    """Succeeded or Failed once no container will run again, else None."""
    spec = pod["spec"]
    known: str | None = (pod.get("status") or {}).get("phase")
    if known in ("Succeeded", "Failed"):
        return known
    policy = spec.get("restartPolicy", "Always")
    if policy == "Always":
        return None
    for container in spec.get("initContainers") or ():
        last = state.latest(container["name"])
        if policy == "Never" and not is_sidecar(container) and last and last.state is State.EXITED and last.exit_code:
            return "Failed"
    ends = [state.latest(container["name"]) for container in spec["containers"]]
    if any(end is None or end.state is not State.EXITED for end in ends):
        return None
    if not any(end.exit_code for end in ends if end is not None):
        return "Succeeded"
    return "Failed" if policy == "Never" else None
