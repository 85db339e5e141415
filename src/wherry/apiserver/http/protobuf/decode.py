"""Kubernetes' protobuf -> the JSON that the same client would have sent.

`fields.json` holds each type's fields by number as `name:kind`: the numbers that `k8s.io/api` 1.34 gives them. An empty
name is a field whose content JSON has one level up. `!` marks what JSON sends even when it is zero; all else that is
zero was left out by the client, as protobuf's writers there send every plain field.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from wherry.apiserver.http.protobuf import scalars
from wherry.apiserver.http.protobuf.scalars import Malformed, Value
from wherry.objects import Obj

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
DEEPEST = 100
DELETE_OPTIONS = "meta/v1.DeleteOptions"


class Field(NamedTuple):
    name: str  # "": its content stands one level up
    kept: bool  # even when it is zero
    shape: str  # "", "[]" or "{}"
    kind: str


class Fields(NamedTuple):
    kinds: Mapping[str, str]  # "apps/v1 Deployment" -> the type's name
    types: Mapping[str, Mapping[str, str]]


def decode(raw: bytes) -> Obj:
    """The object in an envelope of Kubernetes'. Raises Malformed for what is none, or of a kind that is not known."""
    if not raw.startswith(MAGIC):
        raise Malformed("it does not begin as Kubernetes' protobuf does")
    envelope = dict(scalars.fields(raw[len(MAGIC) :]))
    meta = dict(scalars.fields(scalars.raw(envelope.get(1, b""))))
    version, kind = (scalars.text(meta.get(number, b"")) for number in (1, 2))
    table = _table()
    name = DELETE_OPTIONS if kind == "DeleteOptions" else table.kinds.get(f"{version} {kind}", "")
    if not name:
        raise Malformed(f"{version} {kind} is not known in protobuf here: send it as JSON")
    return {"apiVersion": version, "kind": kind, **_message(scalars.raw(envelope.get(2, b"")), name, 0)}


@cache
def _table() -> Fields:
    """Read when the first such body comes."""
    return Fields(**json.loads(files(__package__).joinpath("fields.json").read_bytes()))


@cache
def _fields(name: str) -> Mapping[int, Field]:
    return {int(number): _field(text) for number, text in _table().types[name].items()}


def _field(text: str) -> Field:
    name, _, kind = text.partition(":")
    kept, kind = kind.startswith("!"), kind.removeprefix("!")
    shape = kind[:2] if kind[:2] in ("[]", "{}") else ""
    return Field(name, kept, shape, kind.removeprefix(shape))


def _message(raw: bytes, name: str, depth: int) -> Obj:
    """A message's fields; those that this version does not know are dropped, as upstream drops them."""
    if depth > DEEPEST:
        raise Malformed(f"it is nested deeper than {DEEPEST} levels")
    known = _fields(name)
    found: Obj = {}
    for number, value in scalars.fields(raw):
        field = known.get(number)
        if field is None:
            continue
        if field.shape == "[]":
            found.setdefault(field.name, []).extend(_items(field.kind, value, depth))
        elif field.shape == "{}":
            key, entry = _entry(field.kind, value, depth)
            found.setdefault(field.name, {})[key] = entry
        elif not field.name:
            found |= _message(scalars.raw(value), field.kind, depth + 1)
        else:
            content = _value(field.kind, value, depth)
            if field.kept or content not in ("", 0, False, None):
                found[field.name] = content
    return found


def _items(kind: str, value: Value, depth: int) -> Iterator[Any]:
    if kind in ("int", "bool") and isinstance(value, bytes):  # packed
        yield from (_value(kind, number, depth) for number in scalars.packed(value))
    else:
        yield _value(kind, value, depth)


def _entry(kind: str, value: Value, depth: int) -> tuple[str, Any]:
    pair = dict(scalars.fields(scalars.raw(value)))
    empty: Value = 0 if kind in ("int", "bool") else b""
    return scalars.text(pair.get(1, b"")), _value(kind, pair.get(2, empty), depth)


def _value(kind: str, value: Value, depth: int) -> Any:
    reader = _READERS.get(kind)
    return reader(value) if reader is not None else _message(scalars.raw(value), kind, depth + 1)


def _embedded(value: Value) -> Any:
    """An object within an object: JSON as a rule, or an envelope again."""
    content = scalars.raw(dict(scalars.fields(scalars.raw(value))).get(1, b""))
    if content.startswith(MAGIC):
        return decode(content)
    return scalars.from_json(content)


_READERS: Mapping[str, Callable[[Value], Any]] = {
    "string": scalars.text,
    "int": scalars.integer,
    "bool": lambda value: bool(scalars.integer(value)),
    "double": scalars.double,
    "bytes": scalars.base64_text,
    "time": lambda value: scalars.time(value, micro=False),
    "micro": lambda value: scalars.time(value, micro=True),
    "duration": lambda value: f"{scalars.integer(dict(scalars.fields(scalars.raw(value))).get(1, 0))}ns",
    "quantity": lambda value: scalars.text(dict(scalars.fields(scalars.raw(value))).get(1, b"")) or "0",
    "intstr": scalars.int_or_string,
    "items": lambda value: [scalars.text(each) for _, each in scalars.fields(scalars.raw(value))],
    "raw": _embedded,
}
