"""Namespace: a room of names; its status tells whether it is being emptied."""

from wherry.kinds.columns import AGE, path
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Column, Kind
from wherry.objects import Obj, names

FINALIZER = "kubernetes"
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
    validate_name=names.dns1123_label,
    columns=(Column(name="Status", cell=path("status.phase"), description="Whether it lives or goes."), AGE),
    generation=False,
    delete_returns_object=True,
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)
