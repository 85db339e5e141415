"""The objects of a folder with where each is written, and the questions that rules ask of them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.images.check.finding import Finding, Level
from wherry.objects import Obj

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
SERVING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")


@dataclass(frozen=True)
class Manifest:
    """One object; `line` is where its document begins, from 1."""

    obj: Obj
    file: str
    line: int = 1

    @property
    def kind(self) -> str:
        return str(self.obj.get("kind", ""))

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.obj.get("metadata") or {}

    @property
    def name(self) -> str:
        return str(self.meta.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.meta.get("namespace") or "default")

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.obj.get("spec") or {}

    @property
    def template(self) -> Mapping[str, Any] | None:
        """The pod template; a Pod is its own."""
        if self.kind == "Pod":
            return self.obj
        spec = self.spec
        if self.kind == "CronJob":
            spec = (spec.get("jobTemplate") or {}).get("spec") or {}
        found = spec.get("template")
        return found if isinstance(found, dict) and self.kind in WORKLOADS else None

    @property
    def pod_spec(self) -> Mapping[str, Any]:
        return (self.template or {}).get("spec") or {}

    @property
    def pod_labels(self) -> Mapping[str, str]:
        return ((self.template or {}).get("metadata") or {}).get("labels") or {}

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        return self.pod_spec.get("containers") or ()

    @property
    def every_container(self) -> Sequence[Mapping[str, Any]]:
        return [*(self.pod_spec.get("initContainers") or ()), *self.containers]

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def finding(self, rule: str, level: Level, message: str, *, cost: str, fix: str) -> Finding:
        """A finding about this object, which is named in front."""
        return Finding(
            rule=rule,
            level=level,
            file=self.file,
            line=self.line,
            message=f"{self}: {message}",
            cost=cost,
            fix=fix,
        )


@dataclass(frozen=True)
class Manifests:
    """All objects of a folder. `many_nodes`: the target has more than one node."""

    all: Sequence[Manifest] = field(default_factory=tuple)
    many_nodes: bool = False

    def of(self, *kinds: str) -> list[Manifest]:
        return [one for one in self.all if one.kind in kinds]

    def workloads(self) -> list[Manifest]:
        return [one for one in self.all if one.template is not None]

    def containers(self) -> Iterator[tuple[Manifest, Mapping[str, Any]]]:
        """Every container, with its workload."""
        for one in self.workloads():
            for container in one.containers:
                yield one, container

    def find(self, kind: str, name: str, namespace: str) -> Manifest | None:
        for one in self.of(kind):
            if one.name == name and one.namespace == namespace:
                return one
        return None

    def selected(self, service: Manifest) -> list[Manifest]:
        """The workloads whose pods a Service's selector takes."""
        selector = service.spec.get("selector") or {}
        return [
            one
            for one in self.workloads()
            if selector and one.namespace == service.namespace and selector.items() <= one.pod_labels.items()
        ]

    def services_of(self, workload: Manifest) -> list[Manifest]:
        return [service for service in self.of("Service") if workload in self.selected(service)]

    def autoscaler_of(self, workload: Manifest) -> Manifest | None:
        for one in self.of("HorizontalPodAutoscaler"):
            target = one.spec.get("scaleTargetRef") or {}
            if (target.get("kind"), target.get("name")) == (workload.kind, workload.name):
                return one
        return None


def probes(container: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container.get(kind):
            yield kind, container[kind]


def ports(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [port for port in container.get("ports") or () if isinstance(port, dict)]


def declares(container: Mapping[str, Any], port: int | str) -> bool:
    """Whether the container names the port, by number or name."""
    return any(port in (one.get("containerPort"), one.get("name")) for one in ports(container))


def action(probe: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a probe does, without when."""
    timing = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
    return tuple(sorted((key, str(value)) for key, value in probe.items() if key not in timing))
