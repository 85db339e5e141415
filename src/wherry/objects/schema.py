"""The shape of an object's type: what checking, pruning, patches and managed fields need to know of it.

Built-in kinds get their types from a table compiled when the package is built (`wherry.kinds.schema`), custom kinds
from their CRD. Words are OpenAPI's and its `x-kubernetes-*` extensions'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Shape(Enum):
    """What JSON value a Type takes."""

    ANY = "any"  # no structure known: kept as it is, replaced as a whole
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    INT_OR_STRING = "int-or-string"
    QUANTITY = "quantity"  # a string or a number that parses as resource.Quantity
    OBJECT = "object"  # with the fields of `struct`
    MAP = "map"  # string keys to `items`
    LIST = "list"  # of `items`


@dataclass(eq=False, slots=True)
class Struct:
    """The fields of an object, shared by every Type that refers to it; filled late, as structs can recurse."""

    name: str
    fields: dict[str, "Type"] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    preserve_unknown: bool = False  # x-kubernetes-preserve-unknown-fields
    embedded: bool = False  # x-kubernetes-embedded-resource: apiVersion, kind, metadata are known fields too
    description: str = ""


@dataclass(eq=False, slots=True, kw_only=True)
class Type:
    """One use of a type: of a field, of a list's items, of a map's values."""

    shape: Shape
    format: str = ""  # date-time, byte, int32, int64, micro-time, double
    struct: Struct | None = None  # for OBJECT
    items: "Type | None" = None  # for LIST and MAP
    nullable: bool = False
    # server-side apply: how lists and maps merge
    list_type: str = "atomic"  # atomic, set, map
    map_keys: tuple[str, ...] = ()  # for list_type map
    atomic: bool = False  # x-kubernetes-map-type: an OBJECT or MAP that is owned as a whole
    key_defaults: Mapping[str, str | int | bool] = field(default_factory=dict)  # of map_keys left out (protocol: TCP)
    # strategic merge patch
    merge_key: str = ""
    patch_strategy: tuple[str, ...] = ()  # of merge, replace, retainKeys
    description: str = ""
