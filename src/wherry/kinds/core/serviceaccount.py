"""ServiceAccount: who a pod is to the API."""

from collections.abc import Iterator

from wherry.kinds.columns import AGE
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj

_ENFORCES = "kubernetes.io/enforce-mountable-secrets"


def _secrets(obj: Obj) -> Cell:
    return len(obj.get("secrets") or ())


def warn(new: Obj, old: Obj | None) -> Iterator[str]:
    if _carries(new) and not (old is not None and _carries(old)):
        said = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        yield f"metadata.annotations[{_ENFORCES}]: {said}"


def _carries(account: Obj) -> bool:
    return _ENFORCES in (account["metadata"].get("annotations") or {})


SERVICEACCOUNT = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    schema="io.k8s.api.core.v1.ServiceAccount",
    short_names=("sa",),
    subresources=("token",),
    columns=(Column(name="Secrets", cell=_secrets, description="How many secrets it lists."), AGE),
    warn=warn,
    generation=False,
    delete_returns_object=True,
)
