"""OpenAPI's definitions: every type that a set of operations refers to, in either dialect (v2 or v3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.apiserver.http.operations import DELETE_OPTIONS, META
from wherry.kinds.kind import Kind
from wherry.kinds.schema import Table, tokens
from wherry.kinds.schema.enums import ENUMS

Schema = dict[str, Any]

_OF_ALL_GROUPS = frozenset((DELETE_OPTIONS, f"{META}.WatchEvent"))  # these kinds belong to every group version

_ALIASES: Mapping[str, tuple[Schema, Schema]] = {
    "quantity": ({"type": "string"}, {"oneOf": [{"type": "string"}, {"type": "number"}]}),
    "int-or-string": (
        {"type": "string", "format": "int-or-string"},
        {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    ),
    "date-time": ({"type": "string", "format": "date-time"},) * 2,
    "micro-time": ({"type": "string", "format": "date-time"},) * 2,
    "raw": ({"type": "object"},) * 2,
    "any": ({}, {}),
}
"""What is no struct -> in v2, in v3."""

_NOT_IN_V2 = frozenset(("oneOf", "anyOf", "allOf", "not", "nullable", "default", "x-kubernetes-validations"))


@dataclass(frozen=True)
class Dialect:
    """How a version of OpenAPI refers to a definition."""

    v2: bool

    @property
    def prefix(self) -> str:
        return "#/definitions/" if self.v2 else "#/components/schemas/"

    def reference(self, name: str) -> Schema:
        return {"$ref": self.prefix + name}


V2, V3 = Dialect(v2=True), Dialect(v2=False)


class Definitions:
    """Renders definitions by name: those of the table, and those that custom kinds bring with them."""

    def __init__(self, kinds: Sequence[Kind], table: Table, dialect: Dialect) -> None:
        self._table = table
        self._dialect = dialect
        self._docs = table.docs()
        self._custom = {name: schema for kind in kinds for name, schema in _custom(kind, dialect)}
        self._served = sorted({(kind.group, kind.version) for kind in kinds})

    def reachable(self, names: Iterable[str]) -> dict[str, Schema]:
        """The named definitions and all that they refer to, by name."""
        found: dict[str, Schema] = {}
        waiting = [name for name in names if name]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._definition(name)
                waiting.extend(_references(found[name], self._dialect.prefix))
        return dict(sorted(found.items()))

    def _definition(self, name: str) -> Schema:
        if name in self._custom:
            return self._custom[name]
        entry = self._table.entry(name)
        docs = self._docs.get(name, {})
        if "alias" in entry:
            return dict(_ALIASES[entry["alias"]][0 if self._dialect.v2 else 1])
        out: Schema = {"type": "object"}
        if "" in docs:
            out["description"] = docs[""]
        out["properties"] = {f: self._field(token, docs.get(f, "")) for f, token in entry["fields"].items()}
        for field, said in out["properties"].items():
            if words := ENUMS.get(f"{name.rpartition('.')[2]}.{field}"):
                said.get("items", said)["enum"] = words
        if "required" in entry:
            out["required"] = entry["required"]
        if entry.get("atomic"):
            out["x-kubernetes-map-type"] = "atomic"
        if group_version_kinds := self._group_version_kinds(name, entry):
            out["x-kubernetes-group-version-kind"] = group_version_kinds
        return out

    def _field(self, token: str, description: str) -> Schema:
        schema = tokens.openapi(token, self._dialect.reference)
        if "$ref" in schema and not self._dialect.v2:
            # v3 ignores what stands beside a reference
            schema = {"allOf": [{"$ref": schema.pop("$ref")}], **schema}
        return {"description": description, **schema} if description else schema

    def _group_version_kinds(self, name: str, entry: Mapping[str, Any]) -> list[Schema]:
        if name in _OF_ALL_GROUPS:
            kind = name.rpartition(".")[2]
            return [{"group": group, "kind": kind, "version": version} for group, version in self._served]
        return [group_version_kind(*entry["gvk"])] if "gvk" in entry else []


def group_version_kind(group: str, version: str, kind: str) -> Schema:
    return {"group": group, "kind": kind, "version": version}


def _references(schema: Any, prefix: str) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(prefix)
        for value in schema.values():
            yield from _references(value, prefix)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value, prefix)


def _custom(kind: Kind, dialect: Dialect) -> Iterator[tuple[str, Schema]]:
    """A custom kind's own definition and its list's."""
    given = kind.extra.get("openapi")
    if given is None:
        return
    schema = _v2(given) if dialect.v2 else dict(given)
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _metadata(dialect, "ObjectMeta")}
    schema["properties"] = {**schema.get("properties", {}), **own}
    schema["type"] = "object"
    about = (kind.group, kind.version)
    schema["x-kubernetes-group-version-kind"] = [group_version_kind(*about, kind.kind)]
    yield kind.schema, schema
    items = {"type": "array", "items": dialect.reference(kind.schema)}
    yield (
        f"{kind.schema}List",
        {
            "type": "object",
            "description": f"{kind.kind}List is a list of {kind.kind}",
            "required": ["items"],
            "properties": {**own, "metadata": _metadata(dialect, "ListMeta"), "items": items},
            "x-kubernetes-group-version-kind": [group_version_kind(*about, f"{kind.kind}List")],
        },
    )


def _metadata(dialect: Dialect, name: str) -> Schema:
    reference = dialect.reference(f"{META}.{name}")
    return reference if dialect.v2 else {"allOf": [reference]}


def _v2(schema: Mapping[str, Any]) -> Schema:
    """A structural schema without what v2 cannot say; where that leaves a type too narrow, without the type."""
    out = {key: value for key, value in schema.items() if key not in _NOT_IN_V2}
    if schema.get("nullable") or schema.get("x-kubernetes-int-or-string"):
        out = {key: value for key, value in out.items() if key not in ("type", "items", "properties")}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        out = {key: value for key, value in out.items() if key not in ("type", "items", "properties", "required")}
    if "properties" in out:
        out["properties"] = {name: _v2(value) for name, value in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _v2(out[key])
    return out
