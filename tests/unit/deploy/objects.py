"""Workloads and pods as the API has them, in short."""

from typing import Any

from wherry.objects import Obj

NOW = "2026-01-01T00:01:00Z"
TEMPLATE: Obj = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}


def owner(uid: str, kind: str = "ReplicaSet") -> list[Obj]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": True}]


def deployment(wanted: int = 1, template: Obj = TEMPLATE, **status: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        "status": {"observedGeneration": 1, **status},
    }


def done(replicas: int = 1) -> Obj:
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    counts: dict[str, Any] = dict.fromkeys(names, replicas)
    return deployment(replicas, **counts)


def replicaset(uid: str = "new", template: Obj = TEMPLATE) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": uid, "namespace": "default", "uid": uid, "ownerReferences": owner("d", "Deployment")},
        "spec": {"template": template},
    }


def pod(
    state: Obj | None = None,
    *,
    name: str = "web-1",
    of: str = "new",
    restarts: int = 0,
    last: Obj | None = None,
    conditions: tuple[Obj, ...] = (),
    init: Obj | None = None,
) -> Obj:
    """A pod with one container in `state` (waiting, running or terminated)."""
    meta: Obj = {"name": name, "namespace": "default", "uid": name, "ownerReferences": owner(of)}
    status: Obj = {"phase": "Pending", "conditions": list(conditions)}
    if state is not None:
        container = {"name": "web", "state": state, "lastState": {}, "restartCount": restarts}
        status["containerStatuses"] = [{**container, **({"lastState": {"terminated": last}} if last else {})}]
    if init is not None:
        status["initContainerStatuses"] = [{"name": "prepare", "state": init, "lastState": {}, "restartCount": 0}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": "node", "restartPolicy": "Always", "containers": [{"name": "web", "image": "web:1"}]},
        "status": status,
    }


READY: Obj = {"type": "Ready", "status": "True"}


def ready_pod(
    name: str = "web-1", of: str = "new", started: str = "2026-01-01T00:00:00Z", deleted: bool = False
) -> Obj:
    made = pod({"running": {"startedAt": started}}, name=name, of=of, conditions=(READY,))
    if deleted:
        made["metadata"]["deletionTimestamp"] = NOW
    return made


def roomless_pod(*conditions: Obj) -> Obj:
    """One that has no node yet."""
    made = pod(conditions=conditions)
    made["spec"]["nodeName"] = ""
    return made


def waiting(reason: str, message: str = "") -> Obj:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error") -> Obj:
    return {"exitCode": code, "reason": reason}


def event(reason: str, message: str, at: str = NOW, about: str = "web-1") -> Obj:
    return {"involvedObject": {"kind": "Pod", "name": about}, "reason": reason, "message": message, "lastTimestamp": at}
