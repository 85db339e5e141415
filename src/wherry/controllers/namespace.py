"""Namespace: empty one that is being deleted, say what holds it up, then let it go."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from wherry.client.actions import Action, Delete, SetStatus, Update, status_of
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.kinds.catalog import BY_ID
from wherry.objects import Obj, Ref, kind_of, ref_of
from wherry.objects.conditions import set_condition
from wherry.objects.errors import ApiError
from wherry.objects.times import format_time

FINALIZER = "kubernetes"
_CONTENT, _REMAINING, _FINALIZERS = (
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
)
_WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    _CONTENT: ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    _REMAINING: ("ContentRemoved", "All content successfully removed"),
    _FINALIZERS: ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


@dataclass(frozen=True)
class Observed:
    """`doomed`: those that nobody has deleted yet; `leaving` and `finalizers`: the others, by kind and what they wait
    for.
    """

    namespace: Obj
    now: datetime
    doomed: tuple[Obj, ...] = ()
    leaving: Mapping[str, int] = field(default_factory=dict)
    finalizers: Mapping[str, int] = field(default_factory=dict)


def observe(namespace: Obj, lister: Lister, now: datetime) -> Observed | None:
    if not namespace["metadata"].get("deletionTimestamp"):
        return None
    if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
        return None
    refs = lister.contents(namespace["metadata"]["name"])
    found = [obj for ref in refs if (obj := lister.get(*ref)) is not None]
    doomed = tuple(obj for obj in found if not obj["metadata"].get("deletionTimestamp"))
    leaving = [obj for obj in found if obj["metadata"].get("deletionTimestamp")]
    finalizers = Counter(each for obj in leaving for each in obj["metadata"].get("finalizers") or ())
    return Observed(namespace, now, doomed, Counter(map(kind_of, leaving)), finalizers)


def plan(seen: Observed) -> Iterator[Action]:
    """All deletions at once; those that take their time (pods, finalizers) wake it again when they have gone."""
    if seen.doomed:
        yield from (Delete(ref_of(obj), obj["metadata"]["uid"]) for obj in seen.doomed)
    elif seen.leaving:
        yield from _tell(seen, _troubles(seen))
    else:
        spec = seen.namespace["spec"]
        kept = [each for each in spec["finalizers"] if each != FINALIZER]
        yield Update({**seen.namespace, "spec": {**spec, "finalizers": kept}}, subresource="finalize")


def failed(seen: Observed, error: ApiError) -> Iterator[Action]:
    """Say on the namespace why its contents cannot be deleted."""
    message = f"Failed to delete all resource types, 1 remaining: {error.message}"
    yield from _tell(seen, {**_troubles(seen), _CONTENT: ("ContentDeletionFailed", message)})


def _troubles(seen: Observed) -> dict[str, tuple[str, str]]:
    troubles = {}
    if seen.leaving:
        each = (f"{_resource(kind)} has {count} resource instances" for kind, count in seen.leaving.items())
        troubles[_REMAINING] = ("SomeResourcesRemain", f"Some resources are remaining: {', '.join(sorted(each))}")
    if seen.finalizers:
        each = (f"{name} in {count} resource instances" for name, count in seen.finalizers.items())
        message = f"Some content in the namespace has finalizers remaining: {', '.join(sorted(each))}"
        troubles[_FINALIZERS] = ("SomeFinalizersRemain", message)
    return troubles


def _resource(kind: str) -> str:
    """`deployments.apps`, and with upstream's dot also `pods.`; a custom kind goes by its kind."""
    known = BY_ID.get(kind)
    return f"{known.plural}.{known.group}" if known else kind


def _tell(seen: Observed, troubles: Mapping[str, tuple[str, str]]) -> Iterator[Action]:
    status = status_of(seen.namespace)
    conditions = status.get("conditions") or []
    for type_, well in _WELL.items():
        reason, message = troubles.get(type_, well)
        condition = {
            "type": type_,
            "status": "True" if type_ in troubles else "False",
            "reason": reason,
            "message": message,
        }
        conditions = set_condition(conditions, condition, format_time(seen.now))
    if conditions != status.get("conditions"):
        yield SetStatus(seen.namespace, {**status, "conditions": conditions})


def _of(obj: Obj, lister: Lister) -> Iterator[Ref]:
    """A namespace that is being deleted hears of everything in it."""
    name = obj["metadata"].get("namespace")
    namespace = lister.get("Namespace", "", name) if name else None
    if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
        yield Ref("Namespace", "", namespace["metadata"]["name"])


NAMESPACE = Controller(
    name="namespace", kind="Namespace", observe=observe, plan=plan, failed=failed, watches={"*": _of}
)
