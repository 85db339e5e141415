"""POST and PUT at subresources that are not the object itself: binding, scale, finalize, eviction."""

from typing import Any

from wherry.apiserver.verbs.context import DeleteOptions, Target, WriteOptions
from wherry.apiserver.verbs.delete import delete
from wherry.apiserver.verbs.prepare import own
from wherry.apiserver.verbs.registry import Registry, copy_of, object_of, parse_revision
from wherry.apiserver.verbs.update import modify
from wherry.kinds.kind import Kind
from wherry.objects import Obj
from wherry.objects.conditions import set_condition
from wherry.objects.errors import BadRequest, Conflict, Invalid
from wherry.objects.selectors import format_label_selector
from wherry.store import Record


async def bind(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Obj:
    """A pod's binding: give an unbound pod its node. Raises Conflict where it has one."""
    node = (body.get("target") or {}).get("name", "")
    if not node:
        raise Invalid('Binding "" is invalid: target.name: Required value')
    now = registry.now()

    def change(old: Obj) -> Obj:
        meta, spec = old["metadata"], old["spec"]
        if spec.get("nodeName") or meta.get("deletionTimestamp"):
            said = f'pod {meta["name"]} is already assigned to node "{spec.get("nodeName", "")}"'
            if meta.get("deletionTimestamp"):
                said = f"pod {meta['name']} is being deleted, cannot be assigned to a host"
            raise Conflict(
                f'Operation cannot be fulfilled on pods/binding "{target.name}": {said}',
                name=target.name,
                kind="pods/binding",
            )
        status = dict(old.get("status") or {})
        condition = {"type": "PodScheduled", "status": "True"}
        status["conditions"] = set_condition(status.get("conditions") or [], condition, now)
        new = {**old, "metadata": dict(meta), "spec": {**spec, "nodeName": node}, "status": status}
        own(registry, target.kind, old, new, options, "binding")
        return new

    await modify(registry, target, change, options)
    return success()


async def finalize(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Record:
    """A namespace's finalizers, which only this subresource changes."""
    finalizers = (body.get("spec") or {}).get("finalizers") or []
    wanted = (body.get("metadata") or {}).get("resourceVersion")

    def change(old: Obj) -> Obj:
        return {**old, "metadata": dict(old["metadata"]), "spec": {**(old.get("spec") or {}), "finalizers": finalizers}}

    return await modify(registry, target, change, options, expect=parse_revision(wanted) if wanted else None)


def scale_of(kind: Kind, obj: Obj) -> Obj:
    """The object's `autoscaling/v1 Scale`."""
    assert kind.scale is not None, "only kinds with a scale subresource are asked"
    meta = obj["metadata"]
    selector = _at(obj, kind.scale.selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            key: meta[key]
            for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if key in meta
        },
        "spec": {"replicas": _at(obj, kind.scale.replicas) or 0},
        "status": {
            "replicas": _at(obj, kind.scale.status_replicas) or 0,
            "selector": format_label_selector(selector) if isinstance(selector, dict) else str(selector or ""),
        },
    }


async def set_scale(registry: Registry, target: Target, scale: Obj, options: WriteOptions) -> Obj:
    """Write `spec.replicas` of a Scale into its object. Raises Invalid for a negative number."""
    kind = target.kind
    assert kind.scale is not None, "only kinds with a scale subresource are asked"
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise BadRequest("Scale: spec.replicas is not an integer")
    if replicas < 0:
        raise Invalid(
            f'Scale.autoscaling "{target.name}" is invalid: spec.replicas: Invalid value: {replicas}: '
            "must be greater than or equal to 0"
        )
    path = kind.scale.replicas.split(".")
    wanted = (scale.get("metadata") or {}).get("resourceVersion")

    def change(old: Obj) -> Obj:
        if _at(old, ".".join(path)) == replicas:
            return old
        new = copy_of(registry.find(target))
        meta = new["metadata"]
        inner: Any = new
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = replicas
        meta["generation"] = meta.get("generation", 0) + 1
        own(registry, kind, old, new, options, "scale")
        return new

    record = await modify(registry, target, change, options, expect=parse_revision(wanted) if wanted else None)
    return scale_of(kind, object_of(record))


async def evict(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Obj:
    """A pod's eviction: its graceful deletion."""
    asked = body.get("deleteOptions") or {}
    await delete(registry, target, DeleteOptions(user=options.user, grace_seconds=asked.get("gracePeriodSeconds")))
    return success()


def success(**details: str) -> Obj:
    """The Status of a call that did what it should and has nothing to show."""
    out: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**out, "details": details} if details else out


def _at(obj: Obj, path: str) -> Any:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
