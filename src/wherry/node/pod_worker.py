"""One pod's worker: woken, it looks at runtime and API, plans, starts the steps, and writes the status.

Long steps (pulls, starts, kills, the wait for connections to drain) are tasks of the pod's own group, so that a
deletion, a shorter grace or a probe's verdict never waits behind them; short ones are awaited in order.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from wherry.node import steps
from wherry.node.execute import Execute, Node
from wherry.node.memory import Memory, newest_first
from wherry.node.plan import plan
from wherry.node.probes import Probes
from wherry.node.runtime import RuntimeFailure, Sandbox, State
from wherry.node.seen import Failure, Seen
from wherry.node.seen import container_spec as spec_of
from wherry.node.status import pod_status
from wherry.node.steps import Step
from wherry.node.termination import termination_message
from wherry.objects import Obj
from wherry.objects.errors import ApiError, Conflict, NotFound
from wherry.process import ProgramError

log = logging.getLogger("wherry.node")

FIRST_RETRY, LAST_RETRY = 0.5, 30.0  # seconds, when runtime or API do not answer
_CONFLICTS = 5


class PodWorker:
    """`run` ends when neither API nor runtime have the pod any more."""

    def __init__(self, node: Node, pod: Obj, sandboxes: Iterable[Sandbox], rejected: Failure | None) -> None:
        self.memory = Memory(pod, sandboxes={one.id: one for one in sandboxes}, rejected=rejected)
        self._node = node
        self._do = Execute(node, self.memory)
        self._probes = Probes(node.runtime, node.clock, self._tell_of, self.wake)
        self._woken = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stale = bool(self.memory.sandboxes)  # the runtime has to be asked again
        self._refresh = False  # the volumes' sources have changed
        self._done = False
        self._woken.set()

    # What wakes it

    def wake(self) -> None:
        self._woken.set()

    def pod_changed(self, pod: Obj | None) -> None:
        if self.memory.pod_changed(pod, self._node.clock.now()):
            self.wake()

    def runtime_changed(self) -> None:
        """The runtime did something with it. What a step of our own does, its end tells."""
        if self._ending:
            return
        self._stale = True
        if "sandbox" not in self._running and not self.memory.starting:
            self.wake()

    @property
    def _ending(self) -> bool:
        """Whether all that can happen to it now is what its own end does, step by step."""
        return self.memory.stopping and (self.memory.dropped or any(name.startswith("kill:") for name in self._running))

    def runtime_returned(self) -> None:
        """It was away: what failed meanwhile need not wait any longer."""
        self.memory.retry_now()
        self.runtime_changed()

    def sources_changed(self) -> None:
        self._refresh = True
        self.memory.retry_now()
        self.wake()

    # The loop

    async def run(self) -> None:
        delay = FIRST_RETRY
        async with asyncio.TaskGroup() as self._tasks:
            while not self._done:
                self._woken.clear()
                try:
                    until = await self._pass()
                    delay = FIRST_RETRY
                except (RuntimeFailure, ApiError, ProgramError, OSError) as error:
                    log.warning("pod %s: %s; again in %.1f s", self._name, error, delay)
                    self._stale = True
                    until = self._node.clock.now() + timedelta(seconds=delay)
                    delay = min(delay * 2, LAST_RETRY)
                if not self._done:
                    await self._sleep(until)
            self._probes.stop()
            for task in self._running.values():
                task.cancel()

    @property
    def _name(self) -> str:
        meta = self.memory.pod["metadata"]
        return f"{meta['namespace']}/{meta['name']}"

    async def _sleep(self, until: datetime | None) -> None:
        """Until something wakes the pod, or that moment."""
        if until is None or self._woken.is_set():
            await self._woken.wait()
            return
        seconds = max((until - self._node.clock.now()).total_seconds(), 0.0)
        sleeper = asyncio.ensure_future(self._node.clock.sleep(seconds))
        waker = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()

    async def _pass(self) -> datetime | None:
        """Look, begin what is to be done, write the status; the moment to look again, if there is one."""
        if self._stale:
            await self._look()
        if self._refresh:
            self._refresh = False
            if self.memory.volumes:
                await self._node.volumes.refresh(self.memory.pod)
        seen = self._seen()
        self._probes.keep(seen, self.memory.pod_ip or self._node.settings.address, self._tasks)
        seen = self._seen()
        self._cancel_starts()
        planned = list(plan(seen))
        self._launch(planned)
        first = not self.memory.containers and any(isinstance(step, steps.CreateAndStart) for step in planned)
        over = self.memory.gone or (self.memory.stopping and self.memory.dropped)
        if not over and not first:  # the first start's end tells all of it at once, if nothing does before
            await self._write_status()
        if await self._do_short(planned):
            self.wake()
        moments = [step.until for step in planned if isinstance(step, steps.Wait)]
        renewal = self._node.volumes.tokens.renewal(self.memory.uid)
        if renewal is not None and self.memory.volumes:
            if renewal <= seen.now:
                self._refresh = True
                self.wake()
            moments.append(renewal)
        return min(moments, default=None)

    def _seen(self) -> Seen:
        return self.memory.seen(self._node.clock.now(), self._running, self._probes.results)

    async def _look(self) -> None:
        """Ask the runtime what it has of this pod."""
        self._stale = False
        memory, runtime = self.memory, self._node.runtime
        for sandbox_id in list(memory.sandboxes):
            try:
                memory.sandboxes[sandbox_id] = await runtime.sandbox(sandbox_id)
            except RuntimeFailure as error:
                if error.code != "NOT_FOUND":
                    raise
                memory.sandboxes.pop(sandbox_id, None)
        containers = newest_first(await runtime.containers(pod_uid=memory.uid))
        for container in containers:
            if container.state is State.EXITED and container.id not in memory.messages:
                memory.messages[container.id] = await asyncio.to_thread(termination_message, container)
        memory.containers = containers
        known = {container.id for container in containers}
        for forgotten in set(memory.messages) - known:
            del memory.messages[forgotten]

    # Steps

    def _cancel_starts(self) -> None:
        """A pod that is to end is not started any further; what its start has done already is seen at the next look."""
        if self.memory.stopping and "start" in self._running:
            self._running["start"].cancel()

    def _launch(self, planned: Sequence[Step]) -> None:
        """Begin the long steps."""
        starts = [step for step in planned if isinstance(step, steps.CreateAndStart)]
        if starts:
            self.memory.starting = {step.container for step in starts}
            self._begin("start", self._do.start(starts))
        for step in planned:
            match step:
                case steps.MakeVolumes():
                    self._begin("volumes", self._do.make_volumes())
                case steps.RunSandbox():
                    self._begin("sandbox", self._do.run_sandbox(step))
                case steps.Pull(name):
                    self._begin(f"pull:{name}", self._do.pull(name))
                case steps.Withdraw():
                    self._begin("withdraw", self._do.withdraw(step))
                case steps.PreStop(id=container_id):
                    self._begin(f"prestop:{container_id}", self._do.pre_stop(step))
                case steps.Kill(id=container_id):
                    self._kill(step, container_id)
                case steps.Tell(key, type, reason, message, name):
                    container = spec_of(self.memory.pod, name) if name else None
                    self._do.tell_once(key, type, reason, message, container)

    def _kill(self, step: steps.Kill, container_id: str) -> None:
        """A kill that is to come sooner takes the place of the one under way."""
        for name in (f"kill:{container_id}", f"prestop:{container_id}"):
            if name in self._running:
                self._running.pop(name).cancel()
        self.memory.killing[container_id] = step.by
        self._begin(f"kill:{container_id}", self._do.kill(step))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(self._guarded(name, work), name=f"{self._name} {name}")
        self._running[name] = task
        task.add_done_callback(lambda ended: self._ended(name, ended))

    async def _guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (RuntimeFailure, ApiError, ProgramError, OSError) as error:
            log.warning("pod %s: %s: %s", self._name, name, error)
            await self._node.clock.sleep(FIRST_RETRY)

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        if self._running.get(name) is not task:
            return  # another has taken its place
        del self._running[name]
        kind, _, subject = name.partition(":")
        if kind == "kill":
            self.memory.killing.pop(subject, None)
        elif kind == "start":
            self.memory.starting = set()
        if kind in ("start", "kill", "sandbox"):
            self._stale = True
        self.wake()

    async def _do_short(self, planned: Sequence[Step]) -> bool:
        """The steps that others wait for, in order; whether there were any."""
        did = False
        for step in planned:
            match step:
                case steps.StopSandbox(sandbox_id):
                    await self._do.stop_sandbox(sandbox_id)
                case steps.RemoveContainer(container_id):
                    await self._do.remove_container(container_id)
                case steps.RemoveSandbox(sandbox_id):
                    await self._do.remove_sandbox(sandbox_id)
                case steps.DropVolumes():
                    await self._do.drop_volumes()
                case steps.Finalize():
                    await self._do.finalize()
                case steps.Forget():
                    await self._do.forget()
                    self._done = True
                case _:
                    continue
            did = True  # what each did is known: no need to ask the runtime
        return did

    # Status

    async def _write_status(self) -> None:
        """Write what differs from what the API has; a conflict means that somebody else was quicker."""
        for _ in range(_CONFLICTS):
            status = pod_status(self._seen(), host_ip=self._node.settings.address)
            pod = self.memory.pod
            if status == pod.get("status"):
                return
            try:
                written = await self._node.client.update({**pod, "status": status}, subresource="status")
            except Conflict:
                meta = pod["metadata"]
                try:
                    newest = await self._node.client.get("Pod", meta["namespace"], meta["name"])
                except NotFound:
                    return
                if newest["metadata"]["uid"] != meta["uid"]:
                    return
                self.memory.pod_changed(newest, self._node.clock.now())
                continue
            except NotFound:
                return  # the mirror will tell
            self.memory.pod_changed(written, self._node.clock.now())
            return

    def _tell_of(self, container: Obj, type: str, reason: str, message: str) -> None:
        self._do.tell(type, reason, message, container)
