"""Pod objects -> what the runtime is asked for: sandboxes, containers, resources, security. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.node.pods.environment import ConfigError, expand
from wherry.node.runtime import (
    ContainerSpec,
    Image,
    MountSpec,
    Port,
    Resources,
    SandboxSpec,
    Security,
)
from wherry.objects import Obj
from wherry.objects.quantities import parse

SHARES_PER_CPU, LEAST_SHARES, PERIOD = 1024, 2, 100_000
OOM = {"Guaranteed": -997, "BestEffort": 1000}


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """One node: its name and address, where pods' files and logs go, what pods ask for names."""

    name: str
    ip: str
    root: str  # pods' volumes and logs
    dns: str
    cluster_domain: str = "cluster.local"
    cgroup_root: str = "/wherry"
    max_pods: int = 250
    parallel_starts: int = 8


def log_directory(pod: Obj, settings: NodeSettings) -> str:
    meta = pod["metadata"]
    return f"{settings.root}/logs/{meta['namespace']}_{meta['name']}_{meta['uid']}"


def sandbox_spec(pod: Obj, settings: NodeSettings, attempt: int) -> SandboxSpec:
    meta, spec = pod["metadata"], pod["spec"]
    context = spec.get("securityContext") or {}
    servers, searches, options = dns(pod, settings)
    return SandboxSpec(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        attempt=attempt,
        hostname="" if spec.get("hostNetwork") else (spec.get("hostname") or meta["name"])[:63],
        log_directory=log_directory(pod, settings),
        dns_servers=servers,
        dns_searches=searches,
        dns_options=options,
        ports=[
            Port(
                container_port=port["containerPort"],
                host_port=port.get("hostPort", 0),
                protocol=port.get("protocol", "TCP"),
                host_ip=port.get("hostIP", ""),
            )
            for container in spec["containers"]
            for port in container.get("ports") or ()
            if port.get("hostPort")
        ],
        labels={
            **(meta.get("labels") or {}),
            "io.kubernetes.pod.name": meta["name"],
            "io.kubernetes.pod.namespace": meta["namespace"],
            "io.kubernetes.pod.uid": meta["uid"],
        },
        cgroup_parent=f"{settings.cgroup_root}/pod{meta['uid']}",
        sysctls={item["name"]: item["value"] for item in context.get("sysctls") or ()},
        security=security(pod, {}, None),
    )


def dns(pod: Obj, settings: NodeSettings) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The resolver's servers, search domains and options; all empty: as the host has them."""
    spec = pod["spec"]
    policy, own = spec.get("dnsPolicy", "ClusterFirst"), spec.get("dnsConfig") or {}
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    if policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.get("hostNetwork")):
        domain = settings.cluster_domain
        servers = [settings.dns]
        searches = [f"{pod['metadata']['namespace']}.svc.{domain}", f"svc.{domain}", domain]
        options = ["ndots:5"]
    servers += own.get("nameservers") or []
    searches += own.get("searches") or []
    options += [f"{o['name']}:{o['value']}" if o.get("value") else o["name"] for o in own.get("options") or ()]
    return servers, searches, options


def container_spec(
    pod: Obj, container: Obj, image: Image, attempt: int, env: Sequence[tuple[str, str]], mounts: Sequence[MountSpec]
) -> ContainerSpec:
    """Raises ConfigError where the image's user is not allowed."""
    meta, name = pod["metadata"], container["name"]
    known = dict(env)
    return ContainerSpec(
        name=name,
        image=image.id,
        user_image=container["image"],
        attempt=attempt,
        command=[expand(word, known) for word in container.get("command") or ()],
        args=[expand(word, known) for word in container.get("args") or ()],
        working_dir=container.get("workingDir", ""),
        env=env,
        mounts=mounts,
        labels={
            "io.kubernetes.container.name": name,
            "io.kubernetes.pod.name": meta["name"],
            "io.kubernetes.pod.namespace": meta["namespace"],
            "io.kubernetes.pod.uid": meta["uid"],
        },
        log_path=f"{name}/{attempt}.log",
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        security=security(pod, container, image),
        resources=resources(pod, container),
    )


def security(pod: Obj, container: Obj, image: Image | None) -> Security:
    """The container's context over the pod's. Raises ConfigError for a root user where runAsNonRoot is asked."""
    spec = pod["spec"]
    common, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    merged = {**common, **own}
    user = merged.get("runAsUser")
    if merged.get("runAsNonRoot") and image is not None:
        _refuse_root(user, image, container)
    capabilities = own.get("capabilities") or {}
    profile = merged.get("seccompProfile") or {}
    seccomp = profile.get("type", "RuntimeDefault")
    if seccomp == "Localhost":
        seccomp = f"Localhost/{profile.get('localhostProfile', '')}"
    groups = [*(common.get("supplementalGroups") or ())]
    if common.get("fsGroup") is not None:
        groups.append(common["fsGroup"])
    return Security(
        run_as_user=user,
        run_as_group=merged.get("runAsGroup"),
        supplemental_groups=groups,
        privileged=bool(own.get("privileged")),
        readonly_rootfs=bool(own.get("readOnlyRootFilesystem")),
        no_new_privs=own.get("allowPrivilegeEscalation") is False,
        add_capabilities=capabilities.get("add") or (),
        drop_capabilities=capabilities.get("drop") or (),
        seccomp="Unconfined" if own.get("privileged") else seccomp,
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        shared_pid=bool(spec.get("shareProcessNamespace")),
    )


def _refuse_root(user: int | None, image: Image, container: Obj) -> None:
    if user == 0:
        raise ConfigError("container's runAsUser breaks non-root policy")
    if user is None:
        name = image.user.partition(":")[0]
        if name in ("", "0"):
            raise ConfigError("container has runAsNonRoot and image will run as root")
        if not name.isdigit():
            raise ConfigError(
                f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
            )


def resources(pod: Obj, container: Obj) -> Resources:
    """Requests and limits as cgroups have them; the out-of-memory score follows the pod's class."""
    asked = container.get("resources") or {}
    limits, requests = asked.get("limits") or {}, asked.get("requests") or {}
    cpu = requests.get("cpu") or limits.get("cpu")
    shares = max(int(parse(cpu).milli() * SHARES_PER_CPU / 1000), LEAST_SHARES) if cpu else LEAST_SHARES
    quota = int(parse(limits["cpu"]).milli() * PERIOD / 1000) if limits.get("cpu") else 0
    memory = int(parse(limits["memory"]).value()) if limits.get("memory") else 0
    quality = (pod.get("status") or {}).get("qosClass", "BestEffort")
    return Resources(
        cpu_shares=shares,
        cpu_quota=max(quota, 1000) if quota else 0,
        memory_limit=memory,
        oom_score_adj=OOM.get(quality, 999),
    )
