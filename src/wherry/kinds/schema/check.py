"""Holds an object against its type, as the API server does when it decodes a request.

What decoding does not mind is not minded here: required fields and values are the kinds' own `validate`. What decoding
changes is changed: unknown fields, nulls, empty lists and maps go, quantities and times take their canonical form. The
messages name Go types, because clients show what kube-apiserver answers.

For custom kinds, whose types are checked as values and not by a decoder, see `prune`.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from wherry.kinds.schema import literals
from wherry.objects import Obj
from wherry.objects.schema import Shape, Struct, Type

MOST_UNKNOWN = 100  # more unknown fields than these are not reported

_ANY, _STRING, _INTEGER, _NUMBER = Shape.ANY, Shape.STRING, Shape.INTEGER, Shape.NUMBER
_BOOLEAN, _QUANTITY, _INT_OR_STRING = Shape.BOOLEAN, Shape.QUANTITY, Shape.INT_OR_STRING
_OBJECT, _MAP, _LIST = Shape.OBJECT, Shape.MAP, Shape.LIST

_OMITTED = (_LIST, _MAP)  # of these an empty one is as good as none, and upstream stores none

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1  # whatever the format
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


@dataclass(frozen=True, slots=True)
class Problems:
    """What decoding an object found, and what it made of it."""

    obj: Obj  # the very object that was given, where nothing had to change
    error: str  # why it cannot be decoded, "" if it can; then `obj` says nothing
    unknown: tuple[str, ...]  # paths of the fields that were dropped

    @property
    def strict_errors(self) -> tuple[str, ...]:
        """The unknown fields as a strict decoder words them."""
        return tuple(f"unknown field {literals.quote(path)}" for path in self.unknown)


def check(obj: Obj, type_: Type) -> Problems:
    """Decode an object of a built-in kind."""
    assert type_.struct is not None, "the type of a whole object is a struct"
    found = _Found()
    read = _struct(obj, type_.struct, None, found)
    unknown = tuple(_path(at) for at in found.unknown[:MOST_UNKNOWN])
    return Problems(read, found.fatal or found.error, unknown)


class _At(NamedTuple):
    """Where a value is: in a struct's field, or (without a struct) at a list's index or a map's key."""

    above: "_At | None"
    step: str | int
    struct: Struct | None


class _Found:
    """What has been found so far. A value that decodes itself stops the decoder (`fatal`); other errors do not."""

    __slots__ = ("error", "fatal", "unknown")

    def __init__(self) -> None:
        self.error = ""
        self.fatal = ""
        self.unknown: list[_At] = []

    def mismatch(self, value: Any, at: _At | None, go_type: str, *, fatal: bool = False) -> None:
        message = f"json: cannot unmarshal {literals.describe(value, go_type)} into Go {_target(at)} of type {go_type}"
        self.fail(message, fatal=fatal)

    def fail(self, message: str, *, fatal: bool) -> None:
        if fatal:
            self.fatal = self.fatal or message
        else:
            self.error = self.error or message


def _struct(value: Obj, struct: Struct, at: _At | None, found: _Found) -> Obj:
    fields = struct.fields
    out = value
    for key, item in value.items():
        type_ = fields.get(key)
        if type_ is None:
            if struct.preserve_unknown:
                continue
            found.unknown.append(_At(at, key, struct))
            out = dict(value) if out is value else out
            del out[key]
        elif (
            (type_.shape is _STRING and type(item) is str and not type_.format)
            or (type_.shape is _BOOLEAN and type(item) is bool)
            or (type_.shape is _INTEGER and type(item) is int and _SMALLEST <= item <= _LARGEST)
        ):
            continue
        elif item is None:
            out = dict(value) if out is value else out
            del out[key]
        else:
            read = _value(item, type_, _At(at, key, struct), found)
            if not read and type_.shape in _OMITTED and key not in struct.required:
                out = dict(value) if out is value else out
                del out[key]
            elif read is not item:
                out = dict(value) if out is value else out
                out[key] = read
    return out


def _value(value: Any, type_: Type, at: _At, found: _Found) -> Any:
    shape = type_.shape
    if shape is _OBJECT:
        if type(value) is dict and type_.struct is not None:
            return _struct(value, type_.struct, at, found)
        found.mismatch(value, at, go_type(type_))
    elif shape is _LIST:
        if type(value) is list:
            return _list(value, type_, at, found)
        found.mismatch(value, at, go_type(type_))
    elif shape is _MAP:
        if type(value) is dict:
            return _map(value, type_, at, found)
        found.mismatch(value, at, go_type(type_))
    elif shape is not _ANY:
        return _scalar(value, type_, at, found)
    return value


def _list(value: list[Any], type_: Type, at: _At, found: _Found) -> list[Any]:
    items = type_.items
    assert items is not None
    plain = items.shape is _STRING and not items.format
    out = value
    for index, item in enumerate(value):
        if plain and type(item) is str:
            continue
        read = _zero(items) if item is None else _value(item, items, _At(at, index, None), found)
        if read is not item:
            out = list(value) if out is value else out
            out[index] = read
    return out


def _map(value: Obj, type_: Type, at: _At, found: _Found) -> Obj:
    items = type_.items
    assert items is not None
    plain = items.shape is _STRING and not items.format
    out = value
    for key, item in value.items():
        if plain and type(item) is str:
            continue
        read = _zero(items) if item is None else _value(item, items, _At(at, key, None), found)
        if read is not item:
            out = dict(value) if out is value else out
            out[key] = read
    return out


def _scalar(value: Any, type_: Type, at: _At, found: _Found) -> Any:
    shape = type_.shape
    if shape is _STRING:
        return _string(value, type_.format, at, found)
    if shape is _INTEGER:
        lowest, highest = _RANGES[type_.format or "int64"]
        if type(value) is not int or not lowest <= value <= highest:
            found.mismatch(value, at, type_.format or "int64")
    elif shape is _BOOLEAN:
        if type(value) is not bool:
            found.mismatch(value, at, "bool")
    elif shape is _QUANTITY:
        read, error = literals.quantity(value)
        if error:
            found.fail(error, fatal=True)
        return value if read == value and type(value) is str else read
    elif shape is _NUMBER:
        if type(value) is not float and type(value) is not int:
            found.mismatch(value, at, "float64")
    elif shape is _INT_OR_STRING and type(value) is not str:
        lowest, highest = _RANGES["int32"]
        if type(value) is not int or not lowest <= value <= highest:
            found.mismatch(value, at, "int32", fatal=True)
    return value


def _string(value: Any, format_: str, at: _At, found: _Found) -> Any:
    if format_ == "byte":
        if type(value) is not str:
            found.mismatch(value, at, "[]uint8")
            return value
        read, error = literals.base64(value)
        found.fail(error, fatal=False)
    elif format_ in literals.TIME_LAYOUTS:
        if type(value) is not str:
            found.mismatch(value, at, "string", fatal=True)
            return value
        read, error = literals.time(value, format_)
        found.fail(error, fatal=True)
    else:
        if type(value) is not str:
            found.mismatch(value, at, "string")
        return value
    return value if read == value else read


def _zero(type_: Type) -> Any:
    """What a null among a list's items or a map's values becomes."""
    zeros: dict[Shape, Any] = {_OBJECT: {}, _STRING: "", _INTEGER: 0, _NUMBER: 0, _BOOLEAN: False, _QUANTITY: "0"}
    return None if type_.format in literals.TIME_LAYOUTS else zeros.get(type_.shape)


def go_type(type_: Type) -> str:
    """The type as Go prints it: `[]v1.Container`, `map[string]string`."""
    if type_.shape is _OBJECT and type_.struct is not None:
        return ".".join(type_.struct.name.split(".")[-2:])
    if type_.shape is _LIST and type_.items is not None:
        return f"[]{go_type(type_.items)}"
    if type_.shape is _MAP and type_.items is not None:
        return "v1.ResourceList" if type_.items.shape is _QUANTITY else f"map[string]{go_type(type_.items)}"
    return literals.GO_TYPES.get(type_.format) or literals.GO_TYPES.get(type_.shape.value, type_.shape.value)


def _target(at: _At | None) -> Literal["value"] | str:
    """What Go's decoder says it was filling: the struct that holds the field, then the path of fields to it."""
    fields: list[str] = []
    holder = ""
    while at is not None:
        if at.struct is not None:
            fields.append(str(at.step))
            holder = holder or at.struct.name.rpartition(".")[2]
        at = at.above
    return f"struct field {holder}.{'.'.join(reversed(fields))}" if fields else "value"


def _path(at: _At | None) -> str:
    """A path as strict decoding writes it: `spec.containers[0].foo`."""
    steps: list[str] = []
    while at is not None:
        steps.append(f"[{at.step}]" if isinstance(at.step, int) else f".{at.step}")
        at = at.above
    return "".join(reversed(steps)).removeprefix(".")
