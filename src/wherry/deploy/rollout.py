"""Watch workloads until each has a verdict, telling every change; fetch what a failed container last wrote."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from wherry.client.client import Client
from wherry.client.follow import Followed, View, following
from wherry.client.http import HttpClient
from wherry.clock import Clock
from wherry.deploy.pods import Trouble
from wherry.deploy.verdict import SETTLES, Seen, State, Verdict, Verdicts, judge, stuck
from wherry.objects import Obj, Ref
from wherry.objects.errors import ApiError, Conflict, NotFound

LOOK_SECONDS = 0.5  # time alone changes a verdict too
LOG_LINES = 30


@dataclass(frozen=True)
class Outcome:
    """How it ended. `log` holds the last lines of the container that is to blame."""

    verdicts: Verdicts
    failed: Ref | None = None
    log: tuple[str, ...] = ()
    timed_out: bool = False

    @property
    def trouble(self) -> Trouble | None:
        return self.verdicts[self.failed].trouble if self.failed is not None else None


@dataclass(frozen=True)
class Rollout:
    """Whose rollout is watched, for how long, and who is told."""

    client: HttpClient
    clock: Clock
    tell: Callable[[Verdicts], None]
    timeout: float
    patience: timedelta = field(default=timedelta())

    async def watch(self, refs: Sequence[Ref]) -> Outcome:
        """Until all are done, one has failed, or the time is over."""
        kinds = {"Pod", *(ref.kind for ref in refs)} | ({"ReplicaSet.apps"} if refs else set())
        whats = [Followed(kind, namespace) for kind in sorted(kinds) for namespace in {ref.namespace for ref in refs}]
        events = [
            Followed("Event", namespace, fields="involvedObject.kind=Pod")
            for namespace in {ref.namespace for ref in refs}
        ]
        verdicts: Verdicts = {}
        since: float | None = None
        end = self.clock.monotonic() + self.timeout
        async with following(self.client, *whats, *events) as view:
            while True:
                verdicts = self._judge(refs, view)
                self.tell(verdicts)
                failed = next((ref for ref, one in verdicts.items() if one.state is State.FAILED), None)
                if failed is not None:
                    return Outcome(verdicts, failed, await last_lines(self.client, failed, verdicts[failed].trouble))
                done = all(one.state is State.DONE for one in verdicts.values())
                if done and all(one.settled for one in verdicts.values()):
                    return Outcome(verdicts)
                since = (since or self.clock.monotonic()) if done else None
                if since is not None and self.clock.monotonic() - since >= SETTLES.total_seconds():
                    return Outcome(verdicts)  # whatever the nodes' clocks say
                if self.clock.monotonic() >= end:
                    return Outcome(verdicts, timed_out=True)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await view.change()

    def _judge(self, refs: Sequence[Ref], view: View) -> dict[Ref, Verdict]:
        out = {}
        for ref in refs:
            workload = view.objects.get(ref)
            if workload is None:
                gone = Trouble("Deleted", f"{ref} is gone: somebody has deleted it")
                out[ref] = Verdict(State.FAILED, trouble=gone)
                continue
            seen = Seen(
                workload=workload,
                now=self.clock.now(),
                pods=_in(view.of("Pod"), ref.namespace),
                replicasets=_in(view.of("ReplicaSet.apps"), ref.namespace),
                events=_in(view.of("Event"), ref.namespace),
                patience=self.patience,
            )
            out[ref] = judge(seen)
        return out


def _in(objects: Iterable[Obj], namespace: str) -> list[Obj]:
    return [obj for obj in objects if obj["metadata"].get("namespace") == namespace]


async def look(client: Client, clock: Clock, workload: Obj) -> Seen:
    """Everything that a verdict on `workload` needs, as it is now."""
    namespace = workload["metadata"]["namespace"]

    async def listed(kind: str, fields: str = "") -> Sequence[Obj]:
        return (await client.list(kind, namespace, fields=fields)).items

    return Seen(
        workload=workload,
        now=clock.now(),
        pods=await listed("Pod"),
        replicasets=await listed("ReplicaSet.apps") if workload["kind"] == "Deployment" else (),
        events=await listed("Event", "involvedObject.kind=Pod"),
    )


async def retry_stuck(client: Client, clock: Clock, workload: Obj) -> int:
    """Replace pods that have failed already: whoever asks again wants them tried now, not after their back-off."""
    pods = stuck(await look(client, clock, workload))
    for pod in pods:
        meta = pod["metadata"]
        with contextlib.suppress(NotFound, Conflict):
            await client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"])
    return len(pods)


async def last_lines(client: HttpClient, ref: Ref, trouble: Trouble | None) -> tuple[str, ...]:
    """What the container that is to blame wrote last; nothing where there is none or no log."""
    if trouble is None or not trouble.pod or not trouble.container:
        return ()
    for previous in (True, False) if trouble.previous else (False,):
        with contextlib.suppress(ApiError):
            pieces = client.logs(
                ref.namespace, trouble.pod, container=trouble.container, tailLines=LOG_LINES, previous=previous
            )
            text = b"".join([piece async for piece in pieces]).decode(errors="replace")
            if text.strip():
                return tuple(text.splitlines())
    return ()
