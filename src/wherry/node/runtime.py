"""The Runtime Protocol: what the node asks of containerd, in the words of the CRI (k8s.io/cri-api v1).

`cri.CriRuntime` is the real one; `tests.support.runtime.FakeRuntime` keeps the same promises in memory. One contract
suite runs on both. All calls raise RuntimeFailure; `code` is the gRPC status name (`NOT_FOUND`, `UNAVAILABLE`, ...).
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol


class RuntimeFailure(Exception):
    """The runtime could not do it. `code`: a gRPC status name; the message is the runtime's own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class State(Enum):
    """A container's state; a sandbox is READY (RUNNING here) or not (EXITED)."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Port:
    container_port: int
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, kw_only=True)
class Security:
    """A container's security context, resolved. None leaves the image's or the runtime's own default."""

    run_as_user: int | None = None
    run_as_username: str = ""
    run_as_group: int | None = None
    supplemental_groups: Sequence[int] = ()
    privileged: bool = False
    readonly_rootfs: bool = False
    no_new_privs: bool = False
    add_capabilities: Sequence[str] = ()
    drop_capabilities: Sequence[str] = ()
    seccomp: str = "RuntimeDefault"  # RuntimeDefault, Unconfined, or Localhost/PATH
    masked_paths: Sequence[str] | None = None
    readonly_paths: Sequence[str] | None = None
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    shared_pid: bool = False  # the pod's containers share one pid namespace


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Linux resources as cgroups have them; 0 means no limit."""

    cpu_shares: int = 2
    cpu_quota: int = 0  # microseconds per period
    cpu_period: int = 100_000
    memory_limit: int = 0  # bytes
    oom_score_adj: int = 0


@dataclass(frozen=True, kw_only=True)
class SandboxSpec:
    """One pod's sandbox. `attempt` counts re-creations; labels and annotations are how it is found again."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: str = ""
    dns_servers: Sequence[str] = ()
    dns_searches: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    ports: Sequence[Port] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    cgroup_parent: str = ""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    security: Security = field(default_factory=Security)
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, kw_only=True)
class MountSpec:
    host_path: str
    container_path: str
    readonly: bool = False
    propagation: str = "None"  # None, HostToContainer, Bidirectional


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container. `attempt` is its restart count; `log_path` is relative to the sandbox's log directory."""

    name: str
    image: str  # an image id that `image` or `pull` gave
    user_image: str = ""  # as the pod's author wrote it
    attempt: int = 0
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    working_dir: str = ""
    env: Sequence[tuple[str, str]] = ()
    mounts: Sequence[MountSpec] = ()
    devices: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    security: Security = field(default_factory=Security)
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A sandbox as the runtime has it. `ip` is "" on the host's network."""

    id: str
    uid: str
    name: str
    namespace: str
    attempt: int
    ready: bool
    created: datetime
    ip: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container as the runtime has it; the pod's uid comes from its labels."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    state: State
    image: str  # as written by the pod's author
    image_id: str  # a digest reference where there is one
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    exit_code: int = 0
    reason: str = ""  # Completed, Error, OOMKilled, ContainerCannotRun...
    message: str = ""
    log_path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in the node's store; `user` is what its config says: a number, a name, or ""."""

    id: str
    tags: Sequence[str] = ()
    digests: Sequence[str] = ()
    size: int = 0
    user: str = ""
    pinned: bool = False


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a container uses: `cpu_nanoseconds` since its start, `memory_bytes` as its working set."""

    container_id: str
    pod_uid: str
    name: str
    cpu_nanoseconds: int
    memory_bytes: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    code: int
    stdout: bytes
    stderr: bytes


IMAGES = "images"


@dataclass(frozen=True, kw_only=True)
class PodEvent:
    """Something happened to this pod's sandbox or containers: look again. `uid` "" means: look at all (after a gap).

    `what` IMAGES is about no pod: images have come or gone.
    """

    uid: str
    what: str  # start, exit, oom, delete, ...


@dataclass(frozen=True, kw_only=True)
class PullAuth:
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class Runtime(Protocol):
    async def version(self) -> str: ...

    async def sandboxes(self) -> Sequence[Sandbox]:
        """Every sandbox, with its ip."""
        ...

    async def containers(self, *, pod_uid: str = "") -> Sequence[Container]:
        """Every container with its full status, of one pod or of all."""
        ...

    async def sandbox(self, sandbox_id: str) -> Sandbox: ...

    async def run_sandbox(self, spec: SandboxSpec) -> str: ...

    async def stop_sandbox(self, sandbox_id: str) -> None: ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """With its containers. One that is not stopped is stopped by it."""
        ...

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """The image's stop signal, then SIGKILL after the grace. Returns when it has exited."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def reopen_log(self, container_id: str) -> None: ...

    async def update_resources(self, container_id: str, resources: Resources) -> None: ...

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run a command to its end; raises RuntimeFailure("DEADLINE_EXCEEDED") after `timeout` seconds."""
        ...

    async def exec_url(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str: ...

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str: ...

    async def port_forward_url(self, sandbox_id: str, ports: Sequence[int]) -> str: ...

    async def image(self, reference: str) -> Image | None: ...

    async def images(self) -> Sequence[Image]: ...

    async def pull(self, reference: str, auth: PullAuth | None) -> str:
        """Pull by tag or digest; the image's id."""
        ...

    async def remove_image(self, reference: str) -> None: ...

    async def usage(self) -> Sequence[Usage]: ...

    def events(self) -> AsyncGenerator[PodEvent, None]:
        """What happens, as it happens; after a lost connection it resumes with one event of uid ""."""
        ...
