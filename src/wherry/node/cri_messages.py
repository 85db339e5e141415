"""The node's values as CRI messages and back. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import MappingProxyType

from wherry.node import cri_pb2 as pb
from wherry.node.oci_runtime import SECCOMP_FILTER
from wherry.node.runtime import (
    Container,
    ContainerSpec,
    Image,
    MountSpec,
    Port,
    PullAuth,
    Resources,
    Sandbox,
    SandboxSpec,
    Security,
    State,
    Usage,
)

NONE: Mapping[str, str] = MappingProxyType({})

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
USER_IMAGE = "io.kubernetes.container.image"  # the image as the pod's author wrote it: containerd forgets it

# Kubernetes' default procMount. The CRI masks nothing by itself, so the lists are always sent.
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_STATES = {
    pb.CONTAINER_CREATED: State.CREATED,
    pb.CONTAINER_RUNNING: State.RUNNING,
    pb.CONTAINER_EXITED: State.EXITED,
}
_PROPAGATION = {
    "None": pb.PROPAGATION_PRIVATE,
    "HostToContainer": pb.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": pb.PROPAGATION_BIDIRECTIONAL,
}
# How containerd says that it broke a start off: in a call of the shim, or by killing the shim that was starting.
_BROKEN_OFF = ("context canceled", "failed to start shim: start failed: : signal: killed")
_PROTOCOLS = {"TCP": pb.TCP, "UDP": pb.UDP, "SCTP": pb.SCTP}


def sandbox_config(spec: SandboxSpec, own: Mapping[str, str] = NONE) -> pb.PodSandboxConfig:
    """`own` are annotations of the node itself."""
    security = spec.security
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=spec.name, uid=spec.uid, namespace=spec.namespace, attempt=spec.attempt),
        hostname="" if security.host_network else spec.hostname,  # the host's own name cannot be set
        log_directory=spec.log_directory,
        dns_config=pb.DNSConfig(servers=spec.dns_servers, searches=spec.dns_searches, options=spec.dns_options),
        port_mappings=[_port(port) for port in spec.ports],
        labels={**spec.labels, **_pod_labels(spec)},
        annotations={**_without_filter(spec.annotations), **own},
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=spec.cgroup_parent,
            sysctls=spec.sysctls,
            resources=resources_message(spec.resources),
            security_context=pb.LinuxSandboxSecurityContext(
                namespace_options=_namespaces(security),
                run_as_user=_int(security.run_as_user),
                run_as_group=_int(security.run_as_group),
                supplemental_groups=security.supplemental_groups,
                privileged=security.privileged,
                readonly_rootfs=security.readonly_rootfs,
                seccomp=_seccomp(security.seccomp),
            ),
        ),
    )


def container_config(spec: ContainerSpec, sandbox: SandboxSpec, own: Mapping[str, str] = NONE) -> pb.ContainerConfig:
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=spec.name, attempt=spec.attempt),
        image=pb.ImageSpec(image=spec.image, user_specified_image=spec.user_image),
        command=spec.command,
        args=spec.args,
        working_dir=spec.working_dir,
        envs=[pb.KeyValue(key=key, value=value) for key, value in spec.env],
        mounts=[_mount(mount) for mount in spec.mounts],
        devices=[pb.Device(container_path=path, host_path=path, permissions="rwm") for path in spec.devices],
        labels={**spec.labels, **_pod_labels(sandbox), CONTAINER_NAME: spec.name},
        annotations={**_without_filter(spec.annotations), USER_IMAGE: spec.user_image or spec.image, **own},
        log_path=spec.log_path,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        tty=spec.tty,
        linux=pb.LinuxContainerConfig(
            resources=resources_message(spec.resources), security_context=_container_security(spec.security)
        ),
    )


def resources_message(resources: Resources) -> pb.LinuxContainerResources:
    return pb.LinuxContainerResources(
        cpu_period=resources.cpu_period,
        cpu_quota=resources.cpu_quota,
        cpu_shares=resources.cpu_shares,
        memory_limit_in_bytes=resources.memory_limit,
        oom_score_adj=resources.oom_score_adj,
    )


def auth_config(auth: PullAuth) -> pb.AuthConfig:
    return pb.AuthConfig(username=auth.username, password=auth.password, registry_token=auth.token)


def sandbox_value(status: pb.PodSandboxStatus) -> Sandbox:
    return Sandbox(
        id=status.id,
        uid=status.metadata.uid,
        name=status.metadata.name,
        namespace=status.metadata.namespace,
        attempt=status.metadata.attempt,
        ready=status.state == pb.SANDBOX_READY,
        created=_required(status.created_at),
        ip=status.network.ip,
        labels=dict(status.labels),
        annotations=_without_filter(status.annotations),
    )


def container_value(status: pb.ContainerStatus, sandbox_id: str) -> Container:
    annotations = _without_filter(status.annotations)
    user_image = annotations.pop(USER_IMAGE, "") or status.image.image
    return Container(
        id=status.id,
        sandbox_id=sandbox_id,
        pod_uid=status.labels.get(POD_UID, ""),
        name=status.metadata.name,
        attempt=status.metadata.attempt,
        state=State.CREATED if _given_up(status) else _STATES.get(status.state, State.UNKNOWN),
        image=user_image,
        image_id=status.image_ref,
        created=_required(status.created_at),
        started=_moment(status.started_at),
        finished=_moment(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        log_path=status.log_path,
        labels=dict(status.labels),
        annotations=annotations,
    )


def _given_up(status: pb.ContainerStatus) -> bool:
    """Whoever asked for its start went away meanwhile, so containerd broke off: it has never run."""
    return status.reason == "StartError" and any(words in status.message for words in _BROKEN_OFF)


def image_value(image: pb.Image, pinned: frozenset[str] = frozenset()) -> Image:
    user = str(image.uid.value) if image.HasField("uid") else image.username
    return Image(
        id=image.id,
        tags=tuple(image.repo_tags),
        digests=tuple(image.repo_digests),
        size=image.size,
        user=user,
        pinned=image.pinned or not pinned.isdisjoint((image.id, *image.repo_tags, *image.repo_digests)),
    )


def usage_value(stats: pb.ContainerStats) -> Usage:
    labels: Mapping[str, str] = stats.attributes.labels
    return Usage(
        container_id=stats.attributes.id,
        pod_uid=labels.get(POD_UID, ""),
        name=stats.attributes.metadata.name,
        cpu_nanoseconds=stats.cpu.usage_core_nano_seconds.value,
        memory_bytes=stats.memory.working_set_bytes.value,
        at=_required(stats.cpu.timestamp),
    )


def _without_filter(annotations: Mapping[str, str]) -> dict[str, str]:
    """Pods' authors must not choose the filter, and nobody needs to see it."""
    return {key: value for key, value in annotations.items() if key != SECCOMP_FILTER}


def _pod_labels(spec: SandboxSpec) -> dict[str, str]:
    return {POD_NAME: spec.name, POD_NAMESPACE: spec.namespace, POD_UID: spec.uid}


def _port(port: Port) -> pb.PortMapping:
    return pb.PortMapping(
        protocol=_PROTOCOLS[port.protocol],
        container_port=port.container_port,
        host_port=port.host_port,
        host_ip=port.host_ip,
    )


def _mount(mount: MountSpec) -> pb.Mount:
    return pb.Mount(
        container_path=str(PurePosixPath("/", mount.container_path)),
        host_path=mount.host_path,
        readonly=mount.readonly,
        propagation=_PROPAGATION[mount.propagation],
    )


def _namespaces(security: Security) -> pb.NamespaceOption:
    shared = pb.POD if security.shared_pid else pb.CONTAINER
    return pb.NamespaceOption(
        network=pb.NODE if security.host_network else pb.POD,
        pid=pb.NODE if security.host_pid else shared,
        ipc=pb.NODE if security.host_ipc else pb.POD,
    )


def _container_security(security: Security) -> pb.LinuxContainerSecurityContext:
    masked = MASKED_PATHS if security.masked_paths is None else security.masked_paths
    readonly = READONLY_PATHS if security.readonly_paths is None else security.readonly_paths
    return pb.LinuxContainerSecurityContext(
        capabilities=pb.Capability(
            add_capabilities=security.add_capabilities, drop_capabilities=security.drop_capabilities
        ),
        privileged=security.privileged,
        namespace_options=_namespaces(security),
        run_as_user=_int(security.run_as_user),
        run_as_username=security.run_as_username,
        run_as_group=_int(security.run_as_group),
        readonly_rootfs=security.readonly_rootfs,
        supplemental_groups=security.supplemental_groups,
        no_new_privs=security.no_new_privs,
        masked_paths=() if security.privileged else masked,
        readonly_paths=() if security.privileged else readonly,
        seccomp=_seccomp(security.seccomp),
    )


def _seccomp(profile: str) -> pb.SecurityProfile:
    if profile == "Unconfined":
        return pb.SecurityProfile(profile_type=pb.SecurityProfile.Unconfined)
    if profile.startswith("Localhost/"):
        path = profile.removeprefix("Localhost/")
        return pb.SecurityProfile(profile_type=pb.SecurityProfile.Localhost, localhost_ref=path)
    return pb.SecurityProfile(profile_type=pb.SecurityProfile.RuntimeDefault)


def _int(value: int | None) -> pb.Int64Value | None:
    return None if value is None else pb.Int64Value(value=value)


def _required(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)


def _moment(nanoseconds: int) -> datetime | None:
    return _required(nanoseconds) if nanoseconds > 0 else None
