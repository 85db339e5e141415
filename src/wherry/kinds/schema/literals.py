"""Single values as Go reads and writes them: times, bytes, quantities, and how its messages name them."""

import json
import re
from collections.abc import Mapping
from typing import Any

from wherry.objects import quantities, times

TIME_LAYOUTS: Mapping[str, str] = {
    "date-time": "2006-01-02T15:04:05Z07:00",
    "micro-time": "2006-01-02T15:04:05.000000Z07:00",
}
"""Format -> the layout that Go's messages show."""

GO_TYPES: Mapping[str, str] = {
    "string": "string",
    "boolean": "bool",
    "int32": "int32",
    "int64": "int64",
    "integer": "int64",
    "number": "float64",
    "double": "float64",
    "byte": "[]uint8",
    "date-time": "v1.Time",
    "micro-time": "v1.MicroTime",
    "quantity": "resource.Quantity",
    "int-or-string": "intstr.IntOrString",
    "any": "runtime.RawExtension",
}
"""Shape or format -> Go's type."""

_DATE = (("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"))
_CLOCK = (("T", "T"), ("15", r"\d\d"), (":", ":"), ("04", r"\d\d"), (":", ":"), ("05", r"\d\d"))
_ELEMENTS = {
    "date-time": (*_DATE, *_CLOCK, ("", r"([.,]\d+)?"), ("Z07:00", r"(Z|[+-]\d\d:\d\d)")),
    "micro-time": (*_DATE, *_CLOCK, (".000000", r"\.\d{6}"), ("Z07:00", r"(Z|[+-]\d\d:\d\d)")),
}
_WHOLE = {format_: re.compile("".join(part for _, part in parts)) for format_, parts in _ELEMENTS.items()}
_JSON_KINDS: Mapping[type, str] = {str: "string", list: "array", dict: "object"}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def quote(text: str) -> str:
    """A string as Go's `strconv.Quote` writes it (for what JSON objects have as keys)."""
    return json.dumps(text, ensure_ascii=False)


def describe(value: Any, go_type: str) -> str:
    """A JSON value by its kind; a number that does not fit an integer by its digits too."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if go_type in ("int32", "int64") else "number"
    return next((name for kind, name in _JSON_KINDS.items() if isinstance(value, kind)), "null")


def quantity(value: Any) -> tuple[str, str]:
    """The canonical form of a quantity, given as string or number; or why it is none."""
    try:
        return str(quantities.parse(value)), ""
    except ValueError as error:
        return "", str(error)


def time(value: str, format_: str) -> tuple[str, str]:
    """A time in UTC and the precision of its format; or why it is none."""
    if not _WHOLE[format_].fullmatch(value):
        return value, _time_error(value, format_)
    try:
        return times.canonical_time(value) if format_ == "date-time" else times.canonical_micro(value), ""
    except ValueError as error:
        unit = str(error).partition(" ")[0]  # Python's message starts with it too: month, day, hour, minute, second
        return value, f"parsing time {quote(value)}: {unit} out of range"


def _time_error(value: str, format_: str) -> str:
    """Go's message: the first part of the layout that the text does not go on with."""
    rest = value
    for expected, pattern in _ELEMENTS[format_]:
        matched = re.match(pattern, rest)
        if not matched:
            layout = quote(TIME_LAYOUTS[format_])
            return f"parsing time {quote(value)} as {layout}: cannot parse {quote(rest)} as {quote(expected)}"
        rest = rest[matched.end() :]
    return f"parsing time {quote(value)}: extra text: {quote(rest)}"


def base64(value: str) -> tuple[str, str]:
    """Base64 without line breaks; or at which byte it is none."""
    text = value.replace("\r", "").replace("\n", "")
    if _BASE64.fullmatch(text):
        return text, ""
    matched = _BASE64.match(text)
    good = matched.end() if matched else 0
    bad = next((i for i in range(good, len(text)) if not _is_base64(text[i])), good)
    return value, f"illegal base64 data at input byte {bad}"


def _is_base64(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in "+/")
