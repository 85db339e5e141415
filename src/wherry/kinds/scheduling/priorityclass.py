"""PriorityClass: a name for how much pods matter."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, path
from wherry.kinds.defaults import fill_absent
from wherry.kinds.kind import Column, Kind
from wherry.objects import Obj
from wherry.objects.field_errors import forbidden

SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The classes that are always there, and their values."""
_HIGHEST = 1_000_000_000  # of others


def default(obj: Obj) -> None:
    fill_absent(obj, "preemptionPolicy", "PreemptLowerPriority")


def validate(obj: Obj) -> Errors:
    name, value = obj["metadata"].get("name", ""), obj.get("value") or 0
    if name.startswith("system-"):
        wrong = _system_error(name, value, obj)
        if wrong:
            message = f"priority class names with 'system-' prefix are reserved for system use only. error: {wrong}"
            yield forbidden("metadata.name", message)
    elif value > _HIGHEST:
        yield forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST}")
    words = ("PreemptLowerPriority", "Never")
    yield from checks.required_word("preemptionPolicy", obj.get("preemptionPolicy"), words)


def _system_error(name: str, value: int, obj: Obj) -> str:
    if name not in SYSTEM:
        return f"{name} is not a known system priority class"
    if value != SYSTEM[name]:
        return f"value of {name} PriorityClass must be {SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if obj.get("globalDefault") else ""


def validate_update(new: Obj, old: Obj) -> Errors:
    if (new.get("value") or 0) != (old.get("value") or 0):
        yield forbidden("value", "may not be changed in an update.")
    yield from checks.immutable("preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


PRIORITYCLASS = Kind(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    namespaced=False,
    short_names=("pc",),
    default=default,
    validate=validate,
    validate_update=validate_update,
    columns=(
        Column(name="Value", type="integer", cell=path("value", 0), description="The more, the earlier."),
        Column(name="Global-Default", type="boolean", cell=path("globalDefault", False)),
        AGE,
        Column(name="PreemptionPolicy", cell=path("preemptionPolicy")),
    ),
)
