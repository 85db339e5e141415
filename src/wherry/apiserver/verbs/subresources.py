"""POST and PUT at subresources that are not the object itself: binding, scale, finalize, eviction."""

from typing import Any

from wherry.apiserver.verbs.context import DeleteOptions, Target, WriteOptions
from wherry.apiserver.verbs.delete import delete
from wherry.apiserver.verbs.patch import APPLY, JSON, MERGE, STRATEGIC
from wherry.apiserver.verbs.prepare import decoded, invalid_object, own, refuse
from wherry.apiserver.verbs.registry import Registry, copy_of, object_of, parse_revision
from wherry.apiserver.verbs.update import check_name, check_uid, modify
from wherry.kinds.checks import nonnegative
from wherry.kinds.kind import Kind
from wherry.kinds.schema.check import check
from wherry.objects import Obj, json_patch, merge_patch
from wherry.objects.conditions import set_condition
from wherry.objects.errors import BadRequest, Conflict, Invalid, Unnamed, UnsupportedMediaType
from wherry.objects.selectors import format_label_selector
from wherry.store import Record

BODIES = {
    "binding": "io.k8s.api.core.v1.Binding",
    "eviction": "io.k8s.api.policy.v1.Eviction",
    "scale": "io.k8s.api.autoscaling.v1.Scale",
    "token": "io.k8s.api.authentication.v1.TokenRequest",
}
"""What subresources take that is not the object itself."""

EVICTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
    "lastProbeTime": None,
}


def check_body(registry: Registry, target: Target, body: object) -> Obj:
    """Hold what is sent to a subresource of a kind of its own against that kind's type. Raises BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest(f"the body of a request to {target.kind.plural}/{target.subresource} is not an object")
    schema = BODIES.get(target.subresource)
    if schema is None:
        return body
    problems = check(body, registry.table.definition(schema))
    if problems.error:
        kind = schema.rpartition(".")[2]
        raise BadRequest(f'{kind} in version "v1" cannot be handled as a {kind}: {problems.error}')
    return problems.obj


async def bind(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Obj:
    """A pod's binding: give an unbound pod its node. Raises Conflict where it has one."""
    wanted, meta = body.get("target") or {}, body.get("metadata") or {}
    node = wanted.get("name", "")
    if wanted.get("kind") not in (None, "", "Node"):
        raise Unnamed(f'target.kind: Unsupported value: "{wanted["kind"]}": supported values: "Node", "<empty>"')
    if not node:
        raise Unnamed("target.name: Required value")
    if meta.get("name") not in (None, "", target.name):
        raise BadRequest("name in URL does not match name in Binding object")
    now = registry.now()

    def change(old: Obj) -> Obj:
        check_uid(target, meta.get("uid"), old)
        refused = _unbindable(old)
        if refused:
            raise Conflict(
                f'Operation cannot be fulfilled on pods/binding "{target.name}": {refused}',
                name=target.name,
                kind="pods/binding",
            )
        condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        return {**_with_condition(old, condition, now), "spec": {**old["spec"], "nodeName": node}}

    expect = parse_revision(meta["resourceVersion"]) if meta.get("resourceVersion") else None
    await modify(registry, target, change, options, expect=expect)
    return {**success(), "code": 201}


def _unbindable(pod: Obj) -> str:
    """Why this pod cannot be given a node; "" if it can."""
    meta, spec = pod["metadata"], pod["spec"]
    if meta.get("deletionTimestamp"):
        return f"pod {meta['name']} is being deleted, cannot be assigned to a host"
    if spec.get("nodeName"):
        return f'pod {meta["name"]} is already assigned to node "{spec["nodeName"]}"'
    if spec.get("schedulingGates"):
        return f"pod {meta['name']} has non-empty .spec.schedulingGates"
    return ""


def _with_condition(pod: Obj, condition: Obj, now: str) -> Obj:
    status = dict(pod.get("status") or {})
    status["conditions"] = set_condition(status.get("conditions") or [], condition, now)
    return {**pod, "metadata": dict(pod["metadata"]), "status": status}


async def finalize(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Record:
    """A namespace's finalizers, which only this subresource changes."""
    body = decoded(registry, target, body, options)
    finalizers = (body.get("spec") or {}).get("finalizers") or []
    check_name(target, body["metadata"])
    wanted = body["metadata"].get("resourceVersion")

    def change(old: Obj) -> Obj:
        rest = {key: value for key, value in (old.get("spec") or {}).items() if key != "finalizers"}
        spec = {**rest, "finalizers": finalizers} if finalizers else rest
        new = {**old, "metadata": dict(old["metadata"]), "spec": spec}
        refuse(target.kind, target.name, target.kind.validate(new))
        return new

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
    scale = check_body(registry, target, scale)
    replicas = _wanted_replicas(target, scale)
    path = kind.scale.replicas.split(".")
    meta = scale.get("metadata") or {}
    wanted = meta.get("resourceVersion")

    def change(old: Obj) -> Obj:
        check_uid(target, meta.get("uid"), old)
        if _at(old, ".".join(path)) == replicas:
            return old
        new = copy_of(registry.find(target))
        inner: Any = new
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = replicas
        new["metadata"]["generation"] = new["metadata"].get("generation", 0) + 1
        own(registry, kind, old, new, options, "scale")
        return new

    record = await modify(registry, target, change, options, expect=parse_revision(wanted) if wanted else None)
    return scale_of(kind, object_of(record))


def _wanted_replicas(target: Target, scale: Obj) -> int:
    """What a Scale asks for. Raises BadRequest and Invalid where it is none, or another's."""
    said = (scale.get("apiVersion", "autoscaling/v1"), scale.get("kind", "Scale"))
    if said != ("autoscaling/v1", "Scale"):
        raise BadRequest(
            f"the API version in the data ({said[0]}, Kind={said[1]}) does not match the expected API version "
            "(autoscaling/v1, Kind=Scale)"
        )
    check_name(target, {"name": target.name, **(scale.get("metadata") or {})})
    replicas: int = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        errors = list(nonnegative("spec.replicas", replicas))
        raise invalid_object("autoscaling", "Scale", target.name, errors)
    return replicas


async def patch_scale(registry: Registry, target: Target, form: str, patch: Any, options: WriteOptions) -> Obj:
    """Change a Scale by a patch in any form. An apply owns no less than the whole Scale, so it is a merge."""
    scale = scale_of(target.kind, object_of(registry.find(target)))
    if form == JSON:
        if not isinstance(patch, list):
            raise BadRequest("a JSON patch is a list of operations")
        try:
            patched = json_patch.apply(scale, patch)
        except json_patch.PatchFailed as error:
            raise Invalid(f"the server rejected our request due to an error in our request: {error}") from error
    elif form in (MERGE, STRATEGIC, APPLY):
        patched = merge_patch.apply(scale, patch)
    else:
        supported = ", ".join((JSON, MERGE, STRATEGIC, APPLY))
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {supported}"
        )
    if not isinstance(patched, dict):
        raise BadRequest("the patch leaves no Scale")
    patched = check_body(registry, target, patched)
    if (patched.get("metadata") or {}).get("resourceVersion") == scale["metadata"]["resourceVersion"]:
        del patched["metadata"]["resourceVersion"]  # not the client's: what came in between does not matter to it
    return await set_scale(registry, target, patched, options)


async def evict(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Obj:
    """A pod's eviction: its graceful deletion."""
    asked, meta = body.get("deleteOptions") or {}, body.get("metadata") or {}
    if meta.get("name") not in (None, "", target.name):
        raise BadRequest("name in URL does not match name in Eviction object")
    dry_run = options.dry_run or asked.get("dryRun") == ["All"]
    preconditions = asked.get("preconditions") or {}
    wanted = DeleteOptions(
        user=options.user,
        grace_seconds=asked.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation=asked.get("propagationPolicy") or "",
        dry_run=dry_run,
    )
    if not dry_run and not wanted.resource_version:  # noting it would outdate that precondition
        now = registry.now()

        def note(old: Obj) -> Obj:
            check_uid(target, wanted.uid, old)
            return old if old["metadata"].get("deletionTimestamp") else _with_condition(old, EVICTED, now)

        await modify(registry, target, note, options)
    await delete(registry, target, wanted)
    return {**success(), "code": 201}


def success(**details: str) -> Obj:
    """The Status of a call that did what it should and has nothing to show."""
    out: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**out, "details": details} if details else out


def _at(obj: Obj, path: str) -> Any:
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
