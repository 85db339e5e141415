"""A pod and its containers in the runtime's words: SandboxSpec and ContainerSpec. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.client.lister import Lister
from wherry.node.dns_settings import Resolver, hostname, pod_resolver
from wherry.node.environment import environment, expand
from wherry.node.resources import cgroup_parent, container_resources, pod_resources
from wherry.node.runtime import ContainerSpec, Image, MountSpec, Port, Resources, SandboxSpec
from wherry.node.security import container_security, sandbox_security, sysctls
from wherry.node.seen import BACKOFF, GRACE, HASH, grace_seconds, spec_hash
from wherry.node.settings import NodeSettings
from wherry.objects import Obj

MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
MESSAGE_FILE = "wherry.io/termination-message-file"  # where on the host


def sandbox_spec(pod: Obj, settings: NodeSettings, host: Resolver, attempt: int) -> SandboxSpec:
    meta = pod["metadata"]
    resolver = pod_resolver(pod, settings, host)
    network = not pod["spec"].get("hostNetwork")
    return SandboxSpec(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        attempt=attempt,
        hostname=hostname(pod) if network else "",
        log_directory=str(settings.log_dir(meta["namespace"], meta["name"], meta["uid"])),
        dns_servers=tuple(resolver.servers),
        dns_searches=tuple(resolver.searches),
        dns_options=tuple(resolver.options),
        ports=tuple(_ports(pod)) if network else (),
        labels=dict(meta.get("labels") or {}),
        annotations={**(meta.get("annotations") or {}), GRACE: f"{grace_seconds(pod):g}"},
        cgroup_parent=cgroup_parent(pod, settings.cgroup_root),
        sysctls=sysctls(pod),
        security=sandbox_security(pod),
        resources=Resources(cpu_shares=pod_resources(pod).cpu_shares, oom_score_adj=-998),
    )


def _ports(pod: Obj) -> Sequence[Port]:
    return [
        Port(
            container_port=port["containerPort"],
            host_port=port.get("hostPort", 0),
            protocol=port.get("protocol", "TCP"),
            host_ip=port.get("hostIP", ""),
        )
        for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
        for port in container.get("ports") or ()
    ]


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is known only when a container starts."""

    attempt: int
    backoff: float
    image: Image
    pod_ip: str
    mounts: Sequence[MountSpec]
    message_file: str


def container_spec(pod: Obj, container: Obj, start: Start, lister: Lister, settings: NodeSettings) -> ContainerSpec:
    """Raises BadConfig where the pod asks for what cannot be."""
    env = environment(pod, container, lister, settings, start.pod_ip)
    known = dict(env)
    return ContainerSpec(
        name=container["name"],
        image=start.image.id,
        user_image=container["image"],
        attempt=start.attempt,
        command=tuple(expand(word, known) for word in container.get("command") or ()),
        args=tuple(expand(word, known) for word in container.get("args") or ()),
        working_dir=container.get("workingDir") or "",
        env=env,
        mounts=tuple(start.mounts),
        annotations={
            HASH: spec_hash(container),
            BACKOFF: f"{start.backoff:g}",
            "io.kubernetes.container.restartCount": str(start.attempt),
            MESSAGE_PATH: container.get("terminationMessagePath") or "/dev/termination-log",
            MESSAGE_POLICY: container.get("terminationMessagePolicy") or "File",
            MESSAGE_FILE: start.message_file,
            GRACE: f"{grace_seconds(pod):g}",
        },
        log_path=f"{container['name']}/{start.attempt}.log",
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        security=container_security(pod, container, start.image.user),
        resources=container_resources(pod, container, settings.memory_bytes),
    )
