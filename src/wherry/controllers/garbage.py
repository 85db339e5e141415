"""Garbage: delete what has lost all its owners, and carry out foreground and orphaning deletion.

It is woken by every change of every object, so the first look at one without owners or these finalizers must be cheap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Delete, MergePatch
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.kinds.catalog import BY_ID
from wherry.objects import Obj, Ref, kind_of, ref_of

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True)
class Observed:
    """What is to be done about one object and, to spare a look at each, about the siblings that share its fate."""

    doomed: tuple[tuple[Obj, str], ...] = ()  # with the propagation
    freed: tuple[tuple[Obj, frozenset[str]], ...] = ()  # with the uids of owners to forget
    finished: tuple[Obj, str] | None = None  # an object and the finalizer it no longer needs


def observe(obj: Obj, lister: Lister, now: datetime) -> Observed | None:
    meta = obj["metadata"]
    if meta.get("deletionTimestamp"):
        finalizers = meta.get("finalizers")
        if not finalizers:
            return None
        if ORPHAN in finalizers:
            return _orphaning(obj, lister)
        return _foreground(obj, lister) if FOREGROUND in finalizers else None
    return _ownerless(obj, lister) if meta.get("ownerReferences") else None


def _orphaning(obj: Obj, lister: Lister) -> Observed:
    uid = obj["metadata"]["uid"]
    dependents = lister.dependents(uid)
    if dependents:
        return Observed(freed=tuple((each, frozenset({uid})) for each in dependents))
    return Observed(finished=(obj, ORPHAN))


def _foreground(obj: Obj, lister: Lister) -> Observed:
    """Dependents first; those that say blockOwnerDeletion are waited for."""
    uid = obj["metadata"]["uid"]
    dependents = lister.dependents(uid)
    shared = {each["metadata"]["uid"]: _alive_owners(each, lister, but=uid) for each in dependents}
    doomed = tuple(
        (each, "Foreground" if lister.dependents(each["metadata"]["uid"]) else "Background")
        for each in dependents
        if not each["metadata"].get("deletionTimestamp") and not shared[each["metadata"]["uid"]]
    )
    freed = tuple((each, frozenset({uid})) for each in dependents if shared[each["metadata"]["uid"]])
    blocked = any(
        ref["uid"] == uid and ref.get("blockOwnerDeletion")
        for each in dependents
        for ref in each["metadata"]["ownerReferences"]
    )
    return Observed(doomed, freed, None if blocked else (obj, FOREGROUND))


def _alive_owners(obj: Obj, lister: Lister, *, but: str) -> bool:
    """Another owner keeps it."""
    others = (lister.by_uid(ref["uid"]) for ref in obj["metadata"]["ownerReferences"] if ref["uid"] != but)
    return any(other is not None and not other["metadata"].get("deletionTimestamp") for other in others)


def _ownerless(obj: Obj, lister: Lister) -> Observed | None:
    lost = _lost(obj, lister)
    if not lost:
        return None
    siblings = {each["metadata"]["uid"]: each for uid in lost for each in lister.dependents(uid)}
    siblings[obj["metadata"]["uid"]] = obj
    doomed: list[tuple[Obj, str]] = []
    freed: list[tuple[Obj, frozenset[str]]] = []
    for each in siblings.values():
        meta = each["metadata"]
        gone = _lost(each, lister)
        if meta.get("deletionTimestamp") or not gone:
            continue
        if len(gone) == len({ref["uid"] for ref in meta["ownerReferences"]}):
            doomed.append((each, "Background"))
        else:
            freed.append((each, gone))
    return Observed(tuple(doomed), tuple(freed))


def _lost(obj: Obj, lister: Lister) -> frozenset[str]:
    """The uids of owners that are gone. Of a kind that is not served nothing is known, so nothing is deleted."""
    return frozenset(
        ref["uid"]
        for ref in obj["metadata"]["ownerReferences"]
        if not _there(ref, obj, lister) and kind_of(ref) in lister.kinds()
    )


def _there(ref: Obj, obj: Obj, lister: Lister) -> bool:
    """The owner exists, and where it can own this: at cluster level or in the same namespace.

    What is at cluster level cannot be owned from within a namespace: such a reference is wrong, but no reason to
    delete (upstream leaves it too).
    """
    owner, inside = lister.by_uid(ref["uid"]), obj["metadata"].get("namespace", "")
    if not inside and _namespaced(kind_of(ref), owner):
        return True
    return owner is not None and owner["metadata"].get("namespace", "") in ("", inside)


def _namespaced(kind: str, owner: Obj | None) -> bool:
    if owner is not None:
        return bool(owner["metadata"].get("namespace"))
    known = BY_ID.get(kind)
    return known is not None and known.namespaced


def plan(seen: Observed) -> Iterator[Action]:
    yield from (Delete(ref_of(obj), obj["metadata"]["uid"], None, how) for obj, how in seen.doomed)
    yield from (_forget(obj, uids) for obj, uids in seen.freed)
    if seen.finished is not None:
        obj, finalizer = seen.finished
        kept = [each for each in obj["metadata"]["finalizers"] if each != finalizer]
        yield _patch(obj, {"finalizers": kept})


def _forget(obj: Obj, uids: Iterable[str]) -> Action:
    kept = [ref for ref in obj["metadata"]["ownerReferences"] if ref["uid"] not in uids]
    return _patch(obj, {"ownerReferences": kept})


def _patch(obj: Obj, change: Obj) -> Action:
    """Lists are replaced as a whole, so only if nobody else has changed the object meanwhile."""
    meta = obj["metadata"]
    fixed = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    return MergePatch(ref_of(obj), {"metadata": {**change, **fixed}})


def _relatives(obj: Obj, lister: Lister) -> Iterator[Ref]:
    """An object that has gone: its dependents. A dependent: an owner that waits for it."""
    meta = obj["metadata"]
    if lister.by_uid(meta["uid"]) is None:
        yield from (ref_of(each) for each in lister.dependents(meta["uid"]))
    for ref in meta.get("ownerReferences") or ():
        owner = lister.by_uid(ref["uid"])
        if owner is not None and owner["metadata"].get("deletionTimestamp"):
            yield ref_of(owner)


GARBAGE = Controller(name="garbage", kind="*", observe=observe, plan=plan, watches={"*": _relatives})
