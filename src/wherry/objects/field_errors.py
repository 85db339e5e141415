"""Field errors: what is wrong at one path, in Kubernetes' own reasons (k8s.io/apimachinery `field.Error`).

Validators yield these values; `kinds` builds them, the verbs join them into one `Invalid`.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple


class FieldError(NamedTuple):
    """`path` like `spec.containers[0].name`; `reason` one of metav1.CauseType; `message` without the path."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def show(value: Any) -> str:
    """A value as messages quote it: strings in double quotes, the rest as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(path: str, detail: str = "") -> FieldError:
    return FieldError(path, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {show(value)}: {detail}")


def not_supported(path: str, value: Any, allowed: Iterable[str]) -> FieldError:
    names = ", ".join(f'"{name}"' for name in sorted(allowed))
    return FieldError(path, "FieldValueNotSupported", f"Unsupported value: {show(value)}: supported values: {names}")


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {show(value)}")


def not_found(path: str, value: Any) -> FieldError:
    return FieldError(path, "FieldValueNotFound", f"Not found: {show(value)}")


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError(path, "FieldValueForbidden", f"Forbidden: {detail}")


def too_long(path: str, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def type_invalid(path: str, value: Any, detail: str) -> FieldError:
    return FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {show(value)}: {detail}")
