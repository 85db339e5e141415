"""What owners of pods and ReplicaSets share: adopting what matches their selector, releasing what no longer does."""

from collections.abc import Iterable, Iterator

from wherry.client.actions import Action, MergePatch
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref, ref_of, selectors
from wherry.objects.errors import ApiError
from wherry.objects.owners import controller_of, owner_reference


def orphans(owner: Obj, kind: str, lister: Lister) -> tuple[Obj, ...]:
    """The objects of `kind` beside `owner` that nobody controls and its selector matches."""
    meta = owner["metadata"]
    if meta.get("deletionTimestamp"):
        return ()
    selector = selectors.from_label_selector(owner["spec"]["selector"])
    return tuple(
        obj
        for obj in lister.list(kind, meta["namespace"])
        if not (obj["metadata"].get("ownerReferences") and controller_of(obj))
        and not obj["metadata"].get("deletionTimestamp")
        and selector.matches(obj["metadata"].get("labels"))
    )


def strays(owner: Obj, owned: Iterable[Obj]) -> tuple[Obj, ...]:
    """Those of `owned` that the selector does not match any more."""
    if owner["metadata"].get("deletionTimestamp"):
        return ()
    selector = selectors.from_label_selector(owner["spec"]["selector"])
    return tuple(obj for obj in owned if not selector.matches(obj["metadata"].get("labels")))


def adopt(owner: Obj, obj: Obj) -> Action:
    return _with_owners(obj, [*(obj["metadata"].get("ownerReferences") or ()), owner_reference(owner)])


def release(owner: Obj, obj: Obj) -> Action:
    uid = owner["metadata"]["uid"]
    return _with_owners(obj, [ref for ref in obj["metadata"].get("ownerReferences") or () if ref["uid"] != uid])


def namespace_ends(error: ApiError) -> bool:
    """The namespace is being deleted, so that nothing can be made in it: expected, and nothing to tell."""
    return any(cause.reason == "NamespaceTerminating" for cause in error.causes)


def _with_owners(obj: Obj, owners: list[Obj]) -> Action:
    """The resourceVersion makes it a Conflict if someone else was quicker."""
    meta = obj["metadata"]
    patch = {"ownerReferences": owners, "uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    return MergePatch(ref_of(obj), {"metadata": patch})


def claimants(obj: Obj, kind: str, lister: Lister) -> Iterator[Ref]:
    """The objects of `kind` that could adopt `obj`, when it has no controller."""
    meta = obj["metadata"]
    if controller_of(obj) is not None or not meta.get("labels"):
        return
    for owner in lister.list(kind, meta.get("namespace", "")):
        if selectors.from_label_selector(owner["spec"]["selector"]).matches(meta["labels"]):
            yield ref_of(owner)
