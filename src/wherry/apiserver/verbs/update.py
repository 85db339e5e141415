"""PUT, and the write that ends every update, patch and apply: replace the state it was made from."""

from collections.abc import Callable

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.create import create
from wherry.apiserver.verbs.delete import remove
from wherry.apiserver.verbs.prepare import changed, decoded
from wherry.apiserver.verbs.registry import (
    SYNC,
    Registry,
    key_of,
    object_of,
    parse_revision,
    seal,
    stale,
)
from wherry.objects import Obj
from wherry.objects.errors import BadRequest, Conflict
from wherry.store import Missing, Record, Stale

TRIES = 50  # of a write without a precondition that is overtaken by others; upstream patches five times


async def update(registry: Registry, target: Target, body: object, options: WriteOptions) -> Record:
    """Replace an object. A resourceVersion or uid in `body` is a precondition."""
    return (await put(registry, target, body, options))[0]


async def put(registry: Registry, target: Target, body: object, options: WriteOptions) -> tuple[Record, bool]:
    """As `update`, and whether the object was created, as a few kinds are by a PUT."""
    obj = decoded(registry, target, body, options)
    meta = obj["metadata"]
    check_name(target, meta)
    if target.kind.create_on_update and not target.subresource and registry.store.get(key_of(target)) is None:
        meta.pop("resourceVersion", None)
        return await create(registry, target, obj, options), True
    wanted = meta.get("resourceVersion")

    def replacement(old: Obj) -> Obj:
        new = {**obj, "metadata": dict(meta)}
        check_uid(target, meta.get("uid"), old)
        return changed(registry, target, new, old, options)

    expect = parse_revision(wanted) if wanted else None
    return await modify(registry, target, replacement, options, expect=expect), False


def check_name(target: Target, meta: Obj) -> None:
    """A body names the object that the URL names."""
    if not meta.get("name"):
        raise BadRequest(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if meta["name"] != target.name:
        raise BadRequest(f"the name of the object ({meta['name']}) does not match the name on the URL ({target.name})")


def check_uid(target: Target, wanted: str | None, old: Obj) -> None:
    if wanted and wanted != old["metadata"]["uid"]:
        raise Conflict(
            f'Operation cannot be fulfilled on {target.kind.resource} "{target.name}": Precondition failed: '
            f"UID in precondition: {wanted}, UID in object meta: {old['metadata']['uid']}",
            name=target.name,
            group=target.kind.group,
            kind=target.kind.plural,
        )


async def modify(
    registry: Registry,
    target: Target,
    change: Callable[[Obj], Obj],
    options: WriteOptions,
    *,
    expect: int | None = None,
) -> Record:
    """Write what `change` makes of the stored object; again from the newer one when overtaken, unless `expect` is set.

    A change that changes nothing writes nothing. The last finalizer's removal completes a deletion.
    """
    for _ in range(TRIES):
        record = registry.find(target)
        if expect is not None and record.revision != expect:
            raise stale(target)
        old = object_of(record)
        new = change(old)
        stored = removed = False
        try:
            if new == old:
                return record
            if options.dry_run:
                return Record(record.key, record.revision, b"", new)
            if finished(new):
                last = await remove(registry, target, new, record.revision)
                removed = True
                return last
            done = await registry.store.put(
                record.key, seal(new), expect=record.revision, sync=SYNC[target.kind.durability]
            )
            stored = True
        except (Stale, Missing):
            if expect is not None:
                raise stale(target) from None
            continue
        finally:
            for step in registry.admission if not removed else ():  # what is gone was given back already
                step.settled(target, new, old, stored=stored)
        return done
    raise stale(target)


def finished(obj: Obj) -> bool:
    """Whether a deletion that was waiting has nothing left to wait for."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return not (obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"))
