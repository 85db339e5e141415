"""A whole compose document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.deploy.compose.keys import KEYS, WHY
from wherry.deploy.compose.service import ComposeService, Line, Verdict
from wherry.deploy.errors import InputError
from wherry.objects import Obj
from wherry.objects.names import dns1035_label

MAPPED_AT_TOP = ("version", "name", "services", "volumes", "networks", "configs", "secrets")


@dataclass(frozen=True)
class Converted:
    """Objects by the name of their service, and the lines."""

    objects: Mapping[str, Sequence[Obj]]
    lines: Sequence[Line]


def convert(document: Any) -> Converted:
    """The objects for a compose document. Raises InputError where it is none."""
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise InputError("this is no compose file: it has no services")
    lines = [_top(key) for key in document if key not in MAPPED_AT_TOP]
    objects: dict[str, list[Obj]] = {}
    for name, raw in document["services"].items():
        if problem := dns1035_label(str(name)):
            raise InputError(f'services.{name}: a Service cannot be named "{name}": {problem}')
        if not isinstance(raw, dict):
            raise InputError(f"services.{name} must be a table of keys")
        service = ComposeService(str(name), raw, {"name": str(name)}, {"containers": []})
        for key, value in raw.items():
            handler = KEYS.get(str(key))
            if handler is None:
                service.note(
                    str(key), Verdict.DROPPED, WHY.get(str(key), "Kubernetes has no equal, or it is not known")
                )
            elif value is not None:
                handler(service, value)
        objects[service.name] = list(_objects(service))
        lines += service.lines
    for kind in ("volumes", "networks", "configs", "secrets"):
        for name in document.get(kind) or {}:
            lines.append(Line(f"{kind}.{name}", *_SHARED[kind]))
    return Converted(objects, lines)


def _top(key: str) -> Line:
    extension = "an extension, for other tools" if str(key).startswith("x-") else "it is not known"
    return Line(str(key), Verdict.DROPPED, extension)


_SHARED = {
    "volumes": (Verdict.CHANGED, "each pod has its own, and it goes with the pod; state wants a PersistentVolumeClaim"),
    "networks": (Verdict.DROPPED, "all pods reach each other; a NetworkPolicy parts them"),
    "configs": (Verdict.DROPPED, "make a ConfigMap of the file: kubectl create configmap NAME --from-file=FILE"),
    "secrets": (Verdict.DROPPED, "make a Secret of the file: kubectl create secret generic NAME --from-file=FILE"),
}


def _objects(service: ComposeService) -> Iterator[Obj]:
    """The Deployment, and the Service where something is published or exposed."""
    labels = {"app.kubernetes.io/name": service.name}
    if "image" not in service.container:
        raise InputError(f"services.{service.name} has neither image nor build")
    ports = {(target, protocol) for _, target, protocol in service.published} | set(service.inner)
    if ports:
        service.container["ports"] = [
            {"containerPort": port, **({"protocol": protocol} if protocol != "TCP" else {})}
            for port, protocol in sorted(ports)
        ]
    annotations = service.pod.pop("annotations", None)
    template = {
        "metadata": {"labels": labels, **({"annotations": annotations} if annotations else {})},
        "spec": {**service.pod, "containers": [service.container]},
    }
    spec = {
        "replicas": service.replicas,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }
    meta = {"name": service.name, "labels": labels}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    if ports:
        listed = service.published or [(port, port, protocol) for port, protocol in service.inner]
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {
                "type": "LoadBalancer" if service.published else "ClusterIP",
                "selector": labels,
                "ports": [
                    {"name": f"{protocol.lower()}-{port}", "port": port, "targetPort": target, "protocol": protocol}
                    for port, target, protocol in listed
                ],
            },
        }
