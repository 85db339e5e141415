"""The downward API: a pod's own fields and resources as text. Pure."""

import re
from collections.abc import Mapping

from wherry.node.security import BadConfig
from wherry.node.settings import NodeSettings
from wherry.objects import Obj, quantities

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['([^']*)'\]")


def field_value(pod: Obj, path: str, settings: NodeSettings, pod_ip: str) -> str:
    """What `fieldRef.fieldPath` names."""
    meta, spec = pod["metadata"], pod["spec"]
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        mapping = meta.get(subscript[1].removeprefix("metadata.")) or {}
        return str(mapping.get(subscript[2], ""))
    fixed = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta.get("namespace", ""),
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": settings.address,
        "status.hostIPs": settings.address,
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
    }
    if path in fixed:
        return str(fixed[path])
    if path in ("metadata.labels", "metadata.annotations"):
        return map_text(meta.get(path.removeprefix("metadata.")) or {})
    raise BadConfig(f"unsupported fieldPath: {path}")


def map_text(mapping: Mapping[str, str]) -> str:
    """Sorted lines of `key="value"`, quoted as Go does."""
    return "\n".join(f"{key}={_quoted(mapping[key])}" for key in sorted(mapping))


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b", "\f": "\\f"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def resource_value(pod: Obj, container: Obj, reference: Obj, settings: NodeSettings) -> str:
    """What `resourceFieldRef` names, in units of its divisor, rounded up; an absent limit is the whole node's."""
    name = reference.get("containerName") or container["name"]
    every = (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    target = next((one for one in every if one["name"] == name), None)
    if target is None:
        raise BadConfig(f"container {name} not found")
    side, _, resource = reference["resource"].partition(".")
    given = (target.get("resources") or {}).get(side) or {}
    if resource not in given and side == "limits":
        given = {"cpu": f"{settings.cpu_milli}m", "memory": str(settings.memory_for_pods)}
    amount = quantities.parse(given[resource]) if resource in given else quantities.ZERO
    divisor = quantities.parse(reference.get("divisor") or "0") or quantities.parse("1")
    return str(-(-amount.nano // divisor.nano))
