"""A small model of a cluster: an API without validation, on which plans are carried out one look at a time."""

import copy
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from wherry.client.actions import (
    Action,
    Again,
    Create,
    Delete,
    Emit,
    MergePatch,
    Post,
    SetStatus,
    Update,
)
from wherry.client.controller import Controller
from wherry.client.mirror import Mirror
from wherry.client.reconcile import woken
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.merge_patch import apply as merge
from wherry.objects.times import format_time

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = (
    "Pod",
    "Node",
    "Service",
    "Endpoints",
    "ConfigMap",
    "Namespace",
    "ServiceAccount",
    "Event",
    "ReplicaSet.apps",
    "Deployment.apps",
    "EndpointSlice.discovery.k8s.io",
)


class Model:
    """`put` what there is, `look` with controllers, move pods on with `start` and `end`."""

    def __init__(self, *objects: Obj) -> None:
        self.mirror = Mirror()
        self.mirror.serve(KINDS)
        self.now = START
        self.events: list[tuple[str, str]] = []
        self.wanted: list[float] = []
        self._count = 0
        for obj in objects:
            self.put(obj)

    def put(self, obj: Obj) -> Obj:
        """Store `obj` as given, with the metadata that a server adds."""
        self._count += 1
        old = self.mirror.get(*ref_of(obj))
        meta = {
            "uid": f"uid-{self._count}",
            "creationTimestamp": format_time(self.now),
            "generation": 1,
            **obj["metadata"],
            "resourceVersion": str(self._count),
        }
        if old is not None and old.get("spec") != obj.get("spec"):
            meta["generation"] = old["metadata"]["generation"] + 1
        if meta.get("deletionTimestamp") and meta.get("finalizers") == [] and obj["kind"] != "Pod":
            self.mirror.apply(self._count, None, old)
            return obj
        stored = copy.deepcopy({**obj, "metadata": meta})
        self.mirror.apply(self._count, stored, old)
        return stored

    def remove(self, obj: Obj) -> None:
        self._count += 1
        self.mirror.apply(self._count, None, self.mirror.get(*ref_of(obj)))

    def get(self, kind: str, name: str, namespace: str = "default") -> Obj:
        found = self.mirror.get(kind, namespace, name)
        assert found is not None, f"no {kind} {namespace}/{name}"
        return found

    def list(self, kind: str) -> tuple[Obj, ...]:
        return self.mirror.list(kind)

    def edit(self, kind: str, name: str, patch: Obj) -> Obj:
        """What a user does with `kubectl patch --type merge`."""
        return self.put(merge(self.get(kind, name), patch))

    def look(self, controller: Controller[Any], obj: Obj) -> Sequence[Action]:
        """One look at one object; what was done."""
        seen = controller.observe(obj, self.mirror, self.now)
        actions = list(controller.plan(seen)) if seen is not None else []
        for action in actions:
            self.carry_out(action)
        return actions

    def round(self, controllers: Iterable[Controller[Any]]) -> int:
        """One look at each object; how many writes it led to."""
        writes = 0
        for controller in controllers:
            kinds = KINDS if controller.kind == "*" else (controller.kind,)
            for ref in [ref_of(obj) for kind in kinds for obj in self.mirror.list(kind)]:
                obj = self.mirror.get(*ref)
                if obj is not None:
                    writes += sum(not isinstance(each, Again | Emit) for each in self.look(controller, obj))
        return writes

    def settle(self, controllers: Sequence[Controller[Any]], *, rounds: int = 60) -> None:
        """Look until nobody writes any more."""
        for _ in range(rounds):
            if not self.round(controllers):
                return
        raise AssertionError(f"controllers still write after {rounds} rounds")

    def carry_out(self, action: Action) -> None:
        match action:
            case Create(obj):
                if self.mirror.get(*ref_of(obj)) is None:
                    self.put(obj)
            case Update(obj, "finalize"):
                self.put(obj)
                if not obj["spec"].get("finalizers"):
                    self.remove(obj)
            case Update(obj):
                self.put(obj)
            case MergePatch(ref, patch):
                self.put(merge(self.mirror.get(*ref), patch))
            case SetStatus(obj, status):
                ref = ref_of(obj)
                current = self.get(ref.kind, ref.name, ref.namespace)
                assert current["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"], f"{ref} conflicts"
                self.put({**current, "status": status})
            case Delete(ref, uid, _, propagation):
                self._delete(ref, uid, propagation)
            case Post(ref, "binding", body):
                self._bind(ref, body["target"]["name"])
            case Emit(_, _, reason, message):
                self.events.append((reason, message))
            case Again(seconds):
                self.wanted.append(seconds)
            case _:
                raise TypeError(f"the model cannot do {action}")

    def _delete(self, ref: Ref, uid: str, propagation: str) -> None:
        obj = self.mirror.get(*ref)
        if obj is None or obj["metadata"]["uid"] != uid:
            return
        meta = obj["metadata"]
        waits = list(meta.get("finalizers") or ())
        waits += {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(propagation, [])
        if waits or (ref.kind == "Pod" and obj["spec"].get("nodeName")):
            changed = {"deletionTimestamp": format_time(self.now), **({"finalizers": waits} if waits else {})}
            self.put({**obj, "metadata": {**meta, **changed}})
        else:
            self.remove(obj)

    def _bind(self, ref: Ref, node: str) -> None:
        pod = self.mirror.get(*ref)
        assert pod is not None
        self.put({**pod, "spec": {**pod["spec"], "nodeName": node}})

    def start(self, pod: Obj) -> Obj:
        """The pod runs and is ready."""
        now = format_time(self.now)
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        address = f"10.0.0.{self._count % 250 + 1}"
        status = {"phase": "Running", "podIP": address, "conditions": [ready]}
        return self.put({**pod, "spec": {"nodeName": "node", **pod["spec"]}, "status": status})

    def starting(self) -> Sequence[Obj]:
        return [p for p in self.list("Pod") if "status" not in p and not p["metadata"].get("deletionTimestamp")]

    def leaving(self) -> Sequence[Obj]:
        return [pod for pod in self.list("Pod") if pod["metadata"].get("deletionTimestamp")]

    def work(self, controllers: Sequence[Controller[Any]], *, rounds: int = 60) -> None:
        """Controllers and the node take turns until nothing happens."""
        for _ in range(rounds):
            starting, leaving = self.starting(), self.leaving()
            for pod in starting:
                self.start(pod)
            for pod in leaving:
                self.remove(pod)
            if not self.round(controllers) and not starting and not leaving:
                return
        raise AssertionError(f"not at rest after {rounds} rounds")

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def woken_by(self, controller: Controller[Any], obj: Obj) -> set[Ref]:
        return set(woken(controller, obj, self.mirror))


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    spec = {"containers": [{"name": "app", "image": "app"}], **spec}
    meta = {"name": name, "namespace": "default", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def deployment(replicas: int = 3, image: str = "app:1", **spec: Any) -> Obj:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            **spec,
        },
    }


def image(tag: str) -> Obj:
    """A patch that starts a new revision."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": tag}]}}}}


def node(name: str = "node", **spec: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}},
    }
