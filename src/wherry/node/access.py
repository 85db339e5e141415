"""Reach into this node's pods: logs, exec, attach, port-forward (what the API server calls PodAccess)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from wherry.clock import Clock, SystemClock
from wherry.node import logs
from wherry.node.runtime import Container, Runtime, RuntimeFailure, State
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, InternalError, NotFound, ServiceUnavailable


class LogOptions(Protocol):
    """`v1.PodLogOptions`."""

    @property
    def container(self) -> str: ...
    @property
    def follow(self) -> bool: ...
    @property
    def previous(self) -> bool: ...
    @property
    def timestamps(self) -> bool: ...
    @property
    def since(self) -> datetime | None: ...
    @property
    def tail_lines(self) -> int | None: ...
    @property
    def limit_bytes(self) -> int | None: ...
    @property
    def stream(self) -> str: ...


class ExecOptions(Protocol):
    """`v1.PodExecOptions` and `PodAttachOptions`."""

    @property
    def container(self) -> str: ...
    @property
    def command(self) -> Sequence[str]: ...
    @property
    def stdin(self) -> bool: ...
    @property
    def stdout(self) -> bool: ...
    @property
    def stderr(self) -> bool: ...
    @property
    def tty(self) -> bool: ...


class NodeAccess:
    """Streams in and out of the pods that `runtime` runs."""

    def __init__(self, runtime: Runtime, clock: Clock | None = None) -> None:
        self._runtime = runtime
        self._clock: Clock = clock or SystemClock()

    async def logs(self, pod: Obj, options: LogOptions) -> AsyncIterator[bytes]:
        """Chunks of whole lines. Raises before the first chunk where there is no such log."""
        container = await self._logged(pod, choose_container(pod, options.container), options.previous)
        selection = logs.Selection(
            timestamps=options.timestamps,
            since=options.since,
            tail_lines=options.tail_lines,
            limit_bytes=options.limit_bytes,
            stream=options.stream,
        )
        path = Path(container.log_path)
        if options.follow and container.state is not State.EXITED:
            chunks = logs.follow(path, selection, lambda: self._runs(container), self._clock)
        else:
            chunks = logs.read(path, selection)
        try:
            async for chunk in chunks:
                yield chunk
        except FileNotFoundError as error:
            raise NotFound(f"the log of container {container.name!r} is no longer there") from error
        finally:
            await chunks.aclose()

    async def exec(self, pod: Obj, options: ExecOptions) -> str:
        """The http:// URL of a single-use SPDY/3.1 remote-command server for this one session."""
        if not options.command:
            raise BadRequest("you must specify at least one command for the container")
        container = await self._running(pod, options)
        try:
            return await self._runtime.exec_url(
                container.id,
                options.command,
                stdin=options.stdin,
                stdout=options.stdout,
                stderr=options.stderr and not options.tty,  # a terminal has one output
                tty=options.tty,
            )
        except RuntimeFailure as error:
            raise api_error(error) from error

    async def attach(self, pod: Obj, options: ExecOptions) -> str:
        """As `exec`, to the container's main process."""
        container = await self._running(pod, options)
        try:
            return await self._runtime.attach_url(
                container.id,
                stdin=options.stdin,
                stdout=options.stdout,
                stderr=options.stderr and not options.tty,
                tty=options.tty,
            )
        except RuntimeFailure as error:
            raise api_error(error) from error

    async def port_forward(self, pod: Obj, ports: Sequence[int]) -> str:
        """The http:// URL of a single-use SPDY/3.1 port-forward server for this pod."""
        uid = pod["metadata"]["uid"]
        try:
            for sandbox in await self._runtime.sandboxes():
                if sandbox.uid == uid and sandbox.ready:
                    return await self._runtime.port_forward_url(sandbox.id, ports)
        except RuntimeFailure as error:
            raise api_error(error) from error
        phase = pod.get("status", {}).get("phase", "Pending")
        raise BadRequest(f"unable to forward port because pod is not running. Current status={phase}")

    async def _containers(self, pod: Obj, name: str) -> list[Container]:
        """Those by that name, the latest attempt first."""
        try:
            found = await self._runtime.containers(pod_uid=pod["metadata"]["uid"])
        except RuntimeFailure as error:
            raise api_error(error) from error
        named = [container for container in found if container.name == name]
        return sorted(named, key=lambda container: (container.attempt, container.created), reverse=True)

    async def _logged(self, pod: Obj, name: str, previous: bool) -> Container:
        """The container whose log was asked for; one that has started."""
        found = await self._containers(pod, name)
        pod_name = pod["metadata"]["name"]
        if previous:
            last = last_terminated(pod, name)
            current = next((container for container in found if container.started), None)
            for container in (each for each in found if each.state is State.EXITED):
                if container.id == last or (current and container.id != current.id):
                    return container
            raise BadRequest(f'previous terminated container "{name}" in pod "{pod_name}" not found')
        for container in found:
            if container.started or container.state is State.EXITED:
                return container
        raise BadRequest(f'container "{name}" in pod "{pod_name}" is waiting to start: {waiting_reason(pod, name)}')

    async def _running(self, pod: Obj, options: ExecOptions) -> Container:
        if not (options.stdin or options.stdout or options.stderr):
            raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
        name = choose_container(pod, options.container)
        for container in await self._containers(pod, name):
            if container.state is State.RUNNING:
                return container
        raise BadRequest(f'container "{name}" in pod "{pod["metadata"]["name"]}" is not running')

    async def _runs(self, container: Container) -> bool:
        try:
            found = await self._runtime.containers(pod_uid=container.pod_uid)
        except RuntimeFailure:
            return True  # the runtime is being restarted: containers live on
        return any(each.id == container.id and each.state is not State.EXITED for each in found)


def choose_container(pod: Obj, name: str) -> str:
    """The container meant: the one named, or the pod's only one."""
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    kinds = ("initContainers", "containers", "ephemeralContainers")
    names = [container["name"] for kind in kinds for container in spec.get(kind) or ()]
    if name:
        if name not in names:
            raise BadRequest(f"container {name} is not valid for pod {pod_name}")
        return name
    if len(spec["containers"]) != 1:
        choice = " ".join(names)
        raise BadRequest(f"a container name must be specified for pod {pod_name}, choose one of: [{choice}]")
    return str(spec["containers"][0]["name"])


def waiting_reason(pod: Obj, name: str) -> str:
    """Why it does not run yet, as kubelet words it."""
    status = pod.get("status", {})
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    for container in (each for kind in kinds for each in status.get(kind) or ()):
        if container["name"] == name:
            reason = str(container.get("state", {}).get("waiting", {}).get("reason", "ContainerCreating"))
            if reason == "ImagePullBackOff":
                return "image can't be pulled"
            return "trying and failing to pull image" if reason == "ErrImagePull" else reason
    return "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"


def last_terminated(pod: Obj, name: str) -> str:
    """The id of the container that the pod's status calls the last to end; "" where none has.

    While the next attempt waits, that is the one whose log is the current one too.
    """
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    for container in (each for kind in kinds for each in pod.get("status", {}).get(kind) or ()):
        if container["name"] == name:
            terminated = container.get("lastState", {}).get("terminated", {})
            return str(terminated.get("containerID", "")).rpartition("://")[2]
    return ""


def api_error(error: RuntimeFailure) -> ApiError:
    """What a client is told of the runtime's failure."""
    if error.code == "NOT_FOUND":
        return NotFound(error.message)
    if error.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
        return ServiceUnavailable(f"the container runtime does not answer: {error.message}")
    return InternalError(error.message)
