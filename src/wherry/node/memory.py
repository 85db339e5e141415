"""What a pod's worker remembers between two looks. All of it can be lost: the runtime and the API know the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wherry.node.runtime import Container, Image, Sandbox
from wherry.node.seen import Failure, Probed, Seen, container_spec
from wherry.objects import Obj

FIRST_RETRY, LAST_RETRY = 1.0, 60.0  # seconds, between tries of what is not in the pod's hands


@dataclass
class Memory:
    """Of one pod. `pod` is the newest that was seen, from the mirror or as an answer to an own write."""

    pod: Obj
    gone: bool = False
    deletion_seen: datetime | None = None
    volumes: bool = False
    withdrawn: bool = False
    dropped: bool = False
    finalized: bool = False
    rejected: Failure | None = None
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    containers: Sequence[Container] = ()
    images: dict[str, tuple[str, Image]] = field(default_factory=dict)  # by container: as written, as found
    failures: dict[str, Failure] = field(default_factory=dict)
    killing: dict[str, datetime] = field(default_factory=dict)
    prestopped: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)
    told: dict[str, None] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)  # containers of the start that is under way
    _retries: dict[str, float] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return str(self.pod["metadata"]["uid"])

    def seen(self, now: datetime, tasks: Iterable[str], probes: dict[str, Probed]) -> Seen:
        busy = {f"start:{name}" for name in self.starting} | {task for task in tasks if task != "start"}
        return Seen(
            pod=self.pod,
            now=now,
            gone=self.gone,
            sandboxes=sorted(self.sandboxes.values(), key=lambda one: one.attempt, reverse=True),
            containers=self.containers,
            deletion_seen=self.deletion_seen,
            volumes=self.volumes,
            withdrawn=self.withdrawn,
            dropped=self.dropped,
            finalized=self.finalized,
            rejected=self.rejected,
            images={name: image.id for name, (asked, image) in self.images.items() if asked == self._asked(name)},
            failures=dict(self.failures),
            probes=dict(probes),
            killing=dict(self.killing),
            prestopped=frozenset(self.prestopped),
            messages=self.messages,
            busy=frozenset(busy),
        )

    def _asked(self, name: str) -> str:
        return str((container_spec(self.pod, name) or {}).get("image", ""))

    def pod_changed(self, pod: Obj | None, now: datetime) -> bool:
        """The mirror's news. None: the object is gone. False: not news, but what an own write has returned before."""
        if pod is None:
            if not self.gone:
                self.gone, self.deletion_seen = True, now
            return True
        if pod is not self.pod and 0 < _revision(pod) <= _revision(self.pod):
            return False
        before = self.pod["metadata"].get("deletionTimestamp")
        after = pod["metadata"].get("deletionTimestamp")
        if after and (after != before or self.deletion_seen is None):
            self.deletion_seen = now
        self.pod = pod
        return True

    def failed(self, name: str, reason: str, message: str, now: datetime) -> None:
        """Remember why something could not be done; it is tried again after a growing while."""
        seconds = self._retries.get(name, FIRST_RETRY)
        self._retries[name] = min(seconds * 2, LAST_RETRY)
        self.failures[name] = Failure(reason=reason, message=message, until=now + timedelta(seconds=seconds))

    def worked(self, name: str) -> None:
        self.failures.pop(name, None)
        self._retries.pop(name, None)

    def retry_now(self) -> None:
        """Something that failed tries may wait for has changed."""
        for name, failure in list(self.failures.items()):
            if failure.reason not in ("ErrImagePull", "ImagePullBackOff"):
                self.failures[name] = Failure(reason=failure.reason, message=failure.message)

    @property
    def pod_ip(self) -> str:
        """Where its containers are reached; "" on the host's network."""
        return next((sandbox.ip for sandbox in self.sandboxes.values() if sandbox.ready), "")

    @property
    def stopping(self) -> bool:
        return self.gone or bool(self.pod["metadata"].get("deletionTimestamp"))


def _revision(obj: Obj) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def newest_first(containers: Iterable[Container]) -> list[Container]:
    return sorted(containers, key=lambda one: (one.created, one.attempt), reverse=True)
