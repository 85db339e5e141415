"""Owner references: who controls whom."""

from wherry.objects import Obj


def controller_of(obj: Obj) -> Obj | None:
    """The reference to the one owner that manages `obj`, if any."""
    refs: list[Obj] = obj["metadata"].get("ownerReferences") or []
    return next((ref for ref in refs if ref.get("controller")), None)


def controlled_by(obj: Obj, owner: Obj) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == owner["metadata"]["uid"]


def owner_reference(owner: Obj) -> Obj:
    """A reference that makes `owner` the controller of the object that carries it."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
