"""Protobuf's own encoding, and the values that Kubernetes writes in ways of its own. Raises Malformed."""

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from wherry.objects.times import format_micro, format_time

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = int | bytes
"""A varint as a number; everything else as its bytes."""


class Malformed(Exception):
    """The bytes are not what they say."""


def fields(raw: bytes) -> Iterator[tuple[int, Value]]:
    """A message's fields by number, in the order in which they were written."""
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        kind = tag & 7
        if kind == VARINT:
            number, position = _varint(raw, position)
            yield tag >> 3, number
            continue
        if kind == BYTES:
            length, position = _varint(raw, position)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise Malformed(f"wire type {kind} is not used by Kubernetes")
        if position + length > len(raw):
            raise Malformed("it ends within a field")
        yield tag >> 3, raw[position : position + length]
        position += length


def packed(value: bytes) -> Iterator[int]:
    position = 0
    while position < len(value):
        number, position = _varint(value, position)
        yield number


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(raw):
            raise Malformed("it ends within a number")
        byte = raw[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, position
    raise Malformed("a number of more than 64 bits")


def raw(value: Value) -> bytes:
    if isinstance(value, int):
        raise Malformed("a number where bytes belong")
    return value


def text(value: Value) -> str:
    try:
        return raw(value).decode()
    except UnicodeDecodeError as error:
        raise Malformed("a text that is not UTF-8") from error


def integer(value: Value) -> int:
    """Negative numbers are written as 64 bits in two's complement."""
    if not isinstance(value, int):
        raise Malformed("bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def double(value: Value) -> float:
    content = raw(value)
    if len(content) != 8:
        raise Malformed("a floating-point number that is not 8 bytes long")
    number: float = struct.unpack("<d", content)[0]
    return number


def base64_text(value: Value) -> str:
    return base64.b64encode(raw(value)).decode()


def time(value: Value, *, micro: bool) -> str | None:
    """The zero time is null, as in JSON."""
    parts = dict(fields(raw(value)))
    seconds, nanos = integer(parts.get(1, 0)), integer(parts.get(2, 0))
    if not parts or (seconds, nanos) == (-62135596800, 0):
        return None
    try:
        moment = EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError as error:
        raise Malformed(f"a time that no calendar has: {seconds} s") from error
    return format_micro(moment) if micro else format_time(moment)


def int_or_string(value: Value) -> int | str:
    parts = dict(fields(raw(value)))
    return text(parts.get(3, b"")) if parts.get(1, 0) else integer(parts.get(2, 0))


def from_json(content: bytes) -> Any:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError as error:
        raise Malformed(f"JSON within it cannot be read: {error}") from error
