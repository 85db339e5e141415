"""PriorityClass: a name for how much pods matter."""

from wherry.kinds.columns import AGE, path
from wherry.kinds.defaults import fill
from wherry.kinds.kind import Column, Kind
from wherry.objects import Obj


def default(obj: Obj) -> None:
    fill(obj, "preemptionPolicy", "PreemptLowerPriority")


PRIORITYCLASS = Kind(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    schema="io.k8s.api.scheduling.v1.PriorityClass",
    namespaced=False,
    short_names=("pc",),
    default=default,
    columns=(
        Column(name="Value", type="integer", cell=path("value", 0), description="The more, the earlier."),
        Column(name="Global-Default", type="boolean", cell=path("globalDefault", False)),
        AGE,
        Column(name="PreemptionPolicy", cell=path("preemptionPolicy")),
    ),
)
