"""Carrying out a plan's steps: each is one method, which leaves what it learned in the pod's memory.

Failures that upstream shows in a pod's status or Events are caught here; what else a call raises, the worker retries.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wherry.client.client import Client
from wherry.client.lister import Lister
from wherry.clock import Clock
from wherry.node.dns_settings import Resolver
from wherry.node.hooks import HookFailed, Hooks
from wherry.node.images import Images, NoImage
from wherry.node.memory import Memory
from wherry.node.ports import PodCgroups, Routing
from wherry.node.rotation import log_files
from wherry.node.runtime import Container, Runtime, RuntimeFailure
from wherry.node.runtime_spec import MESSAGE_FILE, Start, container_spec, sandbox_spec
from wherry.node.security import BadConfig
from wherry.node.seen import container_spec as spec_of
from wherry.node.seen import grace_seconds, init_containers
from wherry.node.settings import NodeSettings
from wherry.node.steps import CreateAndStart, Kill, PreStop, RunSandbox, Withdraw
from wherry.node.turns import Turns
from wherry.node.volumes import FailedMount, Volumes
from wherry.objects import Obj
from wherry.objects.errors import Conflict, NotFound

REMEMBERED = 100  # Events of a pod that are told once
LONGEST_HOOK = 24 * 3600.0  # a postStart hook has no limit of its own

Record = Callable[..., None]
"""`EventRecorder.record`."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What all pods of the node share."""

    client: Client
    lister: Lister
    runtime: Runtime
    routing: Routing
    clock: Clock
    record: Record
    settings: NodeSettings
    resolver: Resolver
    images: Images
    volumes: Volumes
    cgroups: PodCgroups
    starts: Turns


@dataclass(frozen=True)
class Execute:
    """The steps of one pod."""

    node: Node
    memory: Memory

    @property
    def _now(self) -> datetime:
        return self.node.clock.now()

    def tell(self, type: str, reason: str, message: str, container: Obj | None = None) -> None:
        """An Event about the pod or one of its containers."""
        path = ""
        if container is not None:
            inits = any(one["name"] == container["name"] for one in init_containers(self.memory.pod))
            path = f"spec.{'initContainers' if inits else 'containers'}{{{container['name']}}}"
        about = {"apiVersion": "v1", "kind": "Pod", **self.memory.pod}
        self.node.record(about, type, reason, message, field_path=path)

    def tell_once(self, key: str, type: str, reason: str, message: str, container: Obj | None = None) -> None:
        told = self.memory.told
        if key not in told:
            told[key] = None
            if len(told) > REMEMBERED:
                del told[next(iter(told))]
            self.tell(type, reason, message, container)

    async def make_volumes(self) -> None:
        memory = self.memory
        try:
            await self.node.volumes.make(memory.pod)
        except FailedMount as error:
            for line in str(error).split("; MountVolume"):
                self.tell("Warning", "FailedMount", line if line.startswith("Mount") else f"MountVolume{line}")
            memory.failed("", "FailedMount", str(error), self._now)
            return
        memory.volumes = True
        memory.worked("")

    async def run_sandbox(self, step: RunSandbox) -> None:
        memory, runtime = self.memory, self.node.runtime
        spec = sandbox_spec(memory.pod, self.node.settings, self.node.resolver, step.attempt)
        try:
            async with self.node.starts.turn():
                for old in step.after:
                    await runtime.stop_sandbox(old)
                await self.node.cgroups.make(memory.pod)
                made = await runtime.run_sandbox(spec)
            memory.sandboxes[made] = await runtime.sandbox(made)
        except (RuntimeFailure, OSError) as error:
            self.tell("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            memory.failed("", "FailedCreatePodSandBox", str(error), self._now)
            return
        memory.worked("")

    async def pull(self, name: str) -> None:
        memory, container = self.memory, spec_of(self.memory.pod, name)
        if container is None:
            return

        def tell(type: str, reason: str, message: str) -> None:
            self.tell(type, reason, message, container)

        try:
            image = await self.node.images.ensure(memory.pod, container, tell)
        except NoImage as error:
            memory.failures[name] = error.failure
            return
        memory.images[name] = (container.get("image", ""), image)
        memory.worked(name)

    async def start(self, steps: Iterable[CreateAndStart]) -> None:
        """One container after the other; what one of them lacks holds up no other."""
        for step in steps:
            try:
                container = spec_of(self.memory.pod, step.container)
                if container is not None and not self.memory.stopping:
                    await self._start(step, container)
            finally:
                self.memory.starting.discard(step.container)

    async def _start(self, step: CreateAndStart, container: Obj) -> None:
        memory, runtime, name = self.memory, self.node.runtime, step.container
        sandbox = next((one for one in memory.sandboxes.values() if one.ready), None)
        known = memory.images.get(name)
        if sandbox is None or known is None:
            return
        pod_spec = sandbox_spec(memory.pod, self.node.settings, self.node.resolver, sandbox.attempt)
        reason = "CreateContainerConfigError"
        try:
            pod_ip = sandbox.ip or self.node.settings.address
            mounts, message_file = await self.node.volumes.mounts(memory.pod, container, step.attempt, pod_ip)
            start = Start(
                attempt=step.attempt,
                backoff=step.backoff,
                image=known[1],
                pod_ip=pod_ip,
                mounts=mounts,
                message_file=message_file,
            )
            logs = Path(pod_spec.log_directory, name)
            await asyncio.to_thread(logs.mkdir, parents=True, exist_ok=True)
            spec = container_spec(memory.pod, container, start, self.node.lister, self.node.settings)
            reason = "CreateContainerError"
            async with self.node.starts.turn(ahead=True):
                made = await runtime.create_container(sandbox.id, spec, pod_spec)
                self.tell("Normal", "Created", f"Created container: {name}", container)
                reason = "RunContainerError"
                await runtime.start_container(made)
        except (BadConfig, FailedMount, RuntimeFailure, OSError) as error:
            self.tell("Warning", "Failed", f"Error: {error}", container)
            memory.failed(name, reason, str(error), self._now)
            return
        self.tell("Normal", "Started", f"Started container {name}", container)
        memory.images.pop(name, None)  # the next start looks again, as the pull policy may want
        await self._post_start(container, made, pod_ip)

    async def _post_start(self, container: Obj, container_id: str, pod_ip: str) -> None:
        memory, name = self.memory, container["name"]
        hook = (container.get("lifecycle") or {}).get("postStart")
        if hook:
            try:
                hooks = Hooks(self.node.runtime, self.node.clock)
                await hooks.run(memory.pod, container, container_id, hook, pod_ip, LONGEST_HOOK)
            except HookFailed as error:
                self.tell("Warning", "FailedPostStartHook", "PostStartHook failed", container)
                self.tell("Normal", "Killing", "FailedPostStartHook", container)
                await self.node.runtime.stop_container(container_id, grace_seconds(memory.pod))
                memory.failed(name, "PostStartHookError", str(error), self._now)
                return
        memory.worked(name)

    async def withdraw(self, step: Withdraw) -> None:
        await self.node.routing.withdraw(self.memory.pod, self._until(step.by))
        self.memory.withdrawn = True

    async def pre_stop(self, step: PreStop) -> None:
        container = spec_of(self.memory.pod, step.container)
        if container is not None:
            self.tell_once(f"kill/{step.id}", "Normal", "Killing", step.message, container)
            await self._pre_stop(container, step.id, step.by)
        self.memory.prestopped.add(step.id)

    async def _pre_stop(self, container: Obj, container_id: str, by: datetime) -> None:
        hook = (container.get("lifecycle") or {}).get("preStop")
        if not hook:
            return
        ip = self.memory.pod_ip or self.node.settings.address
        hooks = Hooks(self.node.runtime, self.node.clock)
        limit = self._until(by)
        running = asyncio.ensure_future(hooks.run(self.memory.pod, container, container_id, hook, ip, limit))
        timer = asyncio.ensure_future(self.node.clock.sleep(limit))
        try:
            await asyncio.wait((running, timer), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        except HookFailed:
            self.tell("Warning", "FailedPreStopHook", "PreStopHook failed", container)
        finally:
            running.cancel()
            timer.cancel()

    async def kill(self, step: Kill) -> None:
        container = spec_of(self.memory.pod, step.container)
        try:
            if step.message:
                self.tell_once(f"kill/{step.id}", "Normal", "Killing", step.message, container)
            if step.hook and container is not None:
                await self._pre_stop(container, step.id, step.by)
            await self.node.runtime.stop_container(step.id, self._until(step.by))
        except RuntimeFailure as error:
            if error.code != "NOT_FOUND":
                self.tell("Warning", "FailedKillPod", f"error killing pod: {error}")
                await self.node.clock.sleep(1.0)

    async def drop_volumes(self) -> None:
        await self.node.volumes.drop(self.memory.uid)
        self.memory.dropped, self.memory.volumes = True, False

    async def finalize(self) -> None:
        """The API's object goes, and no other of the same name."""
        meta = self.memory.pod["metadata"]
        with contextlib.suppress(NotFound, Conflict):
            await self.node.client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"], grace_seconds=0)
        self.memory.finalized = True

    async def remove_container(self, container_id: str) -> None:
        """With its logs and its termination message."""
        memory = self.memory
        await self.node.runtime.remove_container(container_id)
        known = next((one for one in memory.containers if one.id == container_id), None)
        if known is not None:
            await asyncio.to_thread(_remove_files, known)
        memory.containers = [one for one in memory.containers if one.id != container_id]

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self.node.runtime.stop_sandbox(sandbox_id)
        known = self.memory.sandboxes.get(sandbox_id)
        if known is not None:
            self.memory.sandboxes[sandbox_id] = replace(known, ready=False)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        memory = self.memory
        await self.node.runtime.remove_sandbox(sandbox_id)
        memory.sandboxes.pop(sandbox_id, None)
        if not memory.stopping:  # else they stay known, as how they ended is in the status
            memory.containers = [one for one in memory.containers if one.sandbox_id != sandbox_id]

    async def forget(self) -> None:
        """Nothing of the pod is left but its logs."""
        meta, memory = self.memory.pod["metadata"], self.memory
        logs = self.node.settings.log_dir(meta["namespace"], meta["name"], memory.uid)
        await asyncio.to_thread(shutil.rmtree, logs, True)
        await self.node.cgroups.remove(memory.pod)
        self.node.images.forget(memory.uid)

    def _until(self, by: datetime) -> float:
        return max((by - self._now).total_seconds(), 0.0)


def _remove_files(container: Container) -> None:
    if container.log_path:
        log = Path(container.log_path)
        for path in (log, *log_files(log)):
            path.unlink(missing_ok=True)
    message = container.annotations.get(MESSAGE_FILE)
    if message:
        Path(message).unlink(missing_ok=True)
