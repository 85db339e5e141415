"""What `plan` and `status` may look at: one pod as the API wants it and as the runtime has it, and what this process
remembers of it. Pure values, and the few questions that both ask of them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from wherry.node.runtime import Container, Sandbox, State
from wherry.objects import Obj
from wherry.objects.times import parse

HASH = "io.kubernetes.container.hash"
GRACE = "io.kubernetes.pod.terminationGracePeriod"
BACKOFF = "wherry.io/backoff-seconds"  # on a container: how long its successor waits after its end

FIRST_BACKOFF, LAST_BACKOFF = 10.0, 300.0
FORGIVEN_AFTER = timedelta(seconds=2 * LAST_BACKOFF)
DEFAULT_GRACE = 30.0

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a container has not been started. `until`: not tried again before (None: when something wakes the pod)."""

    reason: str
    message: str = ""
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What the probes say of one running container. `failed`: `liveness` or `startup` has given it up."""

    started: bool = True
    ready: bool = True
    failed: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at one pod. `pod` is the API's object, or what was last known of it when `gone`."""

    pod: Obj
    now: datetime
    gone: bool = False
    sandboxes: Sequence[Sandbox] = ()  # newest attempt first
    containers: Sequence[Container] = ()  # newest first
    deletion_seen: datetime | None = None  # when this process saw its deletionTimestamp, or that it was gone
    volumes: bool = False  # they are made
    withdrawn: bool = False  # no more requests come to the pod
    dropped: bool = False  # its volumes are gone again
    finalized: bool = False  # the API has been told that it may go
    rejected: Failure | None = None  # this node will not run it
    images: Mapping[str, str] = field(default_factory=lambda: _NOTHING)  # by container name: the id for its next start
    failures: Mapping[str, Failure] = field(default_factory=lambda: _NOTHING)  # by container name
    probes: Mapping[str, Probed] = field(default_factory=lambda: _NOTHING)  # by container id
    killing: Mapping[str, datetime] = field(default_factory=lambda: _NOTHING)  # by container id: its SIGKILL
    prestopped: frozenset[str] = frozenset()  # container ids whose preStop hook has ended
    messages: Mapping[str, str] = field(default_factory=lambda: _NOTHING)  # termination messages by container id
    busy: frozenset[str] = frozenset()  # what is under way: `sandbox`, `volumes`, `start:NAME`, `pull:NAME`, ...

    @property
    def spec(self) -> Obj:
        spec: Obj = self.pod["spec"]
        return spec

    @property
    def status(self) -> Obj:
        return self.pod.get("status") or {}

    @property
    def sandbox(self) -> Sandbox | None:
        """The one that the pod runs in."""
        return next((sandbox for sandbox in self.sandboxes if sandbox.ready), None)

    def last(self, name: str) -> Container | None:
        """The newest container of that name, in any sandbox."""
        return next((one for one in self.containers if one.name == name), None)

    def current(self, name: str) -> Container | None:
        """The newest container of that name in the sandbox that the pod runs in."""
        sandbox = self.sandbox
        last = self.last(name)
        return last if sandbox is not None and last is not None and last.sandbox_id == sandbox.id else None

    def running(self) -> Iterator[Container]:
        """What may have a process."""
        return (one for one in self.containers if one.state in (State.RUNNING, State.UNKNOWN))


def init_containers(pod: Obj) -> Sequence[Obj]:
    return pod["spec"].get("initContainers") or ()


def main_containers(pod: Obj) -> Sequence[Obj]:
    return pod["spec"].get("containers") or ()


def ephemeral_containers(pod: Obj) -> Sequence[Obj]:
    return pod["spec"].get("ephemeralContainers") or ()


def container_spec(pod: Obj, name: str) -> Obj | None:
    every = (*main_containers(pod), *init_containers(pod), *ephemeral_containers(pod))
    return next((one for one in every if one["name"] == name), None)


def is_sidecar(container: Obj) -> bool:
    """An init container that runs beside the main ones."""
    return container.get("restartPolicy") == "Always"


def pod_label(pod: Obj) -> str:
    """How upstream names a pod in messages."""
    meta = pod["metadata"]
    return f"{meta['name']}_{meta['namespace']}({meta['uid']})"


def spec_hash(container: Obj) -> str:
    """What of a container cannot change without a new one (upstream: its name and image)."""
    fixed = json.dumps([container["name"], container.get("image", "")])
    return hashlib.sha256(fixed.encode()).hexdigest()[:8]


def changed(container: Obj, last: Container) -> bool:
    return last.annotations.get(HASH, spec_hash(container)) != spec_hash(container)


def old_status(pod: Obj, name: str) -> Obj:
    """What the API last knew of the container."""
    status = pod.get("status") or {}
    for group in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(group) or ():
            if one.get("name") == name:
                found: Obj = one
                return found
    return {}


def next_attempt(seen: Seen, name: str) -> int:
    """The restart count of the container's next start: survives that the runtime forgets."""
    last, old = seen.last(name), old_status(seen.pod, name)
    if last is not None and last.state is State.CREATED:
        return last.attempt
    known = int(old.get("restartCount", 0)) if old.get("containerID") or old.get("lastState") else -1
    return max(last.attempt if last else -1, known) + 1


def backoff(last: Container) -> float:
    """How long after its end a container is not started again."""
    if last.finished is not None and last.finished - last.created > FORGIVEN_AFTER:
        return 0.0
    return float(last.annotations.get(BACKOFF, "0"))


def next_backoff(last: Container | None) -> float:
    """The back-off that a container's successor gets."""
    if last is None:
        return 0.0
    return min(max(backoff(last) * 2, FIRST_BACKOFF), LAST_BACKOFF)


def held_until(last: Container | None) -> datetime | None:
    """When an ended container may be started again."""
    if last is None or last.state is not State.EXITED or last.finished is None:
        return None
    return last.finished + timedelta(seconds=backoff(last))


def should_restart(pod: Obj, container: Obj, last: Container | None) -> bool:
    """Whether a container that is not running is wanted again."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    if last is None or last.state is State.CREATED:
        return True
    if last.state is State.RUNNING:
        return False
    policy = pod["spec"].get("restartPolicy", "Always")
    if is_sidecar(container) or policy == "Always" or last.state is State.UNKNOWN:
        return True
    return policy == "OnFailure" and last.exit_code != 0


def failed_init(seen: Seen) -> Container | None:
    """The init container whose end is the pod's, as it may not be tried again."""
    if seen.spec.get("restartPolicy") != "Never":
        return None
    for container in init_containers(seen.pod):
        last = seen.last(container["name"])
        if not is_sidecar(container) and last is not None and last.state is State.EXITED and last.exit_code:
            return last
    return None


def past_deadline(seen: Seen) -> datetime | None:
    """When the pod's activeDeadlineSeconds ran out."""
    ends = deadline(seen)
    return ends if ends is not None and ends <= seen.now else None


def deadline(seen: Seen) -> datetime | None:
    seconds, start = seen.spec.get("activeDeadlineSeconds"), seen.status.get("startTime")
    return parse(start) + timedelta(seconds=seconds) if seconds is not None and start else None


def grace_seconds(pod: Obj) -> float:
    seconds = pod["spec"].get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE if seconds is None else float(seconds)


def ended(seen: Seen) -> bool:
    """Every main container has ended for good, or the pod has been given up: it will be Succeeded or Failed."""
    if seen.status.get("phase") in ("Succeeded", "Failed"):
        return True
    if seen.rejected is not None or past_deadline(seen) is not None or failed_init(seen) is not None:
        return True
    if seen.spec.get("restartPolicy") == "Never" and seen.sandboxes and seen.sandbox is None and seen.containers:
        return True  # its sandbox is gone, and it may run only once
    for container in main_containers(seen.pod):
        last = seen.last(container["name"])
        if last is None:
            old = old_status(seen.pod, container["name"]).get("state") or {}
            if "terminated" not in old or seen.spec.get("restartPolicy") == "Always":
                return False
        elif last.state is State.RUNNING or should_restart(seen.pod, container, last):
            return False
    return True


def stopping(seen: Seen) -> bool:
    return seen.gone or bool(seen.pod["metadata"].get("deletionTimestamp"))


def stop_by(seen: Seen) -> datetime:
    """When the grace of a pod that is to end is over."""
    if seen.gone and seen.deletion_seen is not None:
        return seen.deletion_seen  # it was deleted by force
    meta = seen.pod["metadata"]
    stamp = meta.get("deletionTimestamp")
    if stamp:
        latest = parse(stamp) + timedelta(seconds=1)  # the API's times have whole seconds
        grace = meta.get("deletionGracePeriodSeconds")
        if seen.deletion_seen is None or grace is None:
            return latest
        return min(latest, seen.deletion_seen + timedelta(seconds=grace))
    since = past_deadline(seen) or seen.deletion_seen
    failed = failed_init(seen)
    if since is None:
        ends = [one.finished for one in seen.containers if one.finished is not None]
        since = failed.finished if failed is not None and failed.finished else max(ends, default=seen.now)
    return since + timedelta(seconds=grace_seconds(seen.pod))
