"""Decodes with a reader of the wire format alone; the field numbers are those of gnostic's OpenAPIv2.proto."""

import json
from typing import Any

from wherry.apiserver.http.openapi_v2_proto import encode

Message = dict[int, list[Any]]


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def read(data: bytes) -> Message:
    out: Message = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            out.setdefault(key >> 3, []).append(value)
        elif key & 7 == 1:
            out.setdefault(key >> 3, []).append(data[at : at + 8])
            at += 8
        else:
            size, at = varint(data, at)
            out.setdefault(key >> 3, []).append(data[at : at + size])
            at += size
    return out


def inside(data: bytes, *numbers: int) -> Message:
    """The message at the first of each of these fields, one in the other."""
    message = read(data)
    for number in numbers:
        message = read(message[number][0])
    return message


def document(definitions: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    return {
        "swagger": "2.0",
        "info": {"title": "T", "version": "V"},
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {"Token": {"type": "apiKey", "name": "authorization", "in": "header"}},
        "security": [{"Token": []}],
    }


def test_the_head_of_a_document() -> None:
    data = encode(document({}, {}))
    assert read(data)[1] == [b"2.0"]
    assert inside(data, 2) == {1: [b"T"], 2: [b"V"]}
    assert inside(data, 13, 1)[1] == [b"Token"]
    assert inside(data, 13, 1, 2, 2) == {1: [b"apiKey"], 2: [b"authorization"], 3: [b"header"]}


def test_a_definition_with_all_that_schemas_have() -> None:
    fields = {
        "ref": {"$ref": "#/definitions/B", "description": "see B"},
        "list": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "map": {"type": "object", "additionalProperties": {"type": "integer", "format": "int32"}},
        "bound": {"type": "number", "minimum": 1, "maxLength": 300, "enum": ["x"]},
    }
    data = encode(document({"A": {"type": "object", "required": ["ref"], "properties": fields}}, {}))
    assert inside(data, 9, 1)[1] == [b"A"]
    schema = inside(data, 9, 1, 2)
    assert (schema[19], read(schema[22][0])) == ([b"ref"], {1: [b"object"]})
    named = [read(entry) for entry in read(schema[25][0])[1]]
    properties = {entry[1][0].decode(): read(entry[2][0]) for entry in named}
    assert properties["ref"] == {1: [b"#/definitions/B"], 4: [b"see B"]}
    assert inside(properties["list"][23][0], 1, 22) == {1: [b"string"]}
    extension = read(properties["list"][31][0])
    assert (extension[1], json.loads(read(extension[2][0])[2][0])) == ([b"x-kubernetes-list-type"], "set")
    assert inside(properties["map"][21][0], 1)[2] == [b"int32"]
    assert properties["bound"][11] == [300]
    assert properties["bound"][9] == [b"\x00\x00\x00\x00\x00\x00\xf0\x3f"]


def test_an_operation_with_parameters_of_each_kind() -> None:
    operation = {
        "operationId": "patchIt",
        "consumes": ["application/json"],
        "parameters": [
            {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/A"}},
            {"name": "dryRun", "in": "query", "type": "string", "uniqueItems": True},
        ],
        "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/A"}}},
        "x-kubernetes-action": "patch",
    }
    shared = [{"name": "name", "in": "path", "type": "string", "required": True}]
    data = encode(document({}, {"/a/{name}": {"patch": operation, "parameters": shared}}))
    assert inside(data, 8, 2)[1] == [b"/a/{name}"]
    patch = inside(data, 8, 2, 2, 8)
    assert (patch[5], patch[7]) == ([b"patchIt"], [b"application/json"])
    assert inside(patch[8][0], 1, 1) == {2: [b"body"], 3: [b"body"], 4: [1], 5: [b"\x0a\x0f#/definitions/A"]}
    assert inside(patch[8][1], 1, 2, 3) == {2: [b"query"], 4: [b"dryRun"], 6: [b"string"], 20: [1]}
    assert inside(patch[9][0], 1)[1] == [b"200"]
    assert inside(patch[9][0], 1, 2, 1)[1] == [b"OK"]
    assert inside(patch[9][0], 1, 2, 1, 2, 1) == {1: [b"#/definitions/A"]}
    assert inside(data, 8, 2, 2, 9, 1, 2, 4) == {1: [1], 2: [b"path"], 4: [b"name"], 5: [b"string"]}
