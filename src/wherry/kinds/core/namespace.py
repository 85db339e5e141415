"""Namespace: a room of names; its status tells whether it is being emptied."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, path
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid

FINALIZER = "kubernetes"
_PLAIN_FINALIZERS = (FINALIZER, "orphan", "foregroundDeletion")
_NAME_LABEL = "kubernetes.io/metadata.name"


def default(obj: Obj) -> None:
    name = obj["metadata"].get("name")
    if name:
        section(obj["metadata"], "labels")[_NAME_LABEL] = name
    fill(section(obj, "status"), "phase", "Active")


def prepare(obj: Obj) -> None:
    """The finalizer keeps a namespace until all in it is gone."""
    spec = section(obj, "spec")
    if FINALIZER not in (spec.get("finalizers") or ()):
        spec["finalizers"] = [*(spec.get("finalizers") or ()), FINALIZER]
    obj["status"] = {"phase": "Active"}


def prepare_update(new: Obj, old: Obj) -> None:
    """The finalizers are changed by the subresource `finalize` only."""
    new["spec"] = old.get("spec", {})


def validate(obj: Obj) -> Errors:
    for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
        yield from checks.named("spec.finalizers", finalizer, names.qualified_name)
        if "/" not in finalizer and finalizer not in _PLAIN_FINALIZERS:
            message = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid("spec.finalizers", finalizer, message)


def validate_status(new: Obj, _old: Obj) -> Errors:
    """An ending namespace says so, and no other does."""
    phase, ending = (new.get("status") or {}).get("phase", ""), bool(new["metadata"].get("deletionTimestamp"))
    if ending and phase != "Terminating":
        yield invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
    elif not ending and phase != "Active":
        yield invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")


NAMESPACE = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    schema="io.k8s.api.core.v1.Namespace",
    namespaced=False,
    short_names=("ns",),
    status=True,
    subresources=("finalize",),
    selectable=("status.phase",),
    default=default,
    prepare=prepare,
    prepare_update=prepare_update,
    validate=validate,
    validate_status=validate_status,
    validate_name=names.dns1123_label,
    columns=(Column(name="Status", cell=path("status.phase"), description="Whether it lives or goes."), AGE),
    generation=False,
    delete_returns_object=True,
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)
