"""Kubernetes objects as plain data: what can be said of them without asking anyone.

Pure functions on dicts: selectors, owners, conditions, quantities, patches, managed fields, the tree of errors.
Nothing here does I/O, reads a clock or knows a particular kind's rules (those are in `wherry.kinds`).

Objects are never edited in place once they are stored or handed to a reader: copy what you change.
"""

from typing import Any, NamedTuple

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
    """A copy of plain data that shares nothing with it; `copy.deepcopy` also does this, several times slower."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value
