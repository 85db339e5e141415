"""The workers: one task per pod, woken by its objects, its runtime events and its probes; each carries out its plan.

The order in which a pod stops is the product's promise: out of the routing and drained -> preStop -> SIGTERM -> SIGKILL
after the grace -> sandbox and volumes gone -> the object deleted.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wherry.client.client import Client
from wherry.client.mirror import Mirror
from wherry.client.reconcile import Record
from wherry.clock import Clock
from wherry.node.pods.environment import ConfigError, Surroundings, environment
from wherry.node.pods.plan import Kill, PodState, RunSandbox, Start, Step, Wait, plan
from wherry.node.pods.probes import Probe
from wherry.node.pods.specs import NodeSettings, container_spec, log_directory, sandbox_spec
from wherry.node.pods.status import Facts, crash_loop, pod_status
from wherry.node.pods.volumes import MountError, Volumes
from wherry.node.ports import Routing
from wherry.node.runtime import Container, Image, Runtime, RuntimeFailure, Sandbox, State
from wherry.objects import Obj
from wherry.objects.errors import ApiError, Conflict, NotFound
from wherry.objects.times import parse as parse_time

log = logging.getLogger("wherry.node")

RETRY, LONGEST_RETRY = 1.0, 300.0  # seconds between tries of what failed
PROBES = {"readiness": "readinessProbe", "liveness": "livenessProbe", "startup": "startupProbe"}


@dataclass
class PodWorkers:
    """All pods bound to this node."""

    client: Client
    mirror: Mirror
    runtime: Runtime
    routing: Routing
    clock: Clock
    record: Record
    settings: NodeSettings
    _workers: "dict[str, Worker]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.starts = asyncio.Semaphore(self.settings.parallel_starts)
        self.volumes = Volumes(Path(self.settings.root), self.client, self.mirror)

    async def run(self) -> None:
        """Adopt what runs, then look after every pod until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self.tasks = tasks
            self.mirror.on_change(["Pod"], self._pod_changed)
            self.mirror.on_change(["ConfigMap", "Secret"], self._source_changed)
            known = {
                sandbox.uid: sandbox for sandbox in sorted(await self.runtime.sandboxes(), key=lambda s: s.attempt)
            }
            for pod in self.mirror.list("Pod"):
                if pod["spec"].get("nodeName") == self.settings.name:
                    self._worker(pod, known.pop(pod["metadata"]["uid"], None)).wake.set()
            for orphan in known.values():
                tasks.create_task(self._remove(orphan), name=f"orphan {orphan.name}")
            async for event in self.runtime.events():
                woken = [self._workers.get(event.uid)] if event.uid else list(self._workers.values())
                for worker in woken:
                    if worker is not None:
                        worker.wake.set()

    def _worker(self, pod: Obj, sandbox: Sandbox | None = None) -> "Worker":
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if worker is None:
            worker = self._workers[uid] = Worker(self, pod, sandbox)
            self.tasks.create_task(worker.run(), name=f"pod {pod['metadata']['name']}")
        return worker

    def _pod_changed(self, new: Obj | None, old: Obj | None) -> None:
        pod = new or old
        if pod is None or pod["spec"].get("nodeName") != self.settings.name:
            return
        if new is None and pod["metadata"]["uid"] not in self._workers:
            return
        self._worker(pod).changed(new)

    def _source_changed(self, new: Obj | None, old: Obj | None) -> None:
        namespace = ((new or old) or {"metadata": {}})["metadata"].get("namespace")
        for worker in self._workers.values():
            if worker.pod["metadata"]["namespace"] == namespace:
                worker.stale = True
                worker.wake.set()

    def forget(self, uid: str) -> None:
        self._workers.pop(uid, None)

    async def _remove(self, sandbox: Sandbox) -> None:
        """A pod that the runtime has and the API has not."""
        with contextlib.suppress(RuntimeFailure):
            await self.runtime.stop_sandbox(sandbox.id)
            await self.runtime.remove_sandbox(sandbox.id)
        await asyncio.to_thread(shutil.rmtree, Path(self.settings.root) / "pods" / sandbox.uid, True)


class Worker:
    """One pod, from its binding to its end."""

    def __init__(self, all_: PodWorkers, pod: Obj, sandbox: Sandbox | None) -> None:
        self._all, self.pod, self._sandbox = all_, pod, sandbox
        self.wake = asyncio.Event()
        self.stale = True  # volumes want to be looked at
        self._gone = False
        self._tries = 0
        self._waiting: dict[str, tuple[str, str]] = {}
        self._ready: dict[str, bool] = {}
        self._started: dict[str, bool] = {}
        self._failed: dict[str, str] = {}
        self._probes: dict[str, list[asyncio.Task[None]]] = {}
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            if status.get("containerID"):  # what held before a restart of the engine still holds
                self._ready[status["containerID"].removeprefix("containerd://")] = bool(status.get("ready"))

    def changed(self, pod: Obj | None) -> None:
        if pod is None:
            self._gone = True
        else:
            self.pod = pod
        self.wake.set()

    async def run(self) -> None:
        uid = self.pod["metadata"]["uid"]
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                if self._gone or self.pod["metadata"].get("deletionTimestamp"):
                    await self._end()
                    return
                pause = await self._pass()
                if pause is not None:
                    asyncio.get_running_loop().call_later(pause, self.wake.set)
        finally:
            for container in list(self._probes):
                self._stop_probes(container)
            self._all.forget(uid)

    # -- one pass: look, plan, act, tell

    async def _pass(self) -> float | None:
        """Seconds until the next look, if it needs a timer."""
        pause: float | None = None
        try:
            while True:
                state = await self._state()
                self._watch_probes(state)
                steps = list(plan(self.pod, state, self._all.clock.now()))
                acted = [step for step in steps if not isinstance(step, Wait)]
                waits = [step.seconds for step in steps if isinstance(step, Wait)]
                pause = min(waits, default=None)
                await self._tell(state)
                if self.stale and state.sandbox is not None and not acted:
                    self.stale = False
                    await self._all.volumes.make(self.pod, self._around(state))
                if not acted:
                    self._tries = 0
                    return pause
                for step in acted:
                    await self._act(step, state)
                if self.pod["metadata"].get("deletionTimestamp") or self._gone:
                    self.wake.set()
                    return None
        except (RuntimeFailure, MountError, ConfigError) as error:
            self._tries += 1
            log.info("pod %s: %s", self.pod["metadata"]["name"], error)
            with contextlib.suppress(RuntimeFailure):
                await self._tell(await self._state())
            return min(RETRY * 2.0 ** min(self._tries - 1, 9), LONGEST_RETRY)

    async def _state(self) -> PodState:
        runtime, uid = self._all.runtime, self.pod["metadata"]["uid"]
        if self._sandbox is not None:
            try:
                self._sandbox = await runtime.sandbox(self._sandbox.id)
            except RuntimeFailure as error:
                if error.code != "NOT_FOUND":
                    raise
                self._sandbox = None
        containers = await runtime.containers(pod_uid=uid) if self._sandbox is not None else ()
        return PodState(self._sandbox, containers, dict(self._started), dict(self._failed))

    def _around(self, state: PodState) -> Surroundings:
        settings = self._all.settings
        host = bool(self.pod["spec"].get("hostNetwork"))
        ip = settings.ip if host or state.sandbox is None else state.sandbox.ip
        return Surroundings(settings.name, settings.ip, ip)

    async def _act(self, step: Step, state: PodState) -> None:
        match step:
            case RunSandbox(attempt):
                await self._run_sandbox(attempt)
            case Start(name, attempt):
                async with self._all.starts:
                    await self._start(self._container(name), attempt, state)
            case Kill(container, message):
                self._event("Normal", "Killing", message)
                self._stop_probes(container.id)
                await self._all.runtime.stop_container(container.id, self._grace())
                self._failed.pop(container.id, None)

    def _container(self, name: str) -> Obj:
        spec = self.pod["spec"]
        every: Iterable[Obj] = [*(spec.get("initContainers") or ()), *spec["containers"]]
        return next(container for container in every if container["name"] == name)

    def _grace(self) -> float:
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    async def _run_sandbox(self, attempt: int) -> None:
        runtime, settings = self._all.runtime, self._all.settings
        await asyncio.to_thread(os.makedirs, log_directory(self.pod, settings), 0o755, True)
        around = Surroundings(settings.name, settings.ip, "")
        try:
            await self._all.volumes.make(self.pod, around)
        except MountError as error:
            self._event("Warning", "FailedMount", str(error))
            raise
        if self._sandbox is not None:
            await runtime.stop_sandbox(self._sandbox.id)
            await runtime.remove_sandbox(self._sandbox.id)
        try:
            async with self._all.starts:
                sandbox_id = await runtime.run_sandbox(sandbox_spec(self.pod, settings, attempt))
        except RuntimeFailure as error:
            said = f"Failed to create pod sandbox: {error.message}"
            self._event("Warning", "FailedCreatePodSandBox", said)
            raise
        self._sandbox = await runtime.sandbox(sandbox_id)

    async def _start(self, container: Obj, attempt: int, state: PodState) -> None:
        runtime, name = self._all.runtime, container["name"]
        image = await self._image(container)
        try:
            env = environment(self.pod, container, self._all.mirror, self._around(state))
            mounts = list(self._all.volumes.mounts(self.pod, container))
            spec = container_spec(self.pod, container, image, attempt, env, mounts)
        except ConfigError as error:
            self._waiting[name] = ("CreateContainerConfigError", str(error))
            self._event("Warning", "Failed", f"Error: {error}")
            raise
        assert self._sandbox is not None, "a container starts in a sandbox"
        parent = sandbox_spec(self.pod, self._all.settings, self._sandbox.attempt)
        try:
            container_id = await runtime.create_container(self._sandbox.id, spec, parent)
            self._event("Normal", "Created", f"Created container: {name}")
            await runtime.start_container(container_id)
        except RuntimeFailure as error:
            self._waiting[name] = ("RunContainerError", error.message)
            self._event("Warning", "Failed", f"Error: {error.message}")
            raise
        self._waiting.pop(name, None)
        self._event("Normal", "Started", f"Started container {name}")

    async def _image(self, container: Obj) -> Image:
        """The container's image, pulled if its policy says so. Raises RuntimeFailure."""
        runtime, reference = self._all.runtime, container["image"]
        policy, name = container.get("imagePullPolicy", "IfNotPresent"), container["name"]
        known = await runtime.image(reference)
        if known is not None and (policy != "Always" or known.pinned):
            self._event("Normal", "Pulled", f'Container image "{reference}" already present on machine')
            return known
        if policy == "Never":
            said = f'Container image "{reference}" is not present with pull policy of Never'
            self._waiting[name] = ("ErrImageNeverPull", said)
            self._event("Warning", "ErrImageNeverPull", said)
            raise RuntimeFailure("NOT_FOUND", said)
        if self._waiting.get(name, ("",))[0] != "ImagePullBackOff":
            self._event("Normal", "Pulling", f'Pulling image "{reference}"')
        try:
            await runtime.pull(reference, None)
        except RuntimeFailure as error:
            said = f'Failed to pull image "{reference}": {error.message}'
            self._event("Warning", "Failed", said)
            reason = "ErrImagePull" if self._tries == 0 else "ImagePullBackOff"
            back_off = f'Back-off pulling image "{reference}": {error.message}'
            self._waiting[name] = (reason, error.message if self._tries == 0 else back_off)
            raise
        self._event("Normal", "Pulled", f'Successfully pulled image "{reference}"')
        pulled = await runtime.image(reference)
        if pulled is None:
            raise RuntimeFailure("NOT_FOUND", f"{reference} was pulled and is not there")
        return pulled

    def _event(self, type_: str, reason: str, message: str) -> None:
        self._all.record(self.pod, type_, reason, message)

    # -- telling

    async def _tell(self, state: PodState) -> None:
        """Write the status if it says something new."""
        now = self._all.clock.now()
        waiting = dict(self._waiting)
        for container in self.pod["spec"]["containers"]:
            looping = crash_loop(container, self.pod, state, now)
            if looping is not None:
                waiting[container["name"]] = looping
        status = pod_status(self.pod, state, Facts(now, self._all.settings.ip, dict(self._ready), waiting))
        for _ in range(5):
            if status == self.pod.get("status"):
                return
            try:
                self.pod = await self._all.client.update({**self.pod, "status": status}, subresource="status")
                return
            except Conflict:
                meta = self.pod["metadata"]
                with contextlib.suppress(NotFound):
                    self.pod = await self._all.client.get("Pod", meta["namespace"], meta["name"])
            except NotFound:
                return
            except ApiError as error:
                log.warning("pod %s: status: %s", self.pod["metadata"]["name"], error.message)
                return

    # -- probes

    def _watch_probes(self, state: PodState) -> None:
        """A task for each probe of each running container, and none for others."""
        running = {c.id: c for c in state.containers if c.state is State.RUNNING}
        for container_id in [known for known in self._probes if known not in running]:
            self._stop_probes(container_id)
        for container_id, container in running.items():
            spec = self._container(container.name)
            if container_id not in self._probes and any(field in spec for field in PROBES.values()):
                self._start_probes(container, spec, state)
            elif self._probes.get(container_id) == [] and self._started.get(container_id, True):
                self._probes[container_id] = self._probe_tasks(container, spec, state, ("readiness", "liveness"))

    def _start_probes(self, container: Container, spec: Obj, state: PodState) -> None:
        if "readinessProbe" in spec:
            self._ready.setdefault(container.id, False)
        first: tuple[str, ...] = ("readiness", "liveness")
        if "startupProbe" in spec and not self._ready.get(container.id):
            self._started[container.id] = False
            first = ("startup",)
        self._probes[container.id] = self._probe_tasks(container, spec, state, first)

    def _probe_tasks(
        self, container: Container, spec: Obj, state: PodState, which: Iterable[str]
    ) -> list[asyncio.Task[None]]:
        tasks = []
        for what in which:
            field_ = PROBES[what]
            if field_ not in spec:
                continue
            ip = self._around(state).pod_ip
            probe = Probe(what, spec[field_], spec, container.id, ip, self._all.runtime, self._all.clock)
            held = (
                self._ready.get(container.id) or None if what == "readiness" else True if what == "liveness" else None
            )

            def told(what: str, passes: bool, said: str, container: Container = container) -> None:
                self._told(container, what, passes, said)

            def failed(what: str, said: str) -> None:
                self._event("Warning", "Unhealthy", f"{what.capitalize()} probe failed: {said}")

            tasks.append(self._all.tasks.create_task(probe.run(told, failed, held=held)))
        return tasks

    def _told(self, container: Container, what: str, passes: bool, said: str) -> None:
        if what == "readiness":
            self._ready[container.id] = passes
        elif what == "startup" and passes:
            self._started[container.id] = True
            self._probes[container.id] = []  # the others' turn
        elif not passes:
            self._failed[container.id] = f"Container {container.name} failed {what} probe, will be restarted"
        self.wake.set()

    def _stop_probes(self, container_id: str) -> None:
        for task in self._probes.pop(container_id, []):
            task.cancel()

    # -- the end

    async def _end(self) -> None:
        """Stop in the promised order; the object goes last, when nothing of the pod is left here."""
        meta = self.pod["metadata"]
        clock, runtime = self._all.clock, self._all.runtime
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        if meta.get("deletionTimestamp"):
            end = parse_time(meta["deletionTimestamp"])
            grace = max((end - clock.now()).total_seconds(), 0.0) if grace else 0.0
        began = clock.monotonic()
        try:
            if not self._gone and grace:
                await self._all.routing.withdraw(self.pod, grace)
            left = max(grace - (clock.monotonic() - began), 1.0 if grace else 0.0)
            state = await self._state()
            running = [container for container in state.containers if container.state is State.RUNNING]
            await asyncio.gather(*(self._stop(container, left) for container in running))
            if self._sandbox is not None:
                await runtime.stop_sandbox(self._sandbox.id)
                await runtime.remove_sandbox(self._sandbox.id)
        except RuntimeFailure as error:
            log.warning("pod %s: stopping: %s", meta["name"], error.message)
            await clock.sleep(RETRY)
            await self._end()
            return
        await self._all.volumes.drop(self.pod)
        await asyncio.to_thread(shutil.rmtree, log_directory(self.pod, self._all.settings), True)
        if not self._gone:
            with contextlib.suppress(NotFound, Conflict):
                await self._all.client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"], grace_seconds=0)

    async def _stop(self, container: Container, grace: float) -> None:
        self._stop_probes(container.id)
        self._event("Normal", "Killing", f"Stopping container {container.name}")
        began = self._all.clock.monotonic()
        try:
            hook = (self._container(container.name).get("lifecycle") or {}).get("preStop")
        except StopIteration:
            hook = None
        if hook and "exec" in hook:
            with contextlib.suppress(RuntimeFailure):
                await self._all.runtime.exec(container.id, hook["exec"].get("command") or [], grace)
        elif hook and "sleep" in hook:
            await self._all.clock.sleep(min(float(hook["sleep"]["seconds"]), grace))
        left = max(grace - (self._all.clock.monotonic() - began), 2.0 if grace else 0.0)
        await self._all.runtime.stop_container(container.id, left)
