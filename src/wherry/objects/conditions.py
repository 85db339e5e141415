"""Status conditions: finding, reading and setting one of a list. The list is never edited in place."""

from collections.abc import Sequence

from wherry.objects import Obj


def get_condition(conditions: Sequence[Obj] | None, type_: str) -> Obj | None:
    return next((condition for condition in conditions or () if condition.get("type") == type_), None)


def condition_of(obj: Obj, type_: str) -> Obj | None:
    """The condition in an object's status."""
    return get_condition((obj.get("status") or {}).get("conditions"), type_)


def is_true(obj: Obj, type_: str) -> bool:
    condition = condition_of(obj, type_)
    return condition is not None and condition.get("status") == "True"


def observed_generation(obj: Obj) -> Obj:
    """The part of a condition that says which state of the object it is about; {} of one without a count."""
    generation = obj["metadata"].get("generation")
    return {"observedGeneration": generation} if generation else {}


def set_condition(conditions: Sequence[Obj] | None, condition: Obj, now: str) -> list[Obj]:
    """The list with `condition` (type, status, reason, message, ...) in the place of the one of its type.

    `now` becomes lastTransitionTime only when the status differs from before. Fields that `condition` does not name
    (lastProbeTime, observedGeneration) are taken over from the old one. Other times are the caller's to give.
    """
    out = list(conditions or ())
    for index, old in enumerate(out):
        if old.get("type") == condition["type"]:
            since = old.get("lastTransitionTime") if old.get("status") == condition["status"] else None
            out[index] = {**old, **condition, "lastTransitionTime": since or now}
            return out
    return [*out, {**condition, "lastTransitionTime": now}]


def remove_condition(conditions: Sequence[Obj] | None, type_: str) -> list[Obj]:
    return [condition for condition in conditions or () if condition.get("type") != type_]
