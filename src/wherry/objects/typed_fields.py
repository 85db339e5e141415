"""Walks over objects by their types: which fields are there, which changed, merging and removing by field.

The rules are those of structured-merge-diff `typed`: objects and maps go field by field unless atomic, lists by key
(`list_type` map) or by value (set) unless atomic. What a type does not know merges by its JSON form: objects field by
field, the rest as a whole. Inputs are never edited.
"""

from typing import Any, NamedTuple

import orjson

from wherry.objects.field_errors import show
from wherry.objects.fieldsets import SELF, FieldSet, is_member, shown
from wherry.objects.schema import Shape, Type

_UNKNOWN = Type(shape=Shape.MAP)
_UNKNOWN.items = _UNKNOWN

# Go's structs that are no pointers are there even when empty, so nobody becomes the owner of the struct itself.
_ALWAYS_THERE = frozenset({"metadata", "spec", "status", "template", "strategy", "updateStrategy"})


class FieldsInvalid(Exception):
    """A list cannot be merged by its keys; `path` says where, as `.spec.ports`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")


class Changes(NamedTuple):
    """How one object differs from another: fields added or modified, and fields that are gone."""

    changed: FieldSet
    removed: FieldSet

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


_Nodes = tuple[FieldSet | None, FieldSet | None]


def _child(type_: Type, key: str) -> Type:
    if type_.shape is Shape.OBJECT:
        return type_.struct.fields.get(key, _UNKNOWN) if type_.struct is not None else _UNKNOWN
    return type_.items or _UNKNOWN


def _by_field(type_: Type) -> bool:
    return (type_.shape is Shape.OBJECT or type_.shape is Shape.MAP) and not type_.atomic


def _by_item(type_: Type) -> bool:
    return type_.shape is Shape.LIST and type_.list_type in ("map", "set")


def _items_type(type_: Type) -> Type:
    return type_.items or _UNKNOWN


def _step(item: Any, type_: Type) -> str:
    """The step that names an item of a list."""
    if type_.list_type == "set":
        if isinstance(item, dict | list) or item is None:
            raise ValueError("associative list without keys has an element that is not a scalar")
        return f"v:{orjson.dumps(item).decode()}"
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    keys = {}
    for key in type_.map_keys:
        value = item.get(key, type_.key_defaults.get(key))
        if value is not None:
            keys[key] = value
    if not keys:
        names = show(list(type_.map_keys))
        raise ValueError(
            f"associative list with keys has an element that omits all key fields {names} "
            "(and doesn't have default values for any key fields)"
        )
    return f"k:{orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()}"


def _grouped(items: list[Any], type_: Type) -> dict[str, list[Any]]:
    """Items by their step; items that have none are left out (only stored objects can have such)."""
    out: dict[str, list[Any]] = {}
    for item in items:
        try:
            out.setdefault(_step(item, type_), []).append(item)
        except ValueError:
            continue
    return out


# -- which fields are there ----------------------------------------------------------------------------------------


def fields_of(value: Any, type_: Type) -> FieldSet:
    """The fields that an applied configuration names: its leaves, its lists' items, its maps' keys."""
    if isinstance(value, dict) and _by_field(type_):
        return _fields_of_map(value, type_)
    if isinstance(value, list) and _by_item(type_):
        out: FieldSet = {}
        for step, items in _grouped(value, type_).items():
            below = fields_of(items[0], _items_type(type_)) if len(items) == 1 else {}
            out[step] = {**below, SELF: {}} if below else {}
        return out
    return {}


def _fields_of_map(value: dict[str, Any], type_: Type) -> FieldSet:
    known = type_.struct.fields if type_.shape is Shape.OBJECT and type_.struct is not None else {}
    out: FieldSet = {}
    for key, item in value.items():
        child = _child(type_, key)
        below = fields_of(item, child)
        if below:
            out[f"f:{key}"] = below if key in known else {**below, SELF: {}}
        elif key not in known or _is_leaf(item, child):
            out[f"f:{key}"] = {}
    return out


def _is_leaf(value: Any, type_: Type) -> bool:
    """Whether a value is owned as a whole; an empty list that merges by item is not owned at all."""
    if isinstance(value, list):
        return not _by_item(type_)
    return not (isinstance(value, dict) and value and _by_field(type_))


def check_lists(value: Any, type_: Type, path: str = "") -> None:
    """Raise FieldsInvalid where a list that merges by item has duplicates, or items without keys."""
    if isinstance(value, dict) and _by_field(type_):
        for key, item in value.items():
            if isinstance(item, dict | list):
                check_lists(item, _child(type_, key), f"{path}.{key}")
    elif isinstance(value, list) and _by_item(type_):
        seen = set()
        for index, item in enumerate(value):
            try:
                step = _step(item, type_)
            except ValueError as error:
                raise FieldsInvalid(path, f"element {index}: {error}") from None
            if step in seen:
                raise FieldsInvalid(path, f"duplicate entries for key {shown(step)}")
            seen.add(step)
            check_lists(item, _items_type(type_), path + shown(step))


# -- which fields changed ------------------------------------------------------------------------------------------


def compare(old: Any, new: Any, type_: Type, ignored: FieldSet | None = None) -> Changes:
    """What `new` changed, not looking at the fields of `ignored` and below."""
    parts = Changes({}, {})
    _compare_maps(old, new, type_, True, parts, ignored or {})
    return parts


def _all_of(value: Any, type_: Type, always: bool = False) -> FieldSet:
    """Every field of a value that was not there before, containers included. `always`: see `_ALWAYS_THERE`."""
    out: FieldSet = {}
    if isinstance(value, dict) and _by_field(type_):
        for key, item in value.items():
            if item is not None:
                _add_field(out, key, item, type_, always)
    elif isinstance(value, list) and _by_item(type_):
        for step, items in _grouped(value, type_).items():
            out[step] = _all_of(items[0], _items_type(type_)) if len(items) == 1 else {}
    if out and not always:
        out[SELF] = {}
    return out


def _add_field(out: FieldSet, key: str, value: Any, type_: Type, always: bool) -> None:
    child = _child(type_, key)
    there = always and _is_always_there(type_, key)
    if there and isinstance(value, dict | list) and not value:
        return
    out[f"f:{key}"] = _all_of(value, child, there)


def _is_always_there(type_: Type, key: str) -> bool:
    if type_.shape is not Shape.OBJECT or type_.struct is None:
        return False
    return key in _ALWAYS_THERE or key in type_.struct.required


def _compare(old: Any, new: Any, type_: Type, always: bool) -> _Nodes:
    """Nodes of what changed and what is gone, of two different values that are both there."""
    parts = Changes({}, {})
    if not old and not new:
        return {}, None  # null, {} and [] replaced one another
    if isinstance(old, dict) and isinstance(new, dict) and _by_field(type_):
        _compare_maps(old, new, type_, always, parts, {})
    elif isinstance(old, list) and isinstance(new, list) and _by_item(type_):
        _compare_lists(old, new, type_, parts)
    else:
        return {}, None
    return parts.changed or None, parts.removed or None


def _compare_maps(
    old: dict[str, Any],
    new: dict[str, Any],
    type_: Type,
    always: bool,
    parts: Changes,
    ignored: FieldSet,
) -> None:
    changed, removed = parts
    for key, value in new.items():
        before = old.get(key)
        if value is None or value == before:
            continue
        step = f"f:{key}"
        skip = ignored.get(step)
        there = always and _is_always_there(type_, key)
        if skip is not None and is_member(skip):
            continue
        if skip and isinstance(value, dict):
            inner = Changes({}, {})
            _compare_maps(before or {}, value, _child(type_, key), there, inner, skip)
            nodes: _Nodes = inner.changed or None, inner.removed or None
        elif before is None:
            _add_field(changed, key, value, type_, always)
            continue
        else:
            nodes = _compare(before, value, _child(type_, key), there)
        if nodes[0] is not None:
            changed[step] = nodes[0]
        if nodes[1] is not None:
            removed[step] = nodes[1]
    for key, value in old.items():
        if value is not None and new.get(key) is None and f"f:{key}" not in ignored:
            removed[f"f:{key}"] = _all_of(value, _child(type_, key))


def _compare_lists(old: list[Any], new: list[Any], type_: Type, parts: Changes) -> None:
    """Item by item; duplicates of one step count as one value, as nobody can own them apart."""
    changed, removed = parts
    before, after, item_type = _grouped(old, type_), _grouped(new, type_), _items_type(type_)
    for step, items in after.items():
        olds = before.get(step)
        if olds == items:
            continue
        if olds is None:
            changed[step] = _all_of(items[0], item_type) if len(items) == 1 else {}
        elif len(olds) == 1 and len(items) == 1:
            node, gone = _compare(olds[0], items[0], item_type, False)
            if node is not None:
                changed[step] = node
            if gone is not None:
                removed[step] = gone
        elif len(items) == 1:
            changed[step], removed[step] = _all_of(items[0], item_type), {}
        else:
            changed[step] = {}
            if len(olds) == 1:
                removed[step] = _all_of(olds[0], item_type)
    for step, items in before.items():
        if step not in after:
            removed[step] = _all_of(items[0], item_type) if len(items) == 1 else {}


# -- merging and removing ------------------------------------------------------------------------------------------


def merge(live: Any, applied: Any, type_: Type) -> Any:
    """`live` with an applied configuration merged in: what the latter does not name stays."""
    if isinstance(live, dict) and isinstance(applied, dict) and _by_field(type_):
        return _merge_maps(live, applied, type_)
    if isinstance(live, list) and isinstance(applied, list) and _by_item(type_):
        return _merge_lists(live, applied, type_) if live or applied else applied
    return applied


def _merge_maps(live: dict[str, Any], applied: dict[str, Any], type_: Type) -> dict[str, Any]:
    out = dict(live)
    for key, value in applied.items():
        child = _child(type_, key)
        if value is not None:
            old = live.get(key)
            out[key] = _settled(value, child) if old is None else merge(old, value, child)
        elif child.nullable:
            out[key] = None
        elif not (_by_field(child) or _by_item(child)):
            out.pop(key, None)  # null unsets a leaf; of an object or list that merges it says nothing
    return out


def _settled(value: Any, type_: Type) -> Any:
    """A value that is new, without the nulls that stand for "not set"."""
    if isinstance(value, dict) and _by_field(type_):
        return _merge_maps({}, value, type_)
    if isinstance(value, list) and _by_item(type_):
        return [_settled(item, _items_type(type_)) for item in value]
    return value


def _merge_lists(live: list[Any], applied: list[Any], type_: Type) -> list[Any]:
    """Items of both: in the applied order, each of the live-only ones before the shared item that it stood before."""
    ours, theirs, item_type = _grouped(applied, type_), _grouped(live, type_), _items_type(type_)
    shared = iter([step for step in ours if step in theirs])
    anchor = next(shared, None)
    steps = [_step_or_none(item, type_) for item in live]
    out, at = [], 0
    for step, items in ours.items():
        while at < len(live) and (anchor is None or steps[at] != anchor):
            if steps[at] not in ours:
                out.append(live[at])
            at += 1
        olds = theirs.get(step, ())
        out.append(merge(olds[0], items[0], item_type) if len(olds) == 1 else _settled(items[0], item_type))
        if step == anchor:
            anchor, at = next(shared, None), at + 1
    out.extend(item for item, step in zip(live[at:], steps[at:], strict=True) if step not in ours)
    return out


def _step_or_none(item: Any, type_: Type) -> str | None:
    try:
        return _step(item, type_)
    except ValueError:
        return None


def remove(value: Any, fields: FieldSet, type_: Type, *, drop_emptied: bool) -> Any:
    """`value` without the fields of the set. What is emptied by it goes too with `drop_emptied`, else becomes None."""
    if isinstance(value, dict) and _by_field(type_):
        return _remove_from_map(value, fields, type_, drop_emptied) or None
    if isinstance(value, list) and _by_item(type_):
        return _remove_from_list(value, fields, type_, drop_emptied) or None
    return None if isinstance(value, dict | list) else value


def _remove_from_map(value: dict[str, Any], fields: FieldSet, type_: Type, drop_emptied: bool) -> dict[str, Any]:
    out = {}
    for key, item in value.items():
        node = fields.get(f"f:{key}")
        if node is None:
            out[key] = item
        elif not is_member(node):
            left = remove(item, node, _child(type_, key), drop_emptied=drop_emptied) if item else item
            if left is not None or item is None or not drop_emptied:
                out[key] = left
    return out


def _remove_from_list(value: list[Any], fields: FieldSet, type_: Type, drop_emptied: bool) -> list[Any]:
    out = []
    for item in value:
        step = _step_or_none(item, type_)
        node = fields.get(step) if step is not None else None
        if node is None:
            out.append(item)
        elif not is_member(node):
            left = remove(item, node, _items_type(type_), drop_emptied=drop_emptied)
            if left is not None or not drop_emptied:
                out.append(left)
    return out


def with_named_fields(fields: FieldSet, type_: Type) -> FieldSet:
    """The set with every struct's field a member that has something below it: fields of structs come and go so."""
    out: FieldSet = {}
    known = type_.struct.fields if type_.shape is Shape.OBJECT and type_.struct is not None else {}
    for step, node in fields.items():
        if not node or step == SELF:
            out[step] = node
            continue
        name = step[2:]
        child = _child(type_, name) if step.startswith("f:") else _items_type(type_)
        below = with_named_fields(node, child)
        out[step] = {**below, SELF: {}} if step.startswith("f:") and name in known else below
    return out
