"""What names, label keys and label values may look like: the rules of k8s.io/apimachinery `util/validation`.

Each check returns None when the text is fine, otherwise upstream's message; several messages are joined by "; ".
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

TOTAL_ANNOTATION_BYTES = 256 * 1024
"""Limit of all annotation keys and values of one object together."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_HTTP_HEADER = "[-A-Za-z0-9]+"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_DNS1035_RE = re.compile(_DNS1035)
_QUALIFIED_RE = re.compile(_QUALIFIED)
_LABEL_VALUE_RE = re.compile(_LABEL_VALUE)
_HTTP_HEADER_RE = re.compile(_HTTP_HEADER)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_PORT_NAME_RE = re.compile("[-a-z0-9]+")
_ENV_NAME_RE = re.compile(r"[ -<>-~]+")

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_DNS1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_HTTP_HEADER_TEXT = "a valid HTTP header must consist of alphanumeric characters or '-'"
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_ENV_NAME_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"


def pattern_message(text: str, pattern: str, *examples: str) -> str:
    """How upstream words that a pattern does not match (its double space included)."""
    if not examples:
        return f"{text} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long_message(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _size(text: str) -> int:
    """Limits are in bytes, whatever their message says."""
    return len(text) if text.isascii() else len(text.encode())


_Check = Callable[[str], str | None]


def _cached(check: _Check) -> _Check:
    """The same few names come again and again; long ones are bad anyway and would only fill the memory."""
    remembered = lru_cache(maxsize=8192)(check)

    def checked(value: str) -> str | None:
        return remembered(value) if len(value) <= 320 else check(value)

    checked.__doc__ = check.__doc__
    checked.__name__ = check.__name__
    return checked


def _join(messages: list[str]) -> str | None:
    return "; ".join(messages) or None


@_cached
def dns1123_label(value: str) -> str | None:
    """Namespaces, container and volume names."""
    messages = [too_long_message(63)] if _size(value) > 63 else []
    if not _LABEL_RE.fullmatch(value):
        dotted = _SUBDOMAIN_RE.fullmatch(value)
        hint = pattern_message(_LABEL_TEXT, _LABEL, "my-name", "123-abc")
        messages.append("must not contain dots" if dotted else hint)
    return _join(messages)


@_cached
def dns1123_subdomain(value: str) -> str | None:
    """The name of most objects."""
    messages = [too_long_message(253)] if _size(value) > 253 else []
    if not _SUBDOMAIN_RE.fullmatch(value):
        messages.append(pattern_message(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com"))
    return _join(messages)


@_cached
def dns1035_label(value: str) -> str | None:
    """Service names."""
    messages = [too_long_message(63)] if _size(value) > 63 else []
    if not _DNS1035_RE.fullmatch(value):
        messages.append(pattern_message(_DNS1035_TEXT, _DNS1035, "my-name", "abc-123"))
    return _join(messages)


@_cached
def wildcard_subdomain(value: str) -> str | None:
    """Ingress hosts such as `*.example.com`."""
    messages = [too_long_message(253)] if _size(value) > 253 else []
    if not (value.startswith("*.") and _SUBDOMAIN_RE.fullmatch(value[2:])):
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
            "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        messages.append(pattern_message(text, rf"\*\.{_SUBDOMAIN}", "*.example.com"))
    return _join(messages)


def _qualified_hint(prefix: str) -> str:
    return prefix + pattern_message(_QUALIFIED_TEXT, _QUALIFIED, "MyName", "my.name", "123-abc")


@_cached
def qualified_name(value: str) -> str | None:
    """Label and annotation keys, finalizers, condition types: `[DNS subdomain/]name`."""
    parts = value.split("/")
    if len(parts) > 2:
        return (
            _qualified_hint("a qualified name ")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )
    messages = []
    if len(parts) == 2:
        wrong = dns1123_subdomain(parts[0]) if parts[0] else "must be non-empty"
        if wrong:
            messages.append(f"prefix part {wrong}")
    name = parts[-1]
    if not name:
        messages.append("name part must be non-empty")
    elif _size(name) > 63:
        messages.append(f"name part {too_long_message(63)}")
    if not _QUALIFIED_RE.fullmatch(name):
        messages.append(_qualified_hint("name part "))
    return _join(messages)


label_key = qualified_name


@_cached
def label_value(value: str) -> str | None:
    messages = [too_long_message(63)] if _size(value) > 63 else []
    if not _LABEL_VALUE_RE.fullmatch(value):
        messages.append(pattern_message(_LABEL_VALUE_TEXT, _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return _join(messages)


def annotation_key(value: str) -> str | None:
    """As a label key, but capitals are allowed in the prefix."""
    return qualified_name(value.lower())


def annotations_size(annotations: Mapping[str, str]) -> str | None:
    total = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if total <= TOTAL_ANNOTATION_BYTES:
        return None
    return f"annotations size {total} is larger than limit {TOTAL_ANNOTATION_BYTES}"


@_cached
def path_segment(value: str) -> str | None:
    """Names that are only kept out of paths: RBAC roles and bindings."""
    if value in (".", ".."):
        return f"may not be '{value}'"
    return _join([f"may not contain '{sign}'" for sign in "/%" if sign in value])


@_cached
def config_key(value: str) -> str | None:
    """Keys of ConfigMap and Secret data."""
    messages = [too_long_message(253)] if _size(value) > 253 else []
    if not _CONFIG_KEY_RE.fullmatch(value):
        messages.append(pattern_message(_CONFIG_KEY_TEXT, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return _join(messages + _upwards(value))


def _upwards(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


@_cached
def env_name(value: str) -> str | None:
    """Names of environment variables, by the relaxed rule that holds since Kubernetes 1.34."""
    if not value:
        return "environment variable name must be non-empty"
    return None if _ENV_NAME_RE.fullmatch(value) else _ENV_NAME_TEXT


@_cached
def port_name(value: str) -> str | None:
    """Names of container ports (RFC 6335, lower case only)."""
    messages = [too_long_message(15)] if _size(value) > 15 else []
    if not _PORT_NAME_RE.fullmatch(value):
        messages.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        messages.append("must contain at least one letter (a-z)")
    if "--" in value:
        messages.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        messages.append("must not begin or end with a hyphen")
    return _join(messages)


@_cached
def http_header_name(value: str) -> str | None:
    if _HTTP_HEADER_RE.fullmatch(value):
        return None
    return pattern_message(_HTTP_HEADER_TEXT, _HTTP_HEADER, "X-Header-Name")
