"""Checks that many kinds share: names, labels, selectors, numbers, addresses, what may not change.

Each yields the errors of one value at one path, in upstream's wording.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from wherry.objects import Obj, names
from wherry.objects.field_errors import FieldError, forbidden, invalid, required, show

Errors = Iterator[FieldError]

IMMUTABLE = "field is immutable"
PROTOCOLS = ("SCTP", "TCP", "UDP")
_NEGATIVE = "must be greater than or equal to 0"
_PERCENT = re.compile("[0-9]+%")


def supported(path: str, value: Any, allowed: Sequence[str]) -> Errors:
    """One of a few words, which the error lists in the order given."""
    if value not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed)
        message = f"Unsupported value: {show(value)}: supported values: {words}"
        yield FieldError(path, "FieldValueNotSupported", message)


def required_word(path: str, value: Any, allowed: Sequence[str]) -> Errors:
    """As `supported`, where nothing is an error of its own."""
    if value in (None, ""):
        yield required(path)
    else:
        yield from supported(path, value, allowed)


def too_many(path: str, actual: int, most: int) -> FieldError:
    return FieldError(path, "FieldValueTooMany", f"Too many: {actual}: must have at most {most} items")


def named(path: str, value: str, check: Callable[[str], str | None]) -> Errors:
    """A text by one of the rules of `objects.names`."""
    wrong = check(value)
    for message in wrong.split("; ") if wrong else ():  # upstream tells each on its own
        yield invalid(path, value, message)


def required_name(path: str, value: str | None, check: Callable[[str], str | None]) -> Errors:
    if value:
        yield from named(path, value, check)
    else:
        yield required(path)


def nonnegative(path: str, value: int | None) -> Errors:
    if value is not None and value < 0:
        yield invalid(path, value, _NEGATIVE)


def in_range(path: str, value: int | None, low: int, high: int) -> Errors:
    if value is not None and not low <= value <= high:
        yield invalid(path, value, f"must be between {low} and {high}, inclusive")


def port_number(path: str, value: int | None) -> Errors:
    yield from in_range(path, value or 0, 1, 65535)


def port(path: str, value: int | str | None) -> Errors:
    """A port by number or by name."""
    if isinstance(value, str):
        yield from named(path, value, names.port_name)
    else:
        yield from port_number(path, value)


def user_id(path: str, value: int | None) -> Errors:
    yield from in_range(path, value, 0, 2**31 - 1)


def file_mode(path: str, value: int | None) -> Errors:
    if value is not None and not 0 <= value <= 0o777:
        yield invalid(path, value, "must be a number between 0 and 0777 (octal), both inclusive")


def labels(path: str, values: Mapping[str, str] | None) -> Errors:
    for key, value in (values or {}).items():
        yield from named(path, key, names.label_key)
        yield from named(path, value or "", names.label_value)


def annotations(path: str, values: Mapping[str, str] | None) -> Errors:
    found = {key: value or "" for key, value in (values or {}).items()}
    for key in found:
        wrong = names.annotation_key(key)
        if wrong:
            yield invalid(path, key, wrong)
    if names.annotations_size(found):
        limit = names.TOTAL_ANNOTATION_BYTES
        yield FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def label_selector(path: str, selector: Obj | None) -> Errors:
    yield from labels(f"{path}.matchLabels", (selector or {}).get("matchLabels"))
    for index, expression in enumerate((selector or {}).get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        if operator in ("In", "NotIn"):
            if not values:
                yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                yield forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        else:
            yield invalid(f"{at}.operator", operator, "not a valid selector operator")
        yield from named(f"{at}.key", expression.get("key", ""), names.label_key)
        for number, value in enumerate(values):
            yield from named(f"{at}.values[{number}]", value, names.label_value)


def empty_selector(selector: Obj) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def int_or_percent(path: str, value: int | str) -> Errors:
    if isinstance(value, int):
        yield from nonnegative(path, value)
    elif not _PERCENT.fullmatch(value):
        rule = names.pattern_message(
            "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
        )
        yield invalid(path, value, rule)


def percent(value: int | str) -> int | None:
    """The number before the percent sign, if there is one."""
    return int(value[:-1]) if isinstance(value, str) and _PERCENT.fullmatch(value) else None


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, with the leading zeros that old fields allow."""
    try:
        return ipaddress.ip_address(_without_zeros(text))
    except ValueError:
        return None


def _without_zeros(text: str) -> str:
    return text if ":" in text else re.sub(r"(^|\.)0+(?=[0-9])", r"\1", text)


def ip(path: str, text: str) -> Errors:
    if parse_ip(text) is None:
        yield invalid(path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def cidr(path: str, text: str) -> Errors:
    address, slash, length = text.partition("/")
    try:
        ipaddress.ip_network(f"{_without_zeros(address)}/{length}", strict=False)
        wrong = not slash or not length.isdecimal()
    except ValueError:
        wrong = True
    if wrong:
        yield invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


def endpoint_ip(path: str, text: str) -> Errors:
    """An address that traffic may be sent to."""
    address = parse_ip(text)
    if address is None:
        yield invalid(path, text, "must be a valid IP address")
        return
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    if address.is_loopback:
        yield invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address in _LINK_LOCAL_MULTICAST[address.version]:
        yield invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


_LINK_LOCAL_MULTICAST: Mapping[int, Any] = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


def immutable(path: str, new: Any, old: Any) -> Errors:
    """The same as before; nothing and emptiness are the same."""
    if new != old and (new or old):
        yield invalid(path, new, IMMUTABLE)


def frozen(new: Obj, old: Obj, fields: Sequence[str]) -> Errors:
    """The contents of a ConfigMap or Secret that has said that it never changes again."""
    if not old.get("immutable"):
        return
    message = "field is immutable when `immutable` is set"
    if not new.get("immutable"):
        yield forbidden("immutable", message)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            yield forbidden(field, message)
