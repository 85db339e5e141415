"""POST: a new object."""

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.prepare import decoded, fresh
from wherry.apiserver.verbs.registry import SYNC, Registry, key_of, object_of, seal
from wherry.objects import Obj
from wherry.objects.errors import AlreadyExists, Unnamed
from wherry.store import Exists, Record


async def create(registry: Registry, target: Target, body: object, options: WriteOptions) -> Record:
    """Store a new object; the record that was written."""
    obj = decoded(registry, target, body, options)
    if obj["metadata"].get("resourceVersion"):
        raise Unnamed("resourceVersion should not be set on objects to be created")
    fresh(registry, target, obj, options)
    return await insert(registry, target, obj, options)


async def insert(registry: Registry, target: Target, obj: Obj, options: WriteOptions) -> Record:
    """Store an object that is ready, if there is none of its name. Gives back what admission reserved if not."""
    kind = target.kind
    named = Target(kind, target.namespace, obj["metadata"]["name"])
    key = key_of(named)
    stored = False
    try:
        known = registry.store.get(key)
        if known is not None:
            raise _exists(named, object_of(known))
        if options.dry_run:
            return Record(key, 0, b"", obj)
        record = await registry.store.put(key, seal(obj), expect=0, sync=SYNC[kind.durability])
        stored = True
    except Exists as error:
        raise _exists(named, object_of(error.record)) from error
    finally:
        for step in registry.admission:
            step.settled(named, obj, None, stored=stored)
    return record


def _exists(target: Target, known: Obj) -> AlreadyExists:
    kind = target.kind
    if known["metadata"].get("deletionTimestamp"):
        text = f'object is being deleted: {kind.resource} "{target.name}" already exists'
    else:
        text = f'{kind.resource} "{target.name}" already exists'
    return AlreadyExists(text, name=target.name, group=kind.group, kind=kind.plural)
