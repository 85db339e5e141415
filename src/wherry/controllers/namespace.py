"""Namespace: empty one that is being deleted, then let it go."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Delete, Update
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref, ref_of

FINALIZER = "kubernetes"


@dataclass(frozen=True)
class Observed:
    """`left`: all that is still there; `doomed`: those that nobody has deleted yet."""

    namespace: Obj
    left: int
    doomed: tuple[Obj, ...]


def observe(namespace: Obj, lister: Lister, now: datetime) -> Observed | None:
    if not namespace["metadata"].get("deletionTimestamp"):
        return None
    if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
        return None
    refs = lister.contents(namespace["metadata"]["name"])
    found = [obj for ref in refs if (obj := lister.get(*ref)) is not None]
    return Observed(namespace, len(found), tuple(obj for obj in found if not obj["metadata"].get("deletionTimestamp")))


def plan(seen: Observed) -> Iterator[Action]:
    """All deletions at once; those that take their time (pods, finalizers) wake it again when they have gone."""
    yield from (Delete(ref_of(obj), obj["metadata"]["uid"]) for obj in seen.doomed)
    if not seen.left:
        spec = seen.namespace["spec"]
        kept = [each for each in spec["finalizers"] if each != FINALIZER]
        yield Update({**seen.namespace, "spec": {**spec, "finalizers": kept}}, subresource="finalize")


def _of(obj: Obj, lister: Lister) -> Iterator[Ref]:
    """A namespace that is being deleted hears of everything in it."""
    name = obj["metadata"].get("namespace")
    namespace = lister.get("Namespace", "", name) if name else None
    if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
        yield Ref("Namespace", "", namespace["metadata"]["name"])


NAMESPACE = Controller(name="namespace", kind="Namespace", observe=observe, plan=plan, watches={"*": _of})
