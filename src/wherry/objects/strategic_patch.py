"""Strategic merge patch: a merge patch that merges lists by key, as the types say, and obeys directives.

Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`. Rules are those of k8s.io/apimachinery `strategicpatch`.
Neither document nor patch is edited.
"""

from collections.abc import Hashable, Sequence
from typing import Any

from wherry.objects import Obj
from wherry.objects.field_errors import show
from wherry.objects.schema import Shape, Type

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_DELETE_LIST = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_ANY = Type(shape=Shape.ANY)


class StrategicPatchFailed(Exception):
    """The patch is malformed or does not fit; `code` is the HTTP status, the message upstream's."""

    def __init__(self, message: str, code: int = 422) -> None:
        super().__init__(message)
        self.code = code


def apply(doc: Obj, patch: Obj, type_: Type) -> Obj:
    """`doc` with `patch` merged in."""
    if not isinstance(patch, dict):
        raise StrategicPatchFailed("invalid JSON document", 400)
    return _merge_map(doc, patch, type_)


def _field(type_: Type, key: str) -> Type:
    """The type of one field; unknown fields merge as plain JSON."""
    if type_.shape is Shape.OBJECT and type_.struct is not None:
        return type_.struct.fields.get(key, _ANY)
    return (type_.items or _ANY) if type_.shape is Shape.MAP else _ANY


def _strategy(type_: Type) -> str:
    return next((name for name in type_.patch_strategy if name != "retainKeys"), "")


def _is_map_list(items: Sequence[Any]) -> bool:
    return any(isinstance(item, dict) for item in items)


def _merge_map(original: Obj, patch: Obj, type_: Type) -> Obj:
    if _PATCH in patch:
        return _directed_map(patch)
    out = _retained(original, patch)
    ordered = _merge_ordered(out, patch, type_)
    for key, value in patch.items():
        if key == _RETAIN_KEYS or key in ordered or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_LIST):
            _delete_from_list(out, key.removeprefix(_DELETE_LIST), value)
        elif value is None:
            out.pop(key, None)
        else:
            _merge_field(out, key, value, _field(type_, key))
    return out


def _directed_map(patch: Obj) -> Obj:
    match patch[_PATCH]:
        case "replace":
            return {key: value for key, value in patch.items() if key != _PATCH}
        case "delete":
            return {}
        case other:
            raise StrategicPatchFailed(f"unknown patch type: {other} in map: {show(patch)}")


def _merge_field(out: Obj, key: str, value: Any, type_: Type) -> None:
    old = out.get(key)
    if isinstance(value, dict) and isinstance(old, dict):
        out[key] = value if _strategy(type_) == "replace" else _merge_map(old, value, type_)
    elif isinstance(value, list) and isinstance(old, list):
        out[key] = _merge_list(old, value, type_) if _strategy(type_) == "merge" else value
    elif isinstance(value, dict) and _PATCH in value:
        out.pop(key, None)
    else:
        out[key] = _cleaned(value)


def _cleaned(value: Any) -> Any:
    """What a part of a patch means where there is nothing to merge it with: without nulls and what has directives."""
    if isinstance(value, dict):
        return {
            key: _cleaned(item)
            for key, item in value.items()
            if item is not None and not key.startswith("$") and not (isinstance(item, dict) and _PATCH in item)
        }
    if isinstance(value, list):
        return [_cleaned(item) for item in value if not (isinstance(item, dict) and _PATCH in item)]
    return value


def _new_item(item: Obj) -> Obj:
    """A list's new item: unlike above, its maps keep what they hold under a directive."""
    plain = {key: _new_item(value) if isinstance(value, dict) else value for key, value in item.items()}
    plain.pop(_PATCH, None)
    cleaned: Obj = _cleaned(plain)
    return cleaned


def _retained(original: Obj, patch: Obj) -> Obj:
    """A copy of `original`, without what `$retainKeys` does not name."""
    keys = patch.get(_RETAIN_KEYS)
    if _RETAIN_KEYS not in patch:
        return dict(original)
    if not isinstance(keys, list):
        raise StrategicPatchFailed("invalid patch format of retainKeys", 400)
    for key, value in patch.items():
        if value is not None and not key.startswith((_RETAIN_KEYS, _DELETE_LIST, _ORDER)) and key not in keys:
            raise StrategicPatchFailed("invalid patch format of retainKeys", 400)
    return {key: value for key, value in original.items() if key in keys}


def _delete_from_list(out: Obj, key: str, unwanted: Any) -> None:
    old = out.get(key)
    if isinstance(unwanted, list) and isinstance(old, list):
        out[key] = [item for item in old if item not in unwanted]


def _merge_ordered(out: Obj, patch: Obj, type_: Type) -> set[str]:
    """Merge the lists whose order the patch dictates; says which fields that were."""
    done = set()
    for directive, order in patch.items():
        if not directive.startswith(_ORDER):
            continue
        key = directive.removeprefix(_ORDER)
        old, new, field_type = out.get(key), patch.get(key), _field(type_, key)
        for given in (order, *(value for value in (old, new) if value is not None)):
            if not isinstance(given, list):
                raise StrategicPatchFailed("invalid patch format of setElementOrder list", 400)
        if new is None and (old is None or key in patch):
            continue  # nothing to order, or the list is to go
        _check_order(new or [], order, field_type.merge_key)
        if old is not None and new is not None:
            merges = _strategy(field_type) == "merge"
            merged = _merge_list(old, new, field_type) if merges else new
        else:
            merged = old if new is None else _cleaned(new)
        merge_key = field_type.merge_key if _is_map_list(merged) else ""
        out[key] = _arranged(merged, order, old or [], merge_key) if merged else []
        done.add(key)
    return done


def _check_order(new: list[Any], order: list[Any], merge_key: str) -> None:
    """The patch's items come in the given order, and all of them are named in it."""
    if not order or not new:
        return
    rest = iter(_keys(order, merge_key))
    wanted = [item for item in new if not (isinstance(item, dict) and _PATCH in item)]
    if not all(key in rest for key in _keys(wanted, merge_key)):
        raise StrategicPatchFailed(
            f"The order in patch list:\n{show(new)}\n doesn't match {_ORDER[:-1]} list:\n{show(order)}\n"
        )


def _key(item: Any, merge_key: str) -> Hashable:
    """What identifies a list's item: the merge key's value, or a scalar itself."""
    if not isinstance(item, dict):
        return show(item) if isinstance(item, list) else (type(item), item)
    if not merge_key or merge_key not in item:
        raise StrategicPatchFailed(f"map: {show(item)} does not contain declared merge key: {merge_key}")
    value = item[merge_key]
    return show(value) if isinstance(value, dict | list) else (type(value), value)


def _keys(items: Sequence[Any], merge_key: str) -> list[Hashable]:
    return [_key(item, merge_key) for item in items]


def _merge_list(old: list[Any], new: list[Any], type_: Type) -> list[Any]:
    kinds = {type(item) for item in (*old, *new)}
    if list in kinds:
        raise StrategicPatchFailed("lists of lists are not supported")
    if len(kinds) > 1:
        raise StrategicPatchFailed(f"list element types are not identical: {show([old, new])}")
    if dict not in kinds:
        merged = list(dict.fromkeys([*old, *new]))
        return _arranged(merged, new, old, "")
    if not type_.merge_key:
        name = type_.items.struct.name if type_.items is not None and type_.items.struct is not None else "map"
        raise StrategicPatchFailed(f"cannot merge lists without merge key for {name}")
    return _merge_map_list(old, new, type_)


def _merge_map_list(old: list[Obj], new: list[Obj], type_: Type) -> list[Obj]:
    merge_key, item_type = type_.merge_key, type_.items or _ANY
    items, deleted, replace = _without_directives(new, merge_key)
    if replace:
        return items
    merged = [item for item in old if merge_key not in item or _key(item, merge_key) not in deleted]
    place: dict[Hashable, int] = {}
    for index, item in enumerate(merged):
        place.setdefault(_key(item, merge_key), index)
    for item in items:
        key = _key(item, merge_key)
        if key in place:
            merged[place[key]] = _merge_map(merged[place[key]], item, item_type)
        else:
            place[key] = len(merged)
            merged.append(_new_item(item))
    return _arranged(merged, items, old, merge_key)


def _without_directives(new: list[Obj], merge_key: str) -> tuple[list[Obj], set[Hashable], bool]:
    """The items to merge, the keys to delete, and whether the list is replaced."""
    items, deleted, replace = [], set(), False
    for item in new:
        match item.get(_PATCH):
            case None if _PATCH not in item:
                items.append(item)
            case "delete":
                deleted.add(_key(item, merge_key))
            case "replace":
                replace = True
            case "merge":
                raise StrategicPatchFailed("merging lists cannot yet be specified in the patch")
            case other:
                raise StrategicPatchFailed(f"unknown patch type: {other} in map: {show(item)}")
    return items, deleted, replace


def _arranged(merged: list[Any], order: list[Any], old: list[Any], merge_key: str) -> list[Any]:
    """Items named by `order` in its order; the server's others keep their places before those that followed them."""
    wanted = {key: index for index, key in reversed(list(enumerate(_keys(order, merge_key))))}
    before = {key: index for index, key in reversed(list(enumerate(_keys(old, merge_key))))}
    keyed = [(_key(item, merge_key), item) for item in merged]
    named = sorted((pair for pair in keyed if pair[0] in wanted), key=lambda pair: wanted[pair[0]])
    others = sorted((pair for pair in keyed if pair[0] not in wanted), key=lambda pair: before.get(pair[0], len(old)))
    out, left = [], 0
    for key, item in named:
        while left < len(others) and key in before and before.get(others[left][0], len(old)) < before[key]:
            out.append(others[left][1])
            left += 1
        out.append(item)
    return out + [item for _, item in others[left:]]
