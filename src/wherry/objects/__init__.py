"""Kubernetes objects as plain data: what can be said of them without asking anyone.

Pure functions on dicts: selectors, owners, conditions, quantities, patches, managed fields, the tree of errors.
Nothing here does I/O, reads a clock or knows a particular kind's rules (those are in `wherry.kinds`).

Objects are never edited in place once they are stored or handed to a reader: copy what you change.
"""

from typing import Any, NamedTuple

import orjson

Obj = dict[str, Any]
"""One Kubernetes object as JSON data: unknown fields survive."""


class Ref(NamedTuple):
    """Which object: its GroupKind in Kubernetes' spelling (`Pod`, `Deployment.apps`), namespace ("" if none), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def kind_of(obj: Obj) -> str:
    """The object's GroupKind: `Pod`, `Deployment.apps`."""
    group, _, _ = obj["apiVersion"].rpartition("/")
    return f"{obj['kind']}.{group}" if group else str(obj["kind"])


def ref_of(obj: Obj) -> Ref:
    """Which object this is."""
    meta = obj["metadata"]
    return Ref(kind_of(obj), meta.get("namespace", ""), meta["name"])


def copied(value: Any) -> Any:
    """A copy of plain JSON data that shares nothing with it: there and back is the quickest way (10 -> 3 us)."""
    try:
        return orjson.loads(orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME))
    except TypeError:  # YAML has more than JSON: dates, keys that are no text, integers of any size
        return _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
