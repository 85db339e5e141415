"""OpenAPI documents, v2 and v3, derived from the kinds and the table of their types.

Rendering one takes some tens of milliseconds (descriptions are unpacked for it), so each is made when it is first asked
for. The index of v3 names a hash for each document without making it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from wherry.apiserver.http import openapi_v2_proto
from wherry.apiserver.http.definitions import V2, V3, Definitions, Dialect, group_version_kind
from wherry.apiserver.http.documents import Document, document, json_document
from wherry.apiserver.http.negotiation import JSON, clauses
from wherry.apiserver.http.operations import STATUS_DEFINITION, Operation, Parameter, paths
from wherry.kinds.kind import Kind
from wherry.kinds.schema import Table
from wherry.objects.errors import NotAcceptable, NotFound
from wherry.version import __version__

PROTO_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_PROTO_V2_ANSWERED = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"  # Go takes no @ in a Content-Type


class OpenAPI:
    """The documents for one set of kinds. A new set is a new OpenAPI."""

    def __init__(self, kinds: Sequence[Kind], table: Table, version: str) -> None:
        """`version` is the Kubernetes version that the API speaks, as `v1.34.4`."""
        self._kinds = kinds
        self._table = table
        self._info = {"title": "Kubernetes", "version": version}
        self._groups: dict[str, list[Kind]] = {}
        for kind in kinds:
            self._groups.setdefault(_group_path(kind), []).append(kind)
        self._rendered: dict[str, Document] = {}

    def index(self) -> Document:
        """`/openapi/v3`: where each group version's document is; its hash changes when the document does."""
        found = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._hash(kinds)}"}
            for path, kinds in sorted(self._groups.items())
        }
        return self._cached("index", lambda: json_document({"paths": found}))

    def v3(self, path: str) -> Document:
        """`/openapi/v3/{path}`: of `api/v1`, `apis/apps/v1`."""
        kinds = self._groups.get(path)
        if kinds is None:
            raise NotFound("the server could not find the requested resource")
        return self._cached(path, lambda: json_document(self._v3(kinds)))

    def v2(self, accept: str = JSON) -> Document:
        """`/openapi/v2`, as JSON or as protobuf."""
        for clause in clauses(accept):
            if clause.media_type in (PROTO_V2, _PROTO_V2_ANSWERED):
                return self._cached(PROTO_V2, lambda: document(openapi_v2_proto.encode(self._v2()), _PROTO_V2_ANSWERED))
            if clause.accepts_json:
                return self._cached(JSON, lambda: json_document(self._v2()))
        raise NotAcceptable(f"only the following media types are accepted: {JSON}, {PROTO_V2}")

    def forget(self) -> None:
        """Drop what has been rendered: clients ask rarely, and the documents are large."""
        self._rendered.clear()

    def _cached(self, key: str, render: Callable[[], Document]) -> Document:
        if key not in self._rendered:
            self._rendered[key] = render()
        return self._rendered[key]

    def _hash(self, kinds: Sequence[Kind]) -> str:
        listed = {path: _path_v3(shared, operations) for path, shared, operations in _listed(kinds)}
        facts = [__version__, self._info, listed, [(kind.schema, kind.extra.get("openapi")) for kind in kinds]]
        digest = hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS))
        return digest.hexdigest().upper()

    def _v3(self, kinds: Sequence[Kind]) -> Mapping[str, Any]:
        listed = _listed(kinds)
        schemas = self._schemas(V3, (operation for _, _, operations in listed for operation in operations))
        return {
            "openapi": "3.0.0",
            "info": self._info,
            "paths": {path: _path_v3(shared, operations) for path, shared, operations in listed},
            "components": {
                "schemas": schemas,
                "securitySchemes": {"BearerToken": _BEARER},
            },
        }

    def _v2(self) -> Mapping[str, Any]:
        listed = _listed(self._kinds)
        definitions = self._schemas(V2, (operation for _, _, operations in listed for operation in operations))
        return {
            "swagger": "2.0",
            "info": self._info,
            "paths": {path: _path_v2(shared, operations) for path, shared, operations in listed},
            "definitions": definitions,
            "securityDefinitions": {"BearerToken": _BEARER},
            "security": [{"BearerToken": []}],
        }

    def _schemas(self, dialect: Dialect, operations: Iterable[Operation]) -> Mapping[str, Any]:
        names = {name for operation in operations for name in (operation.body, operation.answer)}
        return Definitions(self._kinds, self._table, dialect).reachable(sorted({*names, STATUS_DEFINITION}))


_BEARER = {"type": "apiKey", "name": "authorization", "in": "header", "description": "Bearer Token authentication"}


def _listed(kinds: Sequence[Kind]) -> list[tuple[str, list[Parameter], list[Operation]]]:
    return [found for kind in kinds for found in paths(kind)]


def _group_path(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _extensions(operation: Operation) -> dict[str, Any]:
    return {
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": group_version_kind(*operation.about),
    }


def _head(operation: Operation) -> dict[str, Any]:
    tag = (
        operation.group_version.replace("/", "_")
        if "/" in operation.group_version
        else f"core_{operation.group_version}"
    )
    return {"tags": [tag], "description": operation.description, "operationId": operation.id}


def _path_v3(shared: Sequence[Parameter], operations: Sequence[Operation]) -> dict[str, Any]:
    item: dict[str, Any] = {operation.method: _operation_v3(operation) for operation in operations}
    return {**item, "parameters": [_parameter_v3(parameter) for parameter in shared]}


def _operation_v3(operation: Operation) -> dict[str, Any]:
    out = _head(operation)
    if operation.parameters:
        out["parameters"] = [_parameter_v3(parameter) for parameter in operation.parameters]
    if operation.body:
        schema = V3.reference(operation.body)
        out["requestBody"] = {"content": {media: {"schema": schema} for media in operation.consumes}}
    answer: dict[str, Any] = {"schema": V3.reference(operation.answer)} if operation.answer else {}
    media_type = JSON if operation.answer else "*/*"
    out["responses"] = {
        "200": {"description": "OK", "content": {media_type: answer}},
        "401": {"description": "Unauthorized"},
    }
    return out | _extensions(operation)


def _parameter_v3(parameter: Parameter) -> dict[str, Any]:
    out = {
        "name": parameter.name,
        "in": "path" if parameter.path else "query",
        "description": parameter.description,
        "schema": {"type": parameter.type, "uniqueItems": True},
    }
    return {**out, "required": True} if parameter.path else out


def _path_v2(shared: Sequence[Parameter], operations: Sequence[Operation]) -> dict[str, Any]:
    item: dict[str, Any] = {operation.method: _operation_v2(operation) for operation in operations}
    return {**item, "parameters": [_parameter_v2(parameter) for parameter in shared]}


def _operation_v2(operation: Operation) -> dict[str, Any]:
    out = _head(operation)
    out["consumes"] = list(operation.consumes) if operation.body else ["*/*"]
    out["produces"] = [JSON] if operation.answer else ["*/*"]
    parameters = [_parameter_v2(parameter) for parameter in operation.parameters]
    if operation.body:
        required = operation.method != "delete"
        body = {"name": "body", "in": "body", "schema": V2.reference(operation.body)}
        parameters.insert(0, {**body, "required": True} if required else body)
    if parameters:
        out["parameters"] = parameters
    answer = V2.reference(operation.answer) if operation.answer else {"type": "string"}
    out["responses"] = {"200": {"description": "OK", "schema": answer}, "401": {"description": "Unauthorized"}}
    return out | _extensions(operation)


def _parameter_v2(parameter: Parameter) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": parameter.name,
        "in": "path" if parameter.path else "query",
        "description": parameter.description,
        "type": parameter.type,
        "uniqueItems": True,
    }
    return {**out, "required": True} if parameter.path else out
