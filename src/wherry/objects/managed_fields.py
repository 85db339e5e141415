"""metadata.managedFields: who owns which fields, kept up to date on every write that is not an apply (see `apply`).

Rules are those of k8s.io/apimachinery `managedfields`: what a write changes becomes the writer's and nobody else's,
what it removes is owned by nobody; writes that change nothing leave the entries as they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from wherry.objects import Obj
from wherry.objects.fieldsets import FieldSet, canonical, contains, difference, disjoint, from_paths, is_valid, union
from wherry.objects.schema import Type
from wherry.objects.typed_fields import Changes, compare

MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"

# The server's own facts about an object: nobody manages them.
SERVER_OWNED: FieldSet = from_paths(
    "apiVersion",
    "kind",
    *(
        f"metadata.{name}"
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)


class Identity(NamedTuple):
    """What tells managers apart. Appliers keep their identity when they move to another apiVersion."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def __str__(self) -> str:
        """How messages name a manager."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


def identity_of(entry: Obj) -> Identity:
    operation = entry.get("operation", "")
    version = "" if operation == "Apply" else entry.get("apiVersion", "")
    return Identity(entry.get("manager", ""), operation, version, entry.get("subresource", ""))


@dataclass(frozen=True)
class Write:
    """Who writes an object of a type, when, and by which endpoint: `reset` are fields that it never takes."""

    manager: str
    time: str
    api_version: str
    type_: Type
    subresource: str = ""
    reset: FieldSet | None = None


def update_managers(live: Obj | None, new: Obj, by: Write) -> list[Obj]:
    """The managedFields of `new`, which a create (`live` is None), update or patch is about to store.

    Where nothing changes, the live list itself is returned. An empty list means: store none.
    """
    entries = _given(live, new, by.subresource)
    if live is not None and not entries:
        return []  # an object that nobody tracks stays so until it is applied
    ignored = union(SERVER_OWNED, by.reset) if by.reset else SERVER_OWNED
    changes = compare(live or {}, new, by.type_, ignored)
    if not changes:
        return entries
    own = Identity(by.manager or "unknown", "Update", by.api_version, by.subresource)
    out, previous = [], None
    for entry in entries:
        if identity_of(entry) == own:
            previous = entry
        else:
            left = lose(entry, changes)
            if left is not None:
                out.append(left)
    mine = _gain(previous, changes, own, by.time)
    if mine is not None:
        out.append(mine)
    return _capped(ordered(out) if len(out) > 1 else out)


def _given(live: Obj | None, new: Obj, subresource: str) -> list[Obj]:
    """The entries to start from: the client's, if it sent good ones, else the live ones. A client's `[]` resets."""
    stored: list[Obj] = (live["metadata"].get("managedFields") or []) if live is not None else []
    sent = new["metadata"].get("managedFields")
    if subresource or sent is None or sent == stored:
        return stored
    if sent in ([], [{}]):
        return []
    return list(sent) if are_valid(sent) else stored


def are_valid(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and entry.get("operation") in ("Apply", "Update")
        and bool(entry.get("apiVersion"))
        and entry.get("fieldsType") == "FieldsV1"
        and is_valid(entry.get("fieldsV1") or {})
        for entry in entries
    )


def lose(entry: Obj, changes: Changes) -> Obj | None:
    """A manager's entry after someone else's write; None if it owns nothing any more."""
    fields: FieldSet = entry.get("fieldsV1") or {}
    left = fields
    for taken in changes:
        if taken and not disjoint(left, taken):
            left = difference(left, taken)
    if left is fields:
        return entry
    return {**entry, "fieldsV1": left} if left else None


def _gain(previous: Obj | None, changes: Changes, own: Identity, time: str) -> Obj | None:
    """The writer's entry after its write; its time moves only if the write set anything."""
    if previous is None:
        return entry_of(own, own.api_version, time, canonical(changes.changed)) if changes.changed else None
    fields: FieldSet = previous.get("fieldsV1") or {}
    if not changes.changed:
        return lose(previous, changes)
    if changes.removed and not disjoint(fields, changes.removed):
        fields = difference(fields, changes.removed)
    if not contains(fields, changes.changed):
        fields = canonical(union(fields, changes.changed))
    return {**previous, "time": time, "fieldsV1": fields}


def entry_of(own: Identity, api_version: str, time: str, fields: FieldSet) -> Obj:
    entry = {
        "manager": own.manager,
        "operation": own.operation,
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if own.subresource:
        entry["subresource"] = own.subresource
    return entry


def ordered(entries: Iterable[Obj]) -> list[Obj]:
    """Appliers first, then by time."""
    return sorted(entries, key=_order)


def _order(entry: Obj) -> tuple[str, str, str, str, str]:
    return (
        entry.get("operation", ""),
        entry.get("time") or "",
        entry.get("manager", ""),
        entry.get("apiVersion", ""),
        entry.get("subresource", ""),
    )


def _capped(entries: list[Obj]) -> list[Obj]:
    """Of more than ten updaters the oldest are thrown together, per apiVersion: the list must not grow for ever."""
    updaters = [entry for entry in entries if entry["operation"] == "Update"]
    surplus = len(updaters) - MAX_UPDATE_MANAGERS
    if surplus <= 0:
        return entries
    oldest: dict[str, list[Obj]] = {}
    for entry in updaters:
        group = oldest.setdefault(entry["apiVersion"], [])
        if surplus > 0 or not group:
            surplus -= bool(group)
            group.append(entry)
    groups = [group for group in oldest.values() if len(group) > 1]
    gone = {id(entry) for group in groups for entry in group}
    return ordered([entry for entry in entries if id(entry) not in gone] + [_ancient(group) for group in groups])


def _ancient(group: Sequence[Obj]) -> Obj:
    fields: FieldSet = {}
    for entry in group:
        fields = union(fields, entry.get("fieldsV1") or {})
    version, time = group[-1]["apiVersion"], group[-1].get("time") or ""
    return entry_of(Identity(ANCIENT, "Update", version, ""), version, time, canonical(fields))
