"""Server-side apply: merge a configuration into the live object, by who owns which field.

Rules are those of structured-merge-diff `merge.Updater` and k8s.io/apimachinery `managedfields`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from wherry.objects import Obj
from wherry.objects.fieldsets import (
    FieldSet,
    canonical,
    contains,
    difference,
    intersection,
    paths,
    union,
    without,
)
from wherry.objects.managed_fields import (
    SERVER_OWNED,
    Identity,
    Write,
    entry_of,
    identity_of,
    lose,
    ordered,
    update_managers,
)
from wherry.objects.schema import Type
from wherry.objects.typed_fields import (
    Changes,
    FieldsInvalid,
    check_lists,
    compare,
    fields_of,
    merge,
    remove,
    with_named_fields,
)

BEFORE_FIRST_APPLY = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class ApplyInvalid(Exception):
    """The applied configuration cannot be merged, whatever the live object is."""


class ApplyConflict(Exception):
    """Fields that the configuration sets otherwise belong to others; `causes` are pairs (whose, which field)."""

    def __init__(self, conflicts: Mapping[Identity, FieldSet]) -> None:
        self.causes = [(f"conflict with {own}", path) for own, fields in conflicts.items() for path in paths(fields)]
        super().__init__(_conflict_message({str(own): list(paths(fields)) for own, fields in conflicts.items()}))


def _conflict_message(conflicts: Mapping[str, list[str]]) -> str:
    total = sum(map(len, conflicts.values()))
    if total == 1:
        ((manager, (path,)),) = conflicts.items()
        return f"Apply failed with 1 conflict: conflict with {manager}: {path}"
    lines = []
    for manager in sorted(conflicts):
        lines.append(f"conflicts with {manager}:")
        lines.extend(f"- {path}" for path in conflicts[manager])
    return f"Apply failed with {total} conflicts: " + "\n".join(lines)


def apply(live: Obj | None, applied: Obj, by: Write, *, force: bool) -> Obj:
    """The object that applying `applied` makes of `live`, managedFields included; `live` itself if nothing changes.

    A create (`live` is None) gives the configuration with its owner. Raises ApplyConflict unless `force`.
    """
    type_ = by.type_
    _check(applied, type_)
    base = live or {}
    own = Identity(by.manager, "Apply", "", by.subresource)
    entries = _entries(live, by)
    mine = next((entry for entry in entries if identity_of(entry) == own), None)
    others = [entry for entry in entries if entry is not mine]
    fields = without(fields_of(applied, type_), by.reset)
    merged = merge(base, applied, type_)
    if mine is not None:
        owned = [fields, *(entry.get("fieldsV1") or {} for entry in others)]
        merged = (
            remove(merged, _unlisted(merged, mine.get("fieldsV1") or {}, owned, type_), type_, drop_emptied=True) or {}
        )
    changes = compare(base, merged, type_, union(SERVER_OWNED, by.reset or {}))
    if not force:
        _check_conflicts(base, others, changes, type_, by.api_version, by.manager)
    left = [entry for entry in (lose(entry, changes) for entry in others) if entry is not None]
    stamp = (mine.get("time") or by.time) if mine is not None and merged == base else by.time
    fields = canonical(difference(fields, SERVER_OWNED))
    if fields:
        left.append(entry_of(own, by.api_version, stamp, fields))
    return _finished(merged, applied, ordered(left), by.manager)


def _check(applied: Obj, type_: Type) -> None:
    meta = applied.get("metadata") or {}
    if meta.get("managedFields") is not None:
        raise ApplyInvalid("metadata.managedFields must be nil")
    try:
        check_lists(applied, type_)
    except FieldsInvalid as error:
        group, _, version = applied.get("apiVersion", "").rpartition("/")
        which = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group}/{version}, Kind={applied.get('kind', '')}"
        raise ApplyInvalid(f"failed to create typed patch object ({which}): {error}") from None


def _entries(live: Obj | None, by: Write) -> list[Obj]:
    """The live entries; the fields of an object that nobody tracked so far belong to a manager of that name."""
    if live is None:
        return []
    entries: list[Obj] = live["metadata"].get("managedFields") or []
    return entries or update_managers(None, live, Write(BEFORE_FIRST_APPLY, by.time, by.api_version, by.type_))


def _unlisted(merged: Obj, last: FieldSet, owned: Iterable[FieldSet], type_: Type) -> FieldSet:
    """What this manager applied before and now does not, and nobody else owns: it goes."""
    managed: FieldSet = {}
    for fields in owned:
        managed = union(managed, fields)
    if contains(managed, last):
        return {}
    last = with_named_fields(last, type_)
    everything = with_named_fields(fields_of(merged, type_), type_)
    pruned = remove(merged, last, type_, drop_emptied=False) or {}
    kept = union(with_named_fields(fields_of(pruned, type_), type_), with_named_fields(managed, type_))
    pruned = remove(merged, difference(everything, kept), type_, drop_emptied=False) or {}
    # what fell with a parent, but was never this manager's (nor any applier's), stays
    dropped = difference(everything, with_named_fields(fields_of(pruned, type_), type_))
    return intersection(dropped, last)


def _check_conflicts(
    live: Obj, others: Iterable[Obj], changes: Changes, type_: Type, api_version: str, manager: str
) -> None:
    conflicts = {}
    for entry in others:
        taken = intersection(entry.get("fieldsV1") or {}, changes.changed)
        if taken:
            conflicts[identity_of(entry)] = taken
    if conflicts and manager == "kubectl":
        allowed = _client_side_applied(live, type_, api_version)
        conflicts = {own: rest for own, fields in conflicts.items() if (rest := difference(fields, allowed))}
    if conflicts:
        raise ApplyConflict(conflicts)


def _client_side_applied(live: Obj, type_: Type, api_version: str) -> FieldSet:
    """What `kubectl apply` without --server-side set and still is so: its user may take it over without conflict."""
    text = _annotations(live).get(LAST_APPLIED) or ""
    try:
        config = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(config, dict) or config.get("apiVersion") != api_version:
        return {}
    changes = compare(config, live, type_)
    return difference(difference(fields_of(config, type_), changes.changed), changes.removed)


def _annotations(obj: Obj) -> Mapping[str, Any]:
    return (obj.get("metadata") or {}).get("annotations") or {}


def _finished(merged: Obj, applied: Obj, entries: list[Obj], manager: str) -> Obj:
    meta = dict(merged.get("metadata") or {})
    if manager == "kubectl" and _annotations(merged).get(LAST_APPLIED):
        meta["annotations"] = {**meta["annotations"], LAST_APPLIED: _last_applied(applied)}
    meta.pop("managedFields", None)
    if entries:
        meta["managedFields"] = entries
    return {**merged, "metadata": meta}


def _last_applied(applied: Obj) -> str:
    """The annotation that keeps client-side apply working beside server-side apply."""
    meta = applied.get("metadata") or {}
    rest = {key: value for key, value in _annotations(applied).items() if key != LAST_APPLIED}
    config = {**applied, "metadata": {**meta, "annotations": rest} if rest or "annotations" in meta else meta}
    return orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
