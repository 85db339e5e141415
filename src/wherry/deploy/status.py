"""The apps that `up` has brought into a cluster, and how they are now."""

from dataclasses import dataclass
from typing import Any

from wherry.client.client import Client
from wherry.client.http import HttpClient
from wherry.clock import Clock
from wherry.deploy import apply, inventory
from wherry.deploy.answer import urls
from wherry.deploy.errors import DeployError
from wherry.deploy.images import containers
from wherry.deploy.pods import PodStep, Trouble
from wherry.deploy.rollout import look
from wherry.deploy.verdict import KINDS, State, judge
from wherry.objects import Obj, Ref


@dataclass(frozen=True)
class WorkloadStatus:
    """One workload of an app; `state` is the verdict's word."""

    name: str
    kind: str
    state: str
    wanted: int
    ready: int
    images: tuple[str, ...]
    pods: tuple[PodStep, ...]
    trouble: Trouble | None

    def as_json(self) -> dict[str, Any]:
        pods = [{"name": pod.name, "step": pod.step, "detail": pod.detail, "ready": pod.ready} for pod in self.pods]
        trouble = self.trouble and {"reason": self.trouble.reason, "message": self.trouble.message}
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "wanted": self.wanted,
            "ready": self.ready,
            "images": list(self.images),
            "pods": pods,
            "failure": trouble,
        }


@dataclass(frozen=True)
class AppStatus:
    """An app as it is now."""

    app: str
    namespace: str
    workloads: tuple[WorkloadStatus, ...]
    urls: tuple[str, ...]
    missing: tuple[Ref, ...]  # what `up` has made and somebody has deleted

    @property
    def good(self) -> bool:
        return not self.missing and all(one.state == State.DONE.value for one in self.workloads)

    def as_json(self) -> dict[str, Any]:
        return {
            "app": self.app,
            "namespace": self.namespace,
            "good": self.good,
            "workloads": [one.as_json() for one in self.workloads],
            "urls": list(self.urls),
            "missing": [str(ref) for ref in self.missing],
        }


async def status(client: HttpClient, clock: Clock, namespace: str, app: str, *, embedded: bool) -> list[AppStatus]:
    """Of all apps of a namespace ("" for all), or of one. Raises DeployError where that one is not there."""
    found = []
    for noted in await inventory.apps(client, namespace):
        name = noted["metadata"]["labels"][inventory.INVENTORY_LABEL]
        if not app or name == app:
            found.append(await _app(client, clock, name, noted, embedded=embedded))
    if app and not found:
        raise DeployError(f"there is no app {app} in {f'namespace {namespace}' if namespace else 'any namespace'}")
    return found


async def _app(client: HttpClient, clock: Clock, app: str, noted: Obj, *, embedded: bool) -> AppStatus:
    refs = inventory.refs(noted)
    objects = {ref: await apply.get(client, ref) for ref in refs}
    there = [obj for obj in objects.values() if obj is not None]
    works = [await _workload(client, clock, obj) for obj in there if obj["kind"] in KINDS]
    services = [obj for obj in there if obj["kind"] == "Service"]
    return AppStatus(
        app=app,
        namespace=noted["metadata"]["namespace"],
        workloads=tuple(works),
        urls=tuple(url for service in services for url in urls(service, embedded=embedded)),
        missing=tuple(ref for ref, obj in objects.items() if obj is None),
    )


async def _workload(client: Client, clock: Clock, obj: Obj) -> WorkloadStatus:
    verdict = judge(await look(client, clock, obj))
    return WorkloadStatus(
        name=obj["metadata"]["name"],
        kind=obj["kind"],
        state=verdict.state.value,
        wanted=verdict.wanted,
        ready=verdict.ready,
        images=tuple(str(each.get("image", "")) for each in containers(obj)),
        pods=verdict.pods,
        trouble=verdict.trouble,
    )
