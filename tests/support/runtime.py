"""A container runtime in memory that keeps `wherry.node.runtime.Runtime`'s promises, checked by the contract suite.

What a container does is a `Program`, chosen by its command line; unknown commands run until they are told to stop.
Tests reach in with `add_image`, `programs`, `fail`, `finish`, `disconnect`, and read `calls`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tests.support.runtime_values import image_of, pod_labels, write_log
from wherry.clock import Clock, SystemClock
from wherry.node.runtime import (
    IMAGES,
    Container,
    ContainerSpec,
    ExecResult,
    Image,
    PodEvent,
    PullAuth,
    Resources,
    RuntimeFailure,
    Sandbox,
    SandboxSpec,
    State,
    Usage,
)


@dataclass(frozen=True)
class Program:
    """What a command does: `exits` at once with that code (None: runs on), `on_term` its code after SIGTERM (None:
    it ignores it), `output` its first words, `start_error` why it cannot even start."""

    exits: int | None = None
    on_term: int | None = 0
    output: bytes = b""
    oom: bool = False
    start_error: str = ""


@dataclass
class _Pod:
    sandbox: Sandbox
    spec: SandboxSpec


@dataclass
class _Box:
    container: Container
    spec: ContainerSpec
    program: Program
    log: Path | None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class FakeRuntime:
    """`Runtime` without containers. Ids are `sandbox-1`, `container-1`, ... in order of creation."""

    def __init__(self, clock: Clock | None = None, *, subnet: str = "10.88.0") -> None:
        self.clock: Clock = clock or SystemClock()
        self.programs: dict[tuple[str, ...], Program] = {}
        self.registry: dict[str, Image] = {}  # what `pull` finds, by reference
        self.private: dict[str, PullAuth] = {}  # references that need these credentials
        self.calls: list[tuple[str, ...]] = []  # (method, subject), in order
        self.resources: dict[str, Resources] = {}  # by container id, as last updated
        self._subnet = subnet
        self._count = 0
        self._pods: dict[str, _Pod] = {}
        self._boxes: dict[str, _Box] = {}
        self._images: dict[str, Image] = {}
        self._usage: dict[str, tuple[int, int]] = {}
        self._failures: dict[str, list[RuntimeFailure]] = {}
        self._listeners: list[asyncio.Queue[PodEvent]] = []

    # What tests do to it

    def add_image(self, reference: str, *, user: str = "", image_id: str = "", pinned: bool = False) -> Image:
        """An image that is there without a pull."""
        image = image_of(reference, user=user, image_id=image_id, pinned=pinned)
        self._images[image.id] = image
        self._tell(IMAGES, IMAGES)
        return image

    def offer_image(self, reference: str, *, user: str = "", auth: PullAuth | None = None) -> None:
        """An image that a pull will find, with these credentials where given."""
        self.registry[reference] = image_of(reference, user=user)
        if auth:
            self.private[reference] = auth

    def fail(self, call: str, code: str, message: str = "injected", *, times: int = 1) -> None:
        """The next `times` calls of that method fail so."""
        self._failures.setdefault(call, []).extend([RuntimeFailure(code, message)] * times)

    def finish(self, container_id: str, exit_code: int = 0, *, oom: bool = False) -> None:
        """The container's process ends by itself."""
        self._end(self._boxes[container_id], exit_code, oom=oom)

    def kill_sandbox(self, sandbox_id: str) -> None:
        """The sandbox's own process dies, as when somebody kills it on the host."""
        self._unready(self._pods[sandbox_id])

    def disconnect(self) -> None:
        """The event stream was lost and is back."""
        self._tell("", "reconnected")

    def set_usage(self, container_id: str, *, cpu_nanoseconds: int, memory_bytes: int) -> None:
        self._usage[container_id] = (cpu_nanoseconds, memory_bytes)

    # Runtime

    async def version(self) -> str:
        self._called("version")
        return "fake://1.0"

    async def sandboxes(self) -> Sequence[Sandbox]:
        self._called("sandboxes")
        return [pod.sandbox for pod in self._pods.values()]

    async def containers(self, *, pod_uid: str = "") -> Sequence[Container]:
        self._called("containers", pod_uid)
        return [box.container for box in self._boxes.values() if pod_uid in ("", box.container.pod_uid)]

    async def sandbox(self, sandbox_id: str) -> Sandbox:
        self._called("sandbox", sandbox_id)
        return self._pod(sandbox_id).sandbox

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        self._called("run_sandbox", spec.name)
        for pod in self._pods.values():
            if (pod.spec.uid, pod.spec.attempt) == (spec.uid, spec.attempt):
                if pod.sandbox.ready:
                    return pod.sandbox.id
                await self.remove_sandbox(pod.sandbox.id)
                break
        self._count += 1
        sandbox = Sandbox(
            id=f"sandbox-{self._count}",
            uid=spec.uid,
            name=spec.name,
            namespace=spec.namespace,
            attempt=spec.attempt,
            ready=True,
            created=self._now(),
            ip="" if spec.security.host_network else f"{self._subnet}.{self._count + 1}",
            labels={**spec.labels, **pod_labels(spec)},
            annotations=dict(spec.annotations),
        )
        self._pods[sandbox.id] = _Pod(sandbox, spec)
        self._tell(spec.uid, "start")
        return sandbox.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        self._called("stop_sandbox", sandbox_id)
        if pod := self._pods.get(sandbox_id):
            self._unready(pod)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        self._called("remove_sandbox", sandbox_id)
        if pod := self._pods.get(sandbox_id):
            self._unready(pod)
            for box in self._of(sandbox_id):
                self._drop(box)
            del self._pods[sandbox_id]
            self._tell(pod.spec.uid, "delete")

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        self._called("create_container", spec.name)
        pod = self._pod(sandbox_id)
        if not pod.sandbox.ready:
            raise RuntimeFailure("UNKNOWN", f"sandbox container {sandbox_id!r} is not running")
        image = self._find(spec.image)
        if image is None:
            raise RuntimeFailure("NOT_FOUND", f"failed to get image {spec.image!r}: not found")
        for box in self._of(sandbox_id):
            if (box.spec.name, box.spec.attempt) == (spec.name, spec.attempt):
                if box.container.state is not State.CREATED:
                    raise RuntimeFailure("ALREADY_EXISTS", f"name of {spec.name!r} is reserved")
                self._drop(box)
        self._count += 1
        log = Path(sandbox.log_directory, spec.log_path) if sandbox.log_directory and spec.log_path else None
        container = Container(
            id=f"container-{self._count}",
            sandbox_id=sandbox_id,
            pod_uid=sandbox.uid,
            name=spec.name,
            attempt=spec.attempt,
            state=State.CREATED,
            image=spec.user_image or spec.image,
            image_id=image.digests[0] if image.digests else image.id,
            created=self._now(),
            log_path=str(log) if log else "",
            labels={**spec.labels, **pod_labels(sandbox), "io.kubernetes.container.name": spec.name},
            annotations=dict(spec.annotations),
        )
        program = self.programs.get((*spec.command, *spec.args), Program())
        self._boxes[container.id] = _Box(container, spec, program, log)
        self.resources[container.id] = spec.resources
        return container.id

    async def start_container(self, container_id: str) -> None:
        box = self._box(container_id)
        self._called("start_container", container_id)
        if box.container.state is not State.CREATED:
            raise RuntimeFailure("UNKNOWN", f"container {container_id!r} is in {box.container.state.name} state")
        if box.program.start_error:
            self._end(box, 128, reason="StartError", message=box.program.start_error)
            raise RuntimeFailure("UNKNOWN", box.program.start_error)
        box.container = replace(box.container, state=State.RUNNING, started=self._now())
        if box.log:
            write_log(box.log, self._now(), box.program.output)
        self._tell(box.container.pod_uid, "start")
        if box.program.exits is not None:
            self._end(box, box.program.exits, oom=box.program.oom)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        self._called("stop_container", container_id)
        box = self._boxes.get(container_id)
        if box is None or box.container.state is not State.RUNNING:
            return
        if grace_seconds > 0 and box.program.on_term is not None:
            self._end(box, box.program.on_term)
            return
        grace = asyncio.create_task(self.clock.sleep(grace_seconds))
        ended = asyncio.create_task(box.ended.wait())
        try:
            await asyncio.wait((grace, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            grace.cancel()
            ended.cancel()
        self._end(box, 137)

    async def remove_container(self, container_id: str) -> None:
        self._called("remove_container", container_id)
        if box := self._boxes.get(container_id):
            self._drop(box)
            self._tell(box.container.pod_uid, "delete")

    async def reopen_log(self, container_id: str) -> None:
        self._called("reopen_log", container_id)
        box = self._running(container_id)
        if box.log:
            write_log(box.log, self._now(), b"")

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        self._called("update_resources", container_id)
        self._box(container_id)
        self.resources[container_id] = resources

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        self._called("exec", container_id, *command)
        self._running(container_id)
        program = self.programs.get(tuple(command), Program(exits=0))
        if program.exits is None:
            await self.clock.sleep(timeout)
            raise RuntimeFailure("DEADLINE_EXCEEDED", f"exec of {command[0]!r} took over {timeout:g} s")
        return ExecResult(code=program.exits, stdout=program.output, stderr=b"")

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        self._called("exec_url", container_id, *command)
        self._running(container_id)
        return f"http://127.0.0.1:1/exec/{container_id}"

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        self._called("attach_url", container_id)
        self._running(container_id)
        return f"http://127.0.0.1:1/attach/{container_id}"

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        self._called("port_forward_url", sandbox_id)
        self._pod(sandbox_id)
        return f"http://127.0.0.1:1/portforward/{sandbox_id}"

    async def image(self, reference: str) -> Image | None:
        self._called("image", reference)
        return self._find(reference)

    async def images(self) -> Sequence[Image]:
        self._called("images")
        return list(self._images.values())

    async def pull(self, reference: str, auth: PullAuth | None) -> str:
        self._called("pull", reference)
        found = self.registry.get(reference)
        if found is None:
            raise RuntimeFailure("NOT_FOUND", f"failed to resolve reference {reference!r}: not found")
        if reference in self.private and auth != self.private[reference]:
            raise RuntimeFailure("UNKNOWN", f"failed to resolve reference {reference!r}: authorization failed")
        self._images[found.id] = found
        self._tell(IMAGES, IMAGES)
        return found.id

    async def remove_image(self, reference: str) -> None:
        self._called("remove_image", reference)
        if found := self._find(reference):
            del self._images[found.id]
            self._tell(IMAGES, IMAGES)

    async def usage(self) -> Sequence[Usage]:
        self._called("usage")
        out = []
        for box in self._boxes.values():
            if box.container.state is State.RUNNING:
                cpu, memory = self._usage.get(box.container.id, (0, 0))
                out.append(
                    Usage(
                        container_id=box.container.id,
                        pod_uid=box.container.pod_uid,
                        name=box.spec.name,
                        cpu_nanoseconds=cpu,
                        memory_bytes=memory,
                        at=self._now(),
                    )
                )
        return out

    async def events(self) -> AsyncGenerator[PodEvent, None]:
        queue: asyncio.Queue[PodEvent] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            yield PodEvent(uid="", what="connected")
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    # Inside

    def _now(self) -> datetime:
        return self.clock.now()

    def _called(self, method: str, *subject: str) -> None:
        self.calls.append((method, *subject))
        if queued := self._failures.get(method):
            raise queued.pop(0)

    def _tell(self, uid: str, what: str) -> None:
        for queue in self._listeners:
            queue.put_nowait(PodEvent(uid=uid, what=what))

    def _pod(self, sandbox_id: str) -> _Pod:
        if sandbox_id not in self._pods:
            raise RuntimeFailure("NOT_FOUND", f"sandbox {sandbox_id!r}: not found")
        return self._pods[sandbox_id]

    def _box(self, container_id: str) -> _Box:
        if container_id not in self._boxes:
            raise RuntimeFailure("NOT_FOUND", f"container {container_id!r}: not found")
        return self._boxes[container_id]

    def _running(self, container_id: str) -> _Box:
        box = self._box(container_id)
        if box.container.state is not State.RUNNING:
            raise RuntimeFailure("UNKNOWN", f"container is in CONTAINER_{box.container.state.name} state")
        return box

    def _of(self, sandbox_id: str) -> list[_Box]:
        return [box for box in self._boxes.values() if box.container.sandbox_id == sandbox_id]

    def _find(self, reference: str) -> Image | None:
        for image in self._images.values():
            if reference == image.id or reference in image.tags or reference in image.digests:
                return image
        return None

    def _end(self, box: _Box, code: int, *, oom: bool = False, reason: str = "", message: str = "") -> None:
        if box.container.state is State.EXITED:
            return
        if not reason:
            reason = "OOMKilled" if oom else "Completed" if code == 0 else "Error"
        box.container = replace(
            box.container,
            state=State.EXITED,
            finished=self._now(),
            exit_code=code,
            reason=reason,
            message=message,
        )
        box.ended.set()
        if oom:
            self._tell(box.container.pod_uid, "oom")
        self._tell(box.container.pod_uid, "exit")

    def _unready(self, pod: _Pod) -> None:
        for box in self._of(pod.sandbox.id):
            if box.container.state is State.RUNNING:
                self._end(box, 137)
        if pod.sandbox.ready:
            pod.sandbox = replace(pod.sandbox, ready=False)
            self._tell(pod.spec.uid, "exit")

    def _drop(self, box: _Box) -> None:
        if box.container.state is State.RUNNING:
            self._end(box, 137)
        self._boxes.pop(box.container.id, None)
