"""Pruning of custom kinds: drops what a structural schema neither knows nor keeps as unknown.

Values are not looked at: whether they fit is validation's matter, and a custom kind's object keeps them as they came.
"""

from typing import Any

from wherry.objects import Obj
from wherry.objects.schema import Struct, Type

_EMBEDDED = frozenset(("apiVersion", "kind", "metadata"))


def prune(obj: Obj, type_: Type) -> tuple[Obj, tuple[str, ...]]:
    """The object without unknown fields (the very same object, where there are none), and the paths of those fields."""
    unknown: list[str] = []
    pruned: Obj = _value(obj, type_, "", unknown)
    return pruned, tuple(unknown)


def _value(value: Any, type_: Type, path: str, unknown: list[str]) -> Any:
    if type_.struct is not None and isinstance(value, dict):
        return _struct(value, type_.struct, path, unknown)
    if type_.items is None:
        return value
    if isinstance(value, list):
        read = [_value(item, type_.items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
        return read if any(new is not old for new, old in zip(read, value, strict=True)) else value
    if isinstance(value, dict):
        out = {key: _value(item, type_.items, f"{path}.{key}", unknown) for key, item in value.items()}
        return out if any(out[key] is not item for key, item in value.items()) else value
    return value


def _struct(value: Obj, struct: Struct, path: str, unknown: list[str]) -> Obj:
    out = value
    for key, item in value.items():
        type_ = struct.fields.get(key)
        if type_ is None:
            if struct.preserve_unknown or (struct.embedded and key in _EMBEDDED):
                continue
            unknown.append(f"{path}.{key}".removeprefix("."))
            out = dict(value) if out is value else out
            del out[key]
            continue
        read = _value(item, type_, f"{path}.{key}", unknown)
        if read is not item:
            out = dict(value) if out is value else out
            out[key] = read
    return out
