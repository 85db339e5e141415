"""ServiceAccount: who a pod is to the API."""

from wherry.kinds.columns import AGE
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj


def _secrets(obj: Obj) -> Cell:
    return len(obj.get("secrets") or ())


SERVICEACCOUNT = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    schema="io.k8s.api.core.v1.ServiceAccount",
    short_names=("sa",),
    subresources=("token",),
    columns=(Column(name="Secrets", cell=_secrets, description="How many secrets it lists."), AGE),
    generation=False,
    delete_returns_object=True,
)
