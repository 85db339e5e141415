"""Pod: containers that live and die together on one node."""

from wherry.kinds.core import pod_columns, podspec
from wherry.kinds.defaults import section
from wherry.kinds.kind import Kind
from wherry.objects import Obj


def default(obj: Obj) -> None:
    spec = section(obj, "spec")
    podspec.default_spec(spec)
    podspec.default_pod(spec)


def prepare(obj: Obj) -> None:
    """A new pod waits; how it is treated when memory runs short is settled for life."""
    obj["status"] = {"phase": "Pending", "qosClass": podspec.qos_class(obj["spec"])}


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
        "resize",
    ),
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
    columns=pod_columns.COLUMNS,
    grace_seconds=grace_seconds,
    delete_returns_object=True,
)
