"""A local, read-only copy of the API's objects, kept current by a watch (client-go: informer and lister).

One mirror serves every actor of the process. Its revision moves with every commit, also of kinds that nobody reads, so
that whoever has written can wait until its own write is seen (`caught_up`; upstream's controllers use expectations).
"""

import asyncio
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from wherry.objects import Obj, Ref, kind_of, ref_of
from wherry.objects.owners import controller_of

Listener = Callable[[Obj | None, Obj | None], None]
"""Called with the new and the old state of one object; one of them is None when it is gone or new."""


class Mirror:
    """Feed it with `apply`; read it as a `Lister`. Nothing that it returns may be edited."""

    def __init__(self) -> None:
        self.revision = 0
        self._objects: dict[Ref, Obj] = {}
        self._names: dict[str, list[Ref]] = defaultdict(list)  # by kind, sorted
        self._uids: dict[str, Ref] = {}
        self._dependents: dict[str, dict[Ref, None]] = defaultdict(dict)  # owner uid -> who refers to it
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._served: tuple[str, ...] = ()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    # -- fed by the watch

    def apply(self, revision: int, new: Obj | None, old: Obj | None) -> None:
        """One committed change, in commit order."""
        obj = new or old
        if obj is None:
            raise ValueError("a change without an object")
        ref = ref_of(obj)
        before = self._objects.get(ref)
        if before is not None and new is not None and _indexed_alike(before, new):
            self._objects[ref] = new
        else:
            if before is not None:
                self._forget(ref, before)
            if new is not None:
                self._remember(ref, new)
        self.moved(revision)
        for kind in (ref.kind, "*"):
            for listener in self._listeners.get(kind, ()):
                listener(new, before)

    def moved(self, revision: int) -> None:
        """All changes up to `revision` have been applied."""
        self.revision = max(self.revision, revision)
        if self._waiting:
            late = []
            for wanted, future in self._waiting:
                if wanted > self.revision:
                    late.append((wanted, future))
                elif not future.done():
                    future.set_result(None)
            self._waiting = late

    def serve(self, kinds: Iterable[str]) -> None:
        """Which GroupKinds there are; grows when a CRD is established."""
        self._served = tuple(kinds)

    def _remember(self, ref: Ref, obj: Obj) -> None:
        self._objects[ref] = obj
        insort(self._names[ref.kind], ref)
        meta = obj["metadata"]
        self._uids[meta["uid"]] = ref
        for owner in meta.get("ownerReferences") or ():
            self._dependents[owner["uid"]][ref] = None

    def _forget(self, ref: Ref, obj: Obj) -> None:
        del self._objects[ref]
        names = self._names[ref.kind]
        del names[bisect_left(names, ref)]
        meta = obj["metadata"]
        self._uids.pop(meta["uid"], None)
        for owner in meta.get("ownerReferences") or ():
            known = self._dependents.get(owner["uid"])
            if known is not None:
                known.pop(ref, None)
                if not known:
                    del self._dependents[owner["uid"]]

    # -- for actors

    def on_change(self, kinds: Iterable[str], listener: Listener) -> None:
        """Call `listener` after each change of these GroupKinds ("*": all). It must be quick: it only wakes someone."""
        for kind in kinds:
            self._listeners[kind].append(listener)

    async def caught_up(self, revision: int) -> None:
        """Wait until this copy has seen `revision`: the reader's own writes."""
        if self.revision < revision:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, future))
            await future

    # -- Lister

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self._objects.get(Ref(kind, namespace, name))

    def list(self, kind: str, namespace: str = "") -> tuple[Obj, ...]:
        names = self._names.get(kind, [])
        if not namespace:
            return tuple(self._objects[ref] for ref in names)
        found = []
        for ref in names[bisect_left(names, Ref(kind, namespace, "")) :]:
            if ref.namespace != namespace:
                break
            found.append(self._objects[ref])
        return tuple(found)

    def controlled(self, owner: Obj, kind: str) -> tuple[Obj, ...]:
        uid = owner["metadata"]["uid"]
        return tuple(
            obj
            for obj in self.dependents(uid)
            if kind_of(obj) == kind and (ref := controller_of(obj)) is not None and ref["uid"] == uid
        )

    def dependents(self, uid: str) -> tuple[Obj, ...]:
        return tuple(self._objects[ref] for ref in self._dependents.get(uid, ()))

    def by_uid(self, uid: str) -> Obj | None:
        ref = self._uids.get(uid)
        return self._objects.get(ref) if ref else None

    def select(self, kind: str, namespace: str, labels: Mapping[str, str]) -> tuple[Obj, ...]:
        if not labels:
            return ()
        wanted = labels.items()
        return tuple(
            obj for obj in self.list(kind, namespace) if wanted <= (obj["metadata"].get("labels") or {}).items()
        )

    def kinds(self) -> tuple[str, ...]:
        return self._served

    def contents(self, namespace: str) -> tuple[Ref, ...]:
        found: list[Ref] = []
        for kind, names in self._names.items():
            for ref in names[bisect_left(names, Ref(kind, namespace, "")) :]:
                if ref.namespace != namespace:
                    break
                found.append(ref)
        return tuple(found)


def _indexed_alike(old: Obj, new: Obj) -> bool:
    """Whether a change leaves every index as it is: most do, and indexes are sorted lists."""
    before, after = old["metadata"], new["metadata"]
    return bool(before["uid"] == after["uid"] and before.get("ownerReferences") == after.get("ownerReferences"))
