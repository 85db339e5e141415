"""Pod: containers that live and die together on one node."""

from wherry.kinds.checks import Errors
from wherry.kinds.core import container_checks, label_keys, pod_changes, pod_checks, pod_columns, pod_warnings, podspec
from wherry.kinds.defaults import items, section
from wherry.kinds.kind import Kind, Part
from wherry.objects import Obj
from wherry.objects.field_errors import forbidden

_GATED = "Scheduling is blocked due to non-empty scheduling gates"


def default(obj: Obj) -> None:
    spec = section(obj, "spec")
    podspec.default_spec(spec)
    podspec.default_pod(spec)
    for condition in items(obj.get("status"), "conditions"):
        condition.setdefault("lastProbeTime", None)  # always there, as clients of typed languages write it back


def prepare(obj: Obj) -> None:
    """A new pod waits; how it is treated when memory runs short is settled for life."""
    meta, spec = obj["metadata"], obj["spec"]
    obj["status"] = {"phase": "Pending", "qosClass": podspec.qos_class(spec)}
    if spec.get("schedulingGates"):
        condition: Obj = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": _GATED}
        condition["lastProbeTime"] = None
        if meta.get("creationTimestamp"):
            condition["lastTransitionTime"] = meta["creationTimestamp"]
        obj["status"]["conditions"] = [condition]
    label_keys.merge(spec, meta.get("labels") or {})


def validate(obj: Obj) -> Errors:
    spec = obj["spec"]
    yield from pod_checks.spec("spec", spec)
    yield from container_checks.trimmed_images("spec", spec)
    if not spec.get("serviceAccountName"):
        for index, volume in enumerate(items(spec, "volumes")):
            for number, source in enumerate(items(volume.get("projected"), "sources")):
                if source.get("serviceAccountToken") is not None:
                    at = f"spec.volumes[{index}].projected.sources[{number}].serviceAccountToken"
                    yield forbidden(at, "must not be specified when serviceAccountName is not set")


def validate_update(new: Obj, old: Obj) -> Errors:
    yield from pod_changes.update(new["spec"], old["spec"])


def validate_create(obj: Obj) -> Errors:
    if obj["spec"].get("ephemeralContainers"):
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")


def validate_ephemeral(new: Obj, old: Obj) -> Errors:
    yield from validate(new)
    yield from pod_changes.ephemeral(new, old)


def finished(obj: Obj) -> tuple[str, str] | None:
    match (obj.get("status") or {}).get("phase"):
        case "Succeeded":
            return "Succeeded", "The pod has completed successfully."
        case "Failed":
            return "Failed", "The pod failed."
    return None


def grace_seconds(obj: Obj) -> int:
    """None left for a pod that no node has, or that has ended."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = spec.get("terminationGracePeriodSeconds")
    return podspec.GRACE_SECONDS if seconds is None else int(seconds)


def _host_network(obj: Obj) -> str:
    return "true" if (obj.get("spec") or {}).get("hostNetwork") else "false"


def _pod_ips(obj: Obj) -> str:
    return ",".join(one.get("ip", "") for one in (obj.get("status") or {}).get("podIPs") or ())


POD = Kind(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    schema="io.k8s.api.core.v1.Pod",
    short_names=("po",),
    categories=("all",),
    status=True,
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
    ),
    parts={"ephemeralcontainers": Part(pod_changes.take_ephemeral, validate_ephemeral)},
    selectable=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    selectable_values={"spec.hostNetwork": _host_network, "status.podIPs": _pod_ips},
    default=default,
    prepare=prepare,
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=pod_changes.status,
    warn=pod_warnings.of_pod,
    status_keeps=("ownerReferences",),
    columns=pod_columns.COLUMNS,
    finished=finished,
    grace_seconds=grace_seconds,
    delete_returns_object=True,
)
