"""From a name that a user types to the pods it means."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wherry.client.client import Client
from wherry.objects import Obj
from wherry.objects.errors import NotFound
from wherry.objects.pods import finished, ready, terminating
from wherry.objects.selectors import Selector, from_label_selector, from_map

APP_LABEL = "wherry.io/app"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
WORKLOADS = ("Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch")
SHORT = {
    "deploy": "Deployment.apps",
    "sts": "StatefulSet.apps",
    "ds": "DaemonSet.apps",
    "rs": "ReplicaSet.apps",
    "svc": "Service",
    "po": "Pod",
}


class Unknown(Exception):
    """No pods are meant by that name; the message says what there is."""


@dataclass(frozen=True)
class Replicas:
    """What a name means: one pod, or all that any of the selectors takes."""

    namespace: str
    pod: str = ""
    selectors: tuple[Selector, ...] = ()

    @property
    def several(self) -> bool:
        return not self.pod

    def __contains__(self, pod: Obj) -> bool:
        meta = pod["metadata"]
        if meta.get("namespace", "") != self.namespace:
            return False
        if self.pod:
            return bool(meta["name"] == self.pod)
        return any(selector.matches(meta.get("labels") or {}) for selector in self.selectors)


async def find(client: Client, namespace: str, name: str) -> Replicas:
    """`web`, `deploy/web`, `pod/web-5d4f-x`: an app, a workload, a Service or a pod. Raises Unknown."""
    kind, _, rest = name.partition("/")
    if rest:
        return await _of_kind(client, namespace, kind, rest)
    if selectors := await _app(client, namespace, name):
        return Replicas(namespace, selectors=selectors)
    for workload in (*WORKLOADS[:3], "Pod", *WORKLOADS[3:]):
        try:
            return _meant(await client.get(workload, namespace, name), namespace)
        except NotFound:
            continue
    known = await names(client, namespace)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else f"; there is {', '.join(known[:8])}" if known else ""
    raise Unknown(f"there is no app, workload or pod {name!r} in namespace {namespace}{hint}")


async def names(client: Client, namespace: str) -> list[str]:
    """What can be named there: apps, Deployments, pods."""
    deployments = (await client.list("Deployment.apps", namespace)).items
    pods = (await client.list("Pod", namespace)).items
    apps = {(each["metadata"].get("labels") or {}).get(APP_LABEL) for each in deployments}
    found = [str(app) for app in sorted(filter(None, apps))]
    found += [each["metadata"]["name"] for each in (*deployments, *pods)]
    return list(dict.fromkeys(found))


def choose(pods: Iterable[Obj]) -> Obj:
    """The replica for a command: ready before running, then the newest. Raises Unknown where none runs."""
    everyone = list(pods)
    alive = [pod for pod in everyone if not finished(pod) and not terminating(pod)]
    running = [pod for pod in alive if (pod.get("status") or {}).get("phase") == "Running"]
    if not running:
        states = ", ".join(f"{pod['metadata']['name']} is {_state(pod)}" for pod in everyone[:5])
        raise Unknown(f"no replica runs: {states}" if states else "there is no replica: it may be scaled to 0")
    return max(running, key=lambda pod: (ready(pod), pod["metadata"].get("creationTimestamp") or ""))


def container_of(pod: Obj, asked: str = "") -> str:
    """The container meant: the one asked for, the one the pod names as its default, or the first. Raises Unknown."""
    every = containers(pod)
    if asked:
        if asked not in every:
            raise Unknown(f"pod {pod['metadata']['name']} has no container {asked!r}: it has {', '.join(every)}")
        return asked
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    return default if default in every else str(pod["spec"]["containers"][0]["name"])


def containers(pod: Obj) -> list[str]:
    """All containers, init containers first, as they run."""
    spec = pod["spec"]
    return [each["name"] for key in ("initContainers", "containers") for each in spec.get(key) or ()]


async def _app(client: Client, namespace: str, name: str) -> tuple[Selector, ...]:
    """Selectors of an app's own workloads."""
    listed = await client.list("Deployment.apps", namespace, labels=f"{APP_LABEL}={name}")
    return tuple(from_label_selector(each["spec"]["selector"]) for each in listed.items)


async def _of_kind(client: Client, namespace: str, kind: str, name: str) -> Replicas:
    group_kinds: Sequence[str] = (*WORKLOADS, "Service", "Pod")
    word = kind.lower()
    known = {one.partition(".")[0].lower(): one for one in group_kinds} | SHORT
    found = known.get(word) or known.get(word.removesuffix("s"))
    if found is None:
        raise Unknown(f"{kind!r} has no pods: name one of {', '.join(sorted(known))}")
    try:
        return _meant(await client.get(found, namespace, name), namespace)
    except NotFound as error:
        raise Unknown(str(error)) from None


def _meant(obj: Obj, namespace: str) -> Replicas:
    name = obj["metadata"]["name"]
    if obj["kind"] == "Pod":
        return Replicas(namespace, pod=name)
    selector = (obj.get("spec") or {}).get("selector")
    if not selector:
        raise Unknown(f"{obj['kind']} {name} selects no pods")
    return Replicas(
        namespace, selectors=(from_map(selector) if obj["kind"] == "Service" else from_label_selector(selector),)
    )


def _state(pod: Obj) -> str:
    status = pod.get("status") or {}
    for each in status.get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return str(waiting["reason"])
    return "Terminating" if terminating(pod) else str(status.get("phase") or "Pending")
