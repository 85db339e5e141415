"""The Client of the actors in this process: the verbs, called without HTTP, on objects that are decoded already."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs import subresources
from wherry.apiserver.verbs.context import DeleteOptions, ListOptions, Target, WriteOptions
from wherry.apiserver.verbs.create import create
from wherry.apiserver.verbs.delete import delete
from wherry.apiserver.verbs.patch import APPLY, patch
from wherry.apiserver.verbs.read import list_page
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.apiserver.verbs.update import update
from wherry.apiserver.verbs.watch import watch
from wherry.client.client import Listed, Patch, WatchEvent
from wherry.client.mirror import Mirror
from wherry.objects import Obj, copied, kind_of
from wherry.objects.errors import NotFound
from wherry.store import Change


@dataclass(frozen=True)
class LocalClient:
    """Implements `wherry.client.client.Client` as the manager named in `options`."""

    registry: Registry
    tokens: Tokens
    options: WriteOptions

    def acting_as(self, manager: str) -> "LocalClient":
        """The same client, for another actor: managedFields say who wrote what."""
        return replace(self, options=replace(self.options, manager=manager))

    def _target(self, kind: str, namespace: str, name: str = "", subresource: str = "") -> Target:
        served = self.registry.kinds.get(kind)
        if served is None:
            raise NotFound(f"the server could not find the requested resource: {kind}")
        return Target(served, namespace if served.namespaced else "", name, subresource)

    def _target_of(self, obj: Obj, subresource: str = "") -> Target:
        meta = obj["metadata"]
        return self._target(kind_of(obj), meta.get("namespace", ""), meta.get("name", ""), subresource)

    async def get(self, kind: str, namespace: str, name: str, *, subresource: str = "") -> Obj:
        target = self._target(kind, namespace, name)
        obj = object_of(self.registry.find(target))
        return subresources.scale_of(target.kind, obj) if subresource == "scale" else obj

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Listed:
        page = await list_page(self.registry, self._target(kind, namespace), ListOptions(labels=labels, fields=fields))
        return Listed(str(page.revision), [object_of(record) for record in page.records])

    async def watch(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> AsyncIterator[WatchEvent]:
        asked = ListOptions(labels=labels, fields=fields, resource_version=revision)
        async for batch in watch(self.registry, self._target(kind, namespace), asked):
            for event in batch:
                if event.record is not None:
                    yield WatchEvent(event.type, object_of(event.record))

    async def create(self, obj: Obj) -> Obj:
        return object_of(await create(self.registry, self._target_of(obj), copied(obj), self.options))

    async def post(self, kind: str, namespace: str, name: str, subresource: str, body: Obj) -> Obj:
        target = self._target(kind, namespace, name, subresource)
        match subresource:
            case "binding":
                return await subresources.bind(self.registry, target, body, self.options)
            case "eviction":
                return await subresources.evict(self.registry, target, body, self.options)
            case "token":
                return self.tokens.request(self.registry, target, body)
        raise NotFound(f"the server could not find the requested resource: {target.kind.plural}/{subresource}")

    async def update(self, obj: Obj, *, subresource: str = "") -> Obj:
        target = self._target_of(obj, subresource)
        if subresource == "finalize":
            return object_of(await subresources.finalize(self.registry, target, obj, self.options))
        if subresource == "status":
            obj = _status_part(obj)
        return object_of(await update(self.registry, target, copied(obj), self.options))

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Obj | Sequence[Obj],
        *,
        form: Patch = Patch.MERGE,
        subresource: str = "",
    ) -> Obj:
        target = self._target(kind, namespace, name, subresource)
        return object_of(await _patch(self.registry, target, form.value, patch, self.options))

    async def apply(self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        options = replace(self.options, manager=manager, force=force, dry_run=dry_run)
        return object_of(await _patch(self.registry, self._target_of(obj), APPLY, obj, options))

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        propagation: str = "",
    ) -> None:
        options = DeleteOptions(grace_seconds=grace_seconds, uid=uid, propagation=propagation)
        await delete(self.registry, self._target(kind, namespace, name), options)


def _status_part(obj: Obj) -> Obj:
    """What a write of the status reads of an object: all else is the stored one's, and need not be checked again."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta, "status": obj.get("status")}


_patch = patch  # the method of the same name hides it inside the class


async def feed_mirror(registry: Registry, mirror: Mirror) -> None:
    """Fill the mirror with all there is, then keep it current until cancelled. The first pass ends before any await."""
    mirror.serve(registry.kinds)
    by_resource: Mapping[str, str] = {kind.resource: kind.id for kind in registry.kinds.values()}
    since = registry.store.revision
    feed = registry.store.subscribe(since, capacity=1_000_000)
    for resource in registry.store.resources():
        if resource in by_resource:
            for record in registry.store.scan(resource):
                mirror.apply(record.revision, object_of(record), None)
    mirror.moved(since)
    try:
        while True:
            for change in await feed.next():
                if change.record.key.resource in by_resource:
                    _tell(mirror, change)
            mirror.moved(feed.revision)
    finally:
        feed.close()


def _tell(mirror: Mirror, change: Change) -> None:
    obj = object_of(change.record)
    if change.deleted:
        mirror.apply(change.revision, None, obj)
    else:
        mirror.apply(change.revision, obj, object_of(change.old) if change.old is not None else None)
