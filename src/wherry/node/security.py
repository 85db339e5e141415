"""Security contexts of a pod and its containers as values for the runtime. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wherry.node.runtime import Security
from wherry.node.seen import pod_label
from wherry.objects import Obj

SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    )
)


class BadConfig(Exception):
    """The container cannot be configured as its pod says; the message is upstream's."""


def pod_context(pod: Obj) -> Obj:
    return pod["spec"].get("securityContext") or {}


def setting(pod: Obj, container: Obj, key: str) -> Any:
    """The container's own value, or else the pod's."""
    own = (container.get("securityContext") or {}).get(key)
    return pod_context(pod).get(key) if own is None else own


def sandbox_security(pod: Obj) -> Security:
    """The sandbox runs as its image says, unless the whole pod has a user."""
    context = pod_context(pod)
    security = Security(
        run_as_user=context.get("runAsUser"),
        run_as_group=context.get("runAsGroup") if context.get("runAsUser") is not None else None,
        supplemental_groups=_groups(context),
        privileged=any(_own(one).get("privileged") for one in _every(pod)),
        readonly_rootfs=True,
    )
    return _in_namespaces(pod, security)


def container_security(pod: Obj, container: Obj, image_user: str) -> Security:
    """`image_user`: what the image's config says. Raises BadConfig where runAsNonRoot forbids it."""
    own = _own(container)
    user = setting(pod, container, "runAsUser")
    uid, name = _image_user(image_user)
    _check_non_root(pod, container, user, uid, name)
    capabilities = own.get("capabilities") or {}
    unmasked = own.get("procMount") == "Unmasked"
    security = Security(
        run_as_user=uid if user is None else user,
        run_as_username=name if user is None and uid is None else "",
        run_as_group=setting(pod, container, "runAsGroup"),
        supplemental_groups=_groups(pod_context(pod)),
        privileged=bool(own.get("privileged")),
        readonly_rootfs=bool(own.get("readOnlyRootFilesystem")),
        no_new_privs=own.get("allowPrivilegeEscalation") is False,
        add_capabilities=tuple(capabilities.get("add") or ()),
        drop_capabilities=tuple(capabilities.get("drop") or ()),
        seccomp=_seccomp(pod, container),
        masked_paths=() if unmasked else None,
        readonly_paths=() if unmasked else None,
    )
    return _in_namespaces(pod, security)


def forbidden_sysctl(pod: Obj) -> str:
    """A sysctl of the pod that this node does not allow, "" if none."""
    for sysctl in pod_context(pod).get("sysctls") or ():
        if sysctl["name"] not in SAFE_SYSCTLS:
            return str(sysctl["name"])
    return ""


def sysctls(pod: Obj) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod_context(pod).get("sysctls") or ()}


def _every(pod: Obj) -> Sequence[Obj]:
    return (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])


def _own(container: Obj) -> Obj:
    return container.get("securityContext") or {}


def _in_namespaces(pod: Obj, security: Security) -> Security:
    spec = pod["spec"]
    return replace(
        security,
        host_network=bool(spec.get("hostNetwork")),
        host_pid=bool(spec.get("hostPID")),
        host_ipc=bool(spec.get("hostIPC")),
        shared_pid=bool(spec.get("shareProcessNamespace")),
    )


def _groups(context: Obj) -> tuple[int, ...]:
    fs_group = context.get("fsGroup")
    return (*(() if fs_group is None else (fs_group,)), *(context.get("supplementalGroups") or ()))


def _image_user(user: str) -> tuple[int | None, str]:
    """`1000`, `1000:1000`, `app`, or nothing: root."""
    name = user.partition(":")[0]
    if not name:
        return None, ""
    return (int(name), "") if name.isdigit() else (None, name)


def _check_non_root(pod: Obj, container: Obj, user: int | None, uid: int | None, name: str) -> None:
    if not setting(pod, container, "runAsNonRoot"):
        return
    where = f'(pod: "{pod_label(pod)}", container: {container["name"]})'
    if user is not None:
        if user == 0:
            raise BadConfig(f"container's runAsUser breaks non-root policy {where}")
        return
    if name:
        doubt = f"image has non-numeric user ({name}), cannot verify user is non-root"
        raise BadConfig(f"container has runAsNonRoot and {doubt} {where}")
    if not uid:
        raise BadConfig(f"container has runAsNonRoot and image will run as root {where}")


def _seccomp(pod: Obj, container: Obj) -> str:
    profile = setting(pod, container, "seccompProfile") or {}
    kind = profile.get("type", "RuntimeDefault")
    if kind == "Localhost":
        return f"Localhost/{profile.get('localhostProfile', '')}"
    return str(kind)
