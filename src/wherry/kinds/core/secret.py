"""Secret: what pods need and few may read."""

import base64

from wherry.kinds.columns import AGE, path
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj


def default(obj: Obj) -> None:
    """`stringData` is for writing only: it is folded into `data` before anything else looks at it."""
    fill(obj, "type", "Opaque")
    texts = obj.pop("stringData", None)
    for key, text in (texts or {}).items():
        section(obj, "data")[key] = base64.b64encode(text.encode()).decode()


def _data(obj: Obj) -> Cell:
    return len(obj.get("data") or ())


SECRET = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    schema="io.k8s.api.core.v1.Secret",
    selectable=("type",),
    default=default,
    columns=(
        Column(name="Type", cell=path("type"), description="What the keys mean."),
        Column(name="Data", cell=_data, description="How many keys it has."),
        AGE,
    ),
    generation=False,
)
