"""DELETE of one object: at once, gracefully, or waiting for its finalizers."""

from datetime import timedelta

from wherry.apiserver.verbs.context import DeleteOptions, Target
from wherry.apiserver.verbs.prepare import bad_options
from wherry.apiserver.verbs.registry import (
    SYNC,
    Registry,
    copy_of,
    key_of,
    object_of,
    parse_revision,
    seal,
)
from wherry.kinds.checks import supported
from wherry.objects import Obj
from wherry.objects.errors import Conflict, Forbidden, NotFound
from wherry.objects.times import format_time
from wherry.store import Missing, Record, Stale

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
POLICIES = ("Foreground", "Background", "Orphan")
LASTING = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


async def delete(registry: Registry, target: Target, options: DeleteOptions) -> tuple[Record, bool]:
    """Delete an object: its last or current state, and whether it is gone already."""
    if target.kind.id == "Namespace" and target.name in LASTING - {"kube-node-lease"}:
        raise Forbidden(
            f'namespaces "{target.name}" is forbidden: this namespace may not be deleted',
            name=target.name,
            kind="namespaces",
        )
    if options.propagation not in ("", *POLICIES):
        raise bad_options("DeleteOptions", [*supported("propagationPolicy", options.propagation, (*POLICIES, "nil"))])
    while True:
        record = registry.find(target)
        old = object_of(record)
        _check_preconditions(target, record, old, options)
        new = _marked(registry, target, record, options)
        if options.dry_run:
            return (record, True) if new is None else (Record(record.key, record.revision, b"", new), False)
        try:
            if new is None:
                return await remove(registry, target, copy_of(record), record.revision), True
            if new == old:
                return record, False
            sync = SYNC[target.kind.durability]
            return await registry.store.put(record.key, seal(new), expect=record.revision, sync=sync), False
        except (Stale, Missing):
            continue  # overtaken: decide again on what is there now


async def remove(registry: Registry, target: Target, last: Obj, revision: int) -> Record:
    """Take the object out of the store; `last` is the state that watchers are told. Raises Stale or Missing."""
    gone = await registry.store.delete(key_of(target), seal(last), expect=revision, sync=SYNC[target.kind.durability])
    for step in registry.admission:
        step.deleted(target, last)
    return gone


def _check_preconditions(target: Target, record: Record, old: Obj, options: DeleteOptions) -> None:
    uid, revision = old["metadata"]["uid"], options.resource_version
    said = ""
    if options.uid and options.uid != uid:
        said = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
    elif revision and parse_revision(revision) != record.revision:
        said = (
            f"the ResourceVersion in the precondition ({revision}) does not match the ResourceVersion in record "
            f"({record.revision}). The object might have been modified"
        )
    if said:
        kind = target.kind
        raise Conflict(
            f'Operation cannot be fulfilled on {kind.kind} "{target.name}": {said}',
            name=target.name,
            group=kind.group,
            kind=kind.kind,
        )


def _marked(registry: Registry, target: Target, record: Record, options: DeleteOptions) -> Obj | None:
    """The object as it waits for its end, or None when it can go at once."""
    kind = target.kind
    new = copy_of(record)
    meta = new["metadata"]
    deleting = bool(meta.get("deletionTimestamp"))
    if not deleting and options.propagation in ("Foreground", "Orphan"):
        wanted = FOREGROUND if options.propagation == "Foreground" else ORPHAN
        meta["finalizers"] = [*(meta.get("finalizers") or ()), wanted]
    grace = 0
    if kind.grace_seconds is not None:
        grace = kind.grace_seconds(new) if options.grace_seconds is None else options.grace_seconds
        grace = 1 if grace < 0 else grace
        if kind.grace_seconds({**new, "spec": {**new.get("spec", {}), "terminationGracePeriodSeconds": 1}}) == 0:
            grace = 0  # nothing runs: there is nobody to give time to
    waits = bool(meta.get("finalizers")) or bool(kind.id == "Namespace" and (new.get("spec") or {}).get("finalizers"))
    if grace == 0 and not waits:
        return None
    if deleting:
        if grace < (meta.get("deletionGracePeriodSeconds") or 0):
            _stamp(registry, meta, grace)
        return new
    _stamp(registry, meta, grace)
    if kind.generation:
        meta["generation"] = meta.get("generation", 0) + 1
    if kind.id == "Namespace":
        del meta["deletionGracePeriodSeconds"]  # it ends when it is empty, however long that takes
        new["status"] = {**(new.get("status") or {}), "phase": "Terminating"}
    return new


def _stamp(registry: Registry, meta: Obj, grace: int) -> None:
    """When it will end at the latest, and how long that was from now."""
    meta["deletionTimestamp"] = format_time(registry.clock.now() + timedelta(seconds=grace))
    meta["deletionGracePeriodSeconds"] = grace


async def delete_quietly(registry: Registry, target: Target, options: DeleteOptions) -> Record | None:
    """As `delete`, for a whole collection: one that is gone by itself is no error."""
    try:
        return (await delete(registry, target, options))[0]
    except NotFound:
        return None
