"""`Runtime` on a real containerd: the CRI by gRPC, events by containerd's own service."""

import asyncio
import math
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Self

from google.protobuf.message import Message

from wherry.node import containerd_pb2, cri_messages
from wherry.node import cri_pb2 as pb
from wherry.node.events import Subscription
from wherry.node.rpc import Reply, open_channel, unary
from wherry.node.runtime import (
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
from wherry.node.seccomp_filters import Key, SeccompFilters, key
from wherry.node.unpacking import PIN_LABEL

_CALL_SECONDS = 120.0
_PULL_SECONDS = 3600.0
_LEARNERS = 64
_AT_ONCE = 32  # status calls in flight: a full node has hundreds of containers


class CriRuntime:
    """One containerd behind its socket. `async with`, or `close()` at the end."""

    def __init__(self, socket_path: str, filters: SeccompFilters | None = None) -> None:
        self._channel = open_channel(socket_path)
        self._filters = filters or SeccompFilters(Path(os.devnull))
        self._learns: dict[str, Key] = {}  # a container that will tell its filter when it has started
        self._exited: dict[str, Container] = {}  # a container that has exited changes no more
        self._addresses: dict[str, str] = {}  # sandbox id -> ip, fixed for its life
        self._pods: dict[str, str] = {}  # container or sandbox id -> pod uid
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close(None)

    async def version(self) -> str:
        answer = await self._runtime("Version", pb.VersionRequest(), pb.VersionResponse, 5)
        return f"{answer.runtime_name}://{answer.runtime_version}"

    async def ready(self) -> None:
        """Raises while the CRI does not answer yet: it reads its containers' states after a start."""
        request = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(id="none"))
        await self._runtime("ListPodSandbox", request, pb.ListPodSandboxResponse, 5)

    async def sandboxes(self) -> Sequence[Sandbox]:
        answer = await self._runtime("ListPodSandbox", pb.ListPodSandboxRequest(), pb.ListPodSandboxResponse)
        found = await asyncio.gather(*(self._listed_sandbox(item) for item in answer.items))
        alive = {item.id for item in answer.items}
        self._addresses = {key: ip for key, ip in self._addresses.items() if key in alive}
        return [sandbox for sandbox in found if sandbox]

    async def containers(self, *, pod_uid: str = "") -> Sequence[Container]:
        selector = {cri_messages.POD_UID: pod_uid} if pod_uid else {}
        request = pb.ListContainersRequest(filter=pb.ContainerFilter(label_selector=selector))
        answer = await self._runtime("ListContainers", request, pb.ListContainersResponse)
        found = await asyncio.gather(*(self._listed_container(item) for item in answer.containers))
        if not pod_uid:
            alive = {item.id for item in answer.containers}
            self._exited = {key: value for key, value in self._exited.items() if key in alive}
        return [container for container in found if container]

    async def sandbox(self, sandbox_id: str) -> Sandbox:
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        answer = await self._runtime("PodSandboxStatus", request, pb.PodSandboxStatusResponse)
        found = cri_messages.sandbox_value(answer.status)
        self._pods[found.id] = found.uid
        return found

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Idempotent by (uid, attempt): an earlier call may have succeeded after its caller gave up."""
        wanted = key(spec.security, sandbox=True)
        annotations = self._filters.annotations(wanted)
        request = pb.RunPodSandboxRequest(config=cri_messages.sandbox_config(spec, annotations))
        try:
            answer = await self._runtime("RunPodSandbox", request, pb.RunPodSandboxResponse, 2 * _CALL_SECONDS)
        except RuntimeFailure as error:
            if "is reserved for" not in error.message:
                raise
            if ready := await self._earlier_sandbox(spec):
                return ready
            answer = await self._runtime("RunPodSandbox", request, pb.RunPodSandboxResponse, 2 * _CALL_SECONDS)
        self._pods[answer.pod_sandbox_id] = spec.uid
        await self._learn(None if annotations else wanted, answer.pod_sandbox_id)
        return answer.pod_sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = pb.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._stop("StopPodSandbox", request, pb.StopPodSandboxResponse)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._runtime("RemovePodSandbox", request, pb.RemovePodSandboxResponse)
        self._addresses.pop(sandbox_id, None)

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        """Idempotent while the earlier one by that name and attempt was never started."""
        wanted = key(spec.security)
        annotations = self._filters.annotations(wanted)
        request = pb.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=cri_messages.container_config(spec, sandbox, annotations),
            sandbox_config=cri_messages.sandbox_config(sandbox),
        )
        try:
            answer = await self._runtime("CreateContainer", request, pb.CreateContainerResponse)
        except RuntimeFailure as error:
            if "is reserved for" not in error.message:
                raise
            await self._remove_unstarted(spec, sandbox, error)
            answer = await self._runtime("CreateContainer", request, pb.CreateContainerResponse)
        self._pods[answer.container_id] = sandbox.uid
        if wanted and not annotations and len(self._learns) < _LEARNERS:
            self._learns[answer.container_id] = wanted
        return answer.container_id

    async def start_container(self, container_id: str) -> None:
        await self._runtime(
            "StartContainer", pb.StartContainerRequest(container_id=container_id), pb.StartContainerResponse
        )
        await self._learn(self._learns.pop(container_id, None), container_id)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """The image's stop signal, then SIGKILL after the grace. Returns when it has exited."""
        request = pb.StopContainerRequest(container_id=container_id, timeout=math.ceil(grace_seconds))
        await self._stop("StopContainer", request, pb.StopContainerResponse, grace_seconds + _CALL_SECONDS)

    async def remove_container(self, container_id: str) -> None:
        request = pb.RemoveContainerRequest(container_id=container_id)
        await self._runtime("RemoveContainer", request, pb.RemoveContainerResponse)
        self._exited.pop(container_id, None)
        self._learns.pop(container_id, None)

    async def reopen_log(self, container_id: str) -> None:
        request = pb.ReopenContainerLogRequest(container_id=container_id)
        await self._runtime("ReopenContainerLog", request, pb.ReopenContainerLogResponse)

    async def update_resources(self, container_id: str, resources: Resources) -> None:
        request = pb.UpdateContainerResourcesRequest(
            container_id=container_id, linux=cri_messages.resources_message(resources)
        )
        await self._runtime("UpdateContainerResources", request, pb.UpdateContainerResourcesResponse)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run a command to its end; raises RuntimeFailure("DEADLINE_EXCEEDED") after `timeout` seconds."""
        # The call's own deadline ends the process too, and to the millisecond; the message's is in whole seconds.
        request = pb.ExecSyncRequest(container_id=container_id, cmd=command, timeout=math.ceil(timeout))
        try:
            answer = await self._runtime("ExecSync", request, pb.ExecSyncResponse, timeout)
        except RuntimeFailure as error:
            if "deadline exceeded" in error.message:  # containerd saw the end first, and has no code for it
                raise RuntimeFailure("DEADLINE_EXCEEDED", error.message) from error
            raise
        return ExecResult(code=answer.exit_code, stdout=answer.stdout, stderr=answer.stderr)

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        request = pb.ExecRequest(
            container_id=container_id, cmd=command, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty
        )
        return (await self._runtime("Exec", request, pb.ExecResponse)).url

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        request = pb.AttachRequest(container_id=container_id, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)
        return (await self._runtime("Attach", request, pb.AttachResponse)).url

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str:
        request = pb.PortForwardRequest(pod_sandbox_id=sandbox_id, port=ports)
        return (await self._runtime("PortForward", request, pb.PortForwardResponse)).url

    async def image(self, reference: str) -> Image | None:
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=reference))
        answer = await self._images("ImageStatus", request, pb.ImageStatusResponse)
        return cri_messages.image_value(answer.image, await self._pinned()) if answer.image.id else None

    async def images(self) -> Sequence[Image]:
        answer = await self._images("ListImages", pb.ListImagesRequest(), pb.ListImagesResponse)
        pinned = await self._pinned()
        return [cri_messages.image_value(image, pinned) for image in answer.images]

    async def pull(self, reference: str, auth: PullAuth | None) -> str:
        """Pull by tag or digest; the image's id."""
        request = pb.PullImageRequest(
            image=pb.ImageSpec(image=reference), auth=cri_messages.auth_config(auth) if auth else None
        )
        return (await self._images("PullImage", request, pb.PullImageResponse, _PULL_SECONDS)).image_ref

    async def remove_image(self, reference: str) -> None:
        request = pb.RemoveImageRequest(image=pb.ImageSpec(image=reference))
        await self._images("RemoveImage", request, pb.RemoveImageResponse)

    async def usage(self) -> Sequence[Usage]:
        request = pb.ListContainerStatsRequest()
        answer = await self._runtime("ListContainerStats", request, pb.ListContainerStatsResponse)
        return [cri_messages.usage_value(stats) for stats in answer.stats if stats.HasField("cpu")]

    def events(self) -> AsyncGenerator[PodEvent, None]:
        """What happens, as it happens; after a lost connection it resumes with one event of uid ""."""
        return Subscription(self._channel, ready=self.ready, pod_of=self._pod_of, settled=self._settled).events()

    # Inside

    async def _runtime(
        self, method: str, request: Message, reply: type[Reply], timeout: float = _CALL_SECONDS
    ) -> Reply:
        return await unary(self._channel, f"/runtime.v1.RuntimeService/{method}", request, reply, timeout=timeout)

    async def _stop(self, method: str, request: Message, reply: type[Reply], timeout: float = _CALL_SECONDS) -> None:
        try:
            await self._runtime(method, request, reply, timeout)
        except RuntimeFailure as error:
            if error.code != "NOT_FOUND":  # gone is stopped
                raise

    async def _images(self, method: str, request: Message, reply: type[Reply], timeout: float = _CALL_SECONDS) -> Reply:
        return await unary(self._channel, f"/runtime.v1.ImageService/{method}", request, reply, timeout=timeout)

    async def _pinned(self) -> frozenset[str]:
        """Names with the pin label; containerd 1.6's CRI does not tell of it."""
        answer = await unary(
            self._channel,
            "/containerd.services.images.v1.Images/List",
            containerd_pb2.ListImagesRequest(filters=[f'labels."{PIN_LABEL}"==pinned']),
            containerd_pb2.ListImagesResponse,
            timeout=_CALL_SECONDS,
            metadata=(("containerd-namespace", "k8s.io"),),
        )
        return frozenset(image.name for image in answer.images)

    async def _listed_sandbox(self, item: pb.PodSandbox) -> Sandbox | None:
        self._pods[item.id] = item.metadata.uid
        if item.id not in self._addresses:
            async with self._limit:
                try:
                    self._addresses[item.id] = (await self.sandbox(item.id)).ip
                except RuntimeFailure as error:
                    if error.code == "NOT_FOUND":  # removed since it was listed
                        return None
                    raise
        return cri_messages.sandbox_value(
            pb.PodSandboxStatus(
                id=item.id,
                metadata=item.metadata,
                state=item.state,
                created_at=item.created_at,
                network=pb.PodSandboxNetworkStatus(ip=self._addresses[item.id]),
                labels=item.labels,
                annotations=item.annotations,
            )
        )

    async def _listed_container(self, item: pb.Container) -> Container | None:
        if known := self._exited.get(item.id):
            return known
        async with self._limit:
            try:
                return await self._container(item.id, item.pod_sandbox_id)
            except RuntimeFailure as error:
                if error.code == "NOT_FOUND":  # removed since it was listed
                    return None
                raise

    async def _container(self, container_id: str, sandbox_id: str) -> Container:
        request = pb.ContainerStatusRequest(container_id=container_id)
        answer = await self._runtime("ContainerStatus", request, pb.ContainerStatusResponse)
        found = cri_messages.container_value(answer.status, sandbox_id)
        self._pods[found.id] = found.pod_uid
        if found.state is State.EXITED:
            self._exited[found.id] = found
        return found

    async def _learn(self, wanted: Key | None, container_id: str) -> None:
        if wanted and self._filters.unknown(wanted):
            await asyncio.to_thread(self._filters.learn, wanted, container_id)

    async def _earlier_sandbox(self, spec: SandboxSpec) -> str:
        """The ready sandbox of that uid and attempt; one that is not ready is removed."""
        for found in await self.sandboxes():
            if (found.uid, found.attempt) == (spec.uid, spec.attempt):
                if found.ready:
                    return found.id
                await self.remove_sandbox(found.id)
        return ""

    async def _remove_unstarted(self, spec: ContainerSpec, sandbox: SandboxSpec, taken: RuntimeFailure) -> None:
        for found in await self.containers(pod_uid=sandbox.uid):
            if (found.name, found.attempt) == (spec.name, spec.attempt):
                if found.state is not State.CREATED:
                    raise RuntimeFailure("ALREADY_EXISTS", taken.message) from taken
                await self.remove_container(found.id)

    async def _pod_of(self, subject: str, *, forget: bool) -> str | None:
        """The pod of a container or sandbox; None for what is not (or no longer) the CRI's."""
        if forget:
            self._exited.pop(subject, None)
            self._learns.pop(subject, None)
            return self._pods.pop(subject, None)
        if subject not in self._pods:
            request = pb.ListContainersRequest(filter=pb.ContainerFilter(id=subject))
            listed = await self._runtime("ListContainers", request, pb.ListContainersResponse)
            for item in listed.containers:
                self._pods[item.id] = item.labels[cri_messages.POD_UID]
            pods = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(id=subject))
            for pod in (await self._runtime("ListPodSandbox", pods, pb.ListPodSandboxResponse)).items:
                self._pods[pod.id] = pod.metadata.uid
        return self._pods.get(subject)

    async def _settled(self, subject: str, what: str) -> bool:
        """Whether the CRI's own answers already tell what the event told: it hears of it no earlier than we do."""
        if what == "oom":
            self._exited.pop(subject, None)
        try:
            found = await self._container(subject, "")
        except RuntimeFailure as error:
            if error.code != "NOT_FOUND":
                raise
        else:
            # Kept without its sandbox's id, and perhaps before the OOM was noted: not worth keeping.
            self._exited.pop(subject, None)
            return found.reason == "OOMKilled" if what == "oom" else found.state is not State.RUNNING
        try:
            return not (await self.sandbox(subject)).ready
        except RuntimeFailure as error:
            return error.code == "NOT_FOUND"
