"""Objects as `kubectl get` wants them: meta.k8s.io Tables, by a kind's columns, and PartialObjectMetadata."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from wherry.kinds.kind import Cell, Column, Finished, Kind
from wherry.objects import Obj
from wherry.objects.errors import BadRequest

_INCLUDES = frozenset(("None", "Metadata", "Object"))


def _created(obj: Obj) -> Cell:
    created: str | None = obj["metadata"].get("creationTimestamp")
    return created


def _name(obj: Obj) -> Cell:
    name: str = obj["metadata"].get("name", "")
    return name


_NAME = Column(
    name="Name", cell=_name, format="name", description="The object's name, unique among its kind in a namespace."
)
_CREATED = Column(name="Created At", cell=_created, type="date", description="When the server created the object.")


def table(
    kind: Kind,
    objects: Iterable[Obj],
    *,
    now: datetime,
    include: str = "Metadata",
    list_meta: Obj | None = None,
    headers: bool = True,
    version: str = "v1",
) -> Obj:
    """A Table of objects. `include` is the request's `includeObject`; a watch sends `headers` only once.

    `list_meta` is the list's metadata; without it, the Table of a single object carries that object's resourceVersion.
    """
    columns = kind.columns or (_CREATED,)
    shown = list(objects)
    if kind.name_column:
        columns = (_NAME, *columns)
    rows = [_row(kind.finished, obj, columns, now, include or "Metadata", version) for obj in shown]
    out: Obj = {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": _list_metadata(shown) if list_meta is None else list_meta,
        "columnDefinitions": _definitions(columns) if headers else None,
        "rows": rows,
    }
    return out


def include_of(query: str) -> str:
    """The `includeObject` of a request, checked; `Metadata` if it says none."""
    if query and query not in _INCLUDES:
        raise BadRequest(f'the requested object metadata policy is invalid: "{query}": use None, Metadata or Object')
    return query or "Metadata"


def partial(obj: Obj, version: str = "v1") -> Obj:
    """An object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj.get("metadata", {}),
    }


def partial_list(objects: Iterable[Obj], *, list_meta: Obj, version: str = "v1") -> Obj:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": list_meta,
        "items": [partial(obj, version) for obj in objects],
    }


def _list_metadata(objects: Sequence[Obj]) -> Obj:
    if len(objects) == 1:
        return {"resourceVersion": objects[0]["metadata"].get("resourceVersion", "")}
    return {}


def _row(finished: Finished, obj: Obj, columns: Sequence[Column], now: datetime, include: str, version: str) -> Obj:
    cells = [column.value(obj, now) for column in columns]
    carried: dict[str, Any] = {"None": None, "Object": obj}
    row = {"cells": cells, "object": carried[include] if include in carried else partial(obj, version)}
    ended = finished(obj)
    if ended:
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": ended[0], "message": ended[1]}]
    return row


def _definitions(columns: Sequence[Column]) -> list[Obj]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": 1 if column.wide else 0,
        }
        for column in columns
    ]
