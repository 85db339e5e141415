"""Reads the compiled table's tokens (their grammar: `compile`) into types, and into OpenAPI's words.

A token is read once: all fields of the same token share one Type.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wherry.objects.schema import Shape, Struct, Type

SCALARS = {
    "string": (Shape.STRING, ""),
    "boolean": (Shape.BOOLEAN, ""),
    "int32": (Shape.INTEGER, "int32"),
    "int64": (Shape.INTEGER, "int64"),
    "double": (Shape.NUMBER, "double"),
    "byte": (Shape.STRING, "byte"),
    "quantity": (Shape.QUANTITY, ""),
    "int-or-string": (Shape.INT_OR_STRING, ""),
    "date-time": (Shape.STRING, "date-time"),
    "micro-time": (Shape.STRING, "micro-time"),
    "raw": (Shape.ANY, ""),
    "any": (Shape.ANY, ""),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token's parts: the type's text, then its facts."""

    type: str
    list: str | None  # None where the token is silent: atomic
    patch: str
    map: str
    default: str


def parse(token: str) -> Token:
    type_, *facts = token.split(";")
    said = dict(fact.split("=", 1) for fact in facts)
    return Token(type_, said.get("list"), said.get("patch", ""), said.get("map", ""), said.get("default", ""))


def read(token: str, refer: Callable[[str], tuple[Shape, str, Struct | None, bool]]) -> Type:
    """The Type of a token; `refer` says what a definition is: shape, format, struct, owned as a whole."""
    parts = parse(token)
    items: Type | None = None
    struct: Struct | None = None
    atomic = False
    if parts.type[0] == "[":
        shape, format_, items = Shape.LIST, "", read(parts.type[1:], refer)
    elif parts.type[0] == "{":
        shape, format_, items = Shape.MAP, "", read(parts.type[1:], refer)
    elif parts.type[0] == "#":
        shape, format_, struct, atomic = refer(parts.type[1:])
    else:
        shape, format_ = SCALARS[parts.type]
    list_type, _, keys = (parts.list or "atomic").partition(":")
    strategy, _, merge_key = parts.patch.partition(":")
    return Type(
        shape=shape,
        format=format_,
        struct=struct,
        items=items,
        list_type=list_type,
        map_keys=tuple(keys.split(",")) if keys else (),
        atomic=parts.map != "granular" and (atomic or parts.map == "atomic"),
        key_defaults=dict([parts.default.split(":")]) if parts.default else {},
        merge_key=merge_key,
        patch_strategy=tuple(strategy.split(",")) if strategy else (),
    )


_OPENAPI: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "byte": {"type": "string", "format": "byte"},
    "date-time": {"type": "string", "format": "date-time"},
    "micro-time": {"type": "string", "format": "date-time"},
    "raw": {"type": "object"},
    "any": {},
}


def openapi(token: str, refer: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A token in OpenAPI's words; `refer` writes a reference."""
    parts = parse(token)
    return _plain(parts.type, refer) | _extensions(parts)


def _plain(type_: str, refer: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    if type_[0] == "[":
        return {"type": "array", "items": _plain(type_[1:], refer)}
    if type_[0] == "{":
        return {"type": "object", "additionalProperties": _plain(type_[1:], refer)}
    if type_[0] == "#":
        return refer(type_[1:])
    return dict(_OPENAPI[type_])


def _extensions(parts: Token) -> dict[str, Any]:
    out: dict[str, Any] = {}
    list_type, _, keys = ("atomic" if parts.list is None else parts.list).partition(":")
    strategy, _, merge_key = parts.patch.partition(":")
    if parts.type[0] == "[" and list_type:
        out["x-kubernetes-list-type"] = list_type
    if keys:
        out["x-kubernetes-list-map-keys"] = keys.split(",")
    if parts.map:
        out["x-kubernetes-map-type"] = parts.map
    if merge_key:
        out["x-kubernetes-patch-merge-key"] = merge_key
    if strategy:
        out["x-kubernetes-patch-strategy"] = strategy
    return out
