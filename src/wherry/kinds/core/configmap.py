"""ConfigMap: settings for pods, as text or bytes."""

from wherry.kinds.columns import AGE
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj


def _data(obj: Obj) -> Cell:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


CONFIGMAP = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    schema="io.k8s.api.core.v1.ConfigMap",
    short_names=("cm",),
    columns=(Column(name="Data", cell=_data, description="How many keys it has."), AGE),
    generation=False,
)
