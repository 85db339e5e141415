"""An OpenAPI v2 document as protobuf: gnostic's `openapi.v2.Document`, of which only the messages that we send.

Field numbers are those of github.com/google/gnostic-models `openapiv2/OpenAPIv2.proto`. A value without a field of its
own is a vendor extension, as YAML text; JSON is YAML.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Content = Mapping[str, Any]

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}
_SCHEMA_TEXT = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13, "discriminator": 26}
_SCHEMA_NUMBER = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_SCHEMA_COUNT = {
    "exclusiveMaximum": 8,
    "exclusiveMinimum": 10,
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
    "readOnly": 27,
}
_QUERY = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 6, "format": 7, "uniqueItems": 20}
_PATH = {"required": 1, "in": 2, "description": 3, "name": 4, "type": 5, "format": 6, "uniqueItems": 19}
_API_KEY = {"type": 1, "name": 2, "in": 3, "description": 4}


def encode(document: Content) -> bytes:
    """The document, given as its JSON content."""
    parts = [
        _text(1, document["swagger"]),
        _bytes(2, _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])),
        _bytes(8, b"".join(_named(2, name, _path_item(item)) for name, item in document["paths"].items())),
        _bytes(9, _named_schemas(document["definitions"])),
    ]
    parts += [_bytes(12, _security_requirement(requirement)) for requirement in document["security"]]
    schemes = document["securityDefinitions"].items()
    parts.append(_bytes(13, b"".join(_named(1, name, _bytes(2, _flat(scheme, _API_KEY))) for name, scheme in schemes)))
    return b"".join(parts)


def _security_requirement(requirement: Content) -> bytes:
    return b"".join(
        _named(1, name, b"".join(_text(1, scope) for scope in scopes)) for name, scopes in requirement.items()
    )


def _path_item(item: Content) -> bytes:
    operations = [_bytes(number, _operation(item[method])) for method, number in _METHODS.items() if method in item]
    return b"".join(operations) + _parameters(9, item.get("parameters", ()))


def _operation(operation: Content) -> bytes:
    parts = [_text(1, tag) for tag in operation.get("tags", ())]
    parts.append(_text(3, operation.get("description", "")))
    parts.append(_text(5, operation.get("operationId", "")))
    parts += [_text(6, media_type) for media_type in operation.get("produces", ())]
    parts += [_text(7, media_type) for media_type in operation.get("consumes", ())]
    parts.append(_parameters(8, operation.get("parameters", ())))
    responses = (_named(1, code, _bytes(1, _response(said))) for code, said in operation["responses"].items())
    parts.append(_bytes(9, b"".join(responses)))
    parts.append(_extensions(13, operation))
    return b"".join(parts)


def _parameters(number: int, parameters: Sequence[Content]) -> bytes:
    return b"".join(_bytes(number, _bytes(1, _parameter(parameter))) for parameter in parameters)


def _parameter(parameter: Content) -> bytes:
    if parameter["in"] == "body":
        named = _text(2, parameter["name"]) + _text(3, "body")
        return _bytes(1, named + _flag(4, parameter.get("required", False)) + _bytes(5, _schema(parameter["schema"])))
    if parameter["in"] == "path":
        return _bytes(2, _bytes(4, _flat(parameter, _PATH)))
    return _bytes(2, _bytes(3, _flat(parameter, _QUERY)))


def _response(response: Content) -> bytes:
    said = _text(1, response["description"])
    return said + _bytes(2, _bytes(1, _schema(response["schema"]))) if "schema" in response else said


def _schema(schema: Content) -> bytes:
    parts = [_text(number, schema[key]) for key, number in _SCHEMA_TEXT.items() if key in schema]
    parts += [_number(number, schema[key]) for key, number in _SCHEMA_NUMBER.items() if key in schema]
    parts += [_count(number, schema[key]) for key, number in _SCHEMA_COUNT.items() if key in schema]
    parts += [_text(19, name) for name in schema.get("required", ())]
    parts += [_bytes(20, _any(value)) for value in schema.get("enum", ())]
    if "default" in schema:
        parts.append(_bytes(5, _any(schema["default"])))
    if "additionalProperties" in schema:
        parts.append(_bytes(21, _additional(schema["additionalProperties"])))
    if "type" in schema:
        parts.append(_bytes(22, _text(1, schema["type"])))
    if "items" in schema:
        parts.append(_bytes(23, _bytes(1, _schema(schema["items"]))))
    if "properties" in schema:
        parts.append(_bytes(25, _named_schemas(schema["properties"])))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _additional(schema: Content | bool) -> bytes:
    return _flag(2, schema) if isinstance(schema, bool) else _bytes(1, _schema(schema))


def _named_schemas(schemas: Content) -> bytes:
    return b"".join(_named(1, name, _schema(schema)) for name, schema in schemas.items())


def _extensions(number: int, content: Content) -> bytes:
    extensions = ((key, value) for key, value in content.items() if key.startswith("x-"))
    return b"".join(_named(number, key, _any(value)) for key, value in extensions)


def _flat(content: Content, numbers: Mapping[str, int]) -> bytes:
    """A message of texts and flags alone."""
    given = ((number, content[key]) for key, number in numbers.items() if key in content)
    return b"".join(
        _flag(number, value) if isinstance(value, bool) else _text(number, value) for number, value in given
    )


def _any(value: Any) -> bytes:
    return _text(2, orjson.dumps(value).decode() + "\n")


def _named(number: int, name: str, value: bytes) -> bytes:
    return _bytes(number, _text(1, name) + _bytes(2, value))


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode()) if text else b""


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _count(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(int(value)) if value else b""


def _number(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= 2**64 - 1  # negative numbers in two's complement
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
