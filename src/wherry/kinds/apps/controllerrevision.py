"""ControllerRevision: a state that a controller may return to; it never changes."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, NONE, path
from wherry.kinds.defaults import items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, kind_of
from wherry.objects.field_errors import required


def _controller(obj: Obj) -> Cell:
    for owner in items(obj["metadata"], "ownerReferences"):
        if owner.get("controller"):
            return f"{kind_of(owner).lower()}/{owner.get('name', '')}"
    return NONE


def validate(obj: Obj) -> Errors:
    if obj.get("data") is None:
        yield required("data", "data is mandatory")
    yield from checks.nonnegative("revision", obj.get("revision"))


def validate_update(new: Obj, old: Obj) -> Errors:
    yield from checks.immutable("data", new.get("data"), old.get("data"))


CONTROLLERREVISION = Kind(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    schema="io.k8s.api.apps.v1.ControllerRevision",
    validate=validate,
    validate_update=validate_update,
    columns=(
        Column(name="Controller", cell=_controller, description="Whose state it is."),
        Column(name="Revision", cell=path("revision", 0), description="Its number, counted up."),
        AGE,
    ),
    generation=False,
)
