"""How hooks fill what a client left out.

Upstream's decoder cannot tell an empty string from an absent one, so these do not either.
"""

from collections.abc import Iterator
from typing import Any

from wherry.objects import Obj


def fill(obj: Obj, key: str, value: Any) -> None:
    """Set a field that is absent, null or an empty string."""
    if obj.get(key) in (None, ""):
        obj[key] = value


def fill_absent(obj: Obj, key: str, value: Any) -> None:
    """Set a field that is absent or null: of those that are pointers upstream, an empty string is a value."""
    if obj.get(key) is None:
        obj[key] = value


def fill_zero(obj: Obj, key: str, value: int) -> None:
    """Set a number for which zero means unset."""
    if not obj.get(key):
        obj[key] = value


def section(obj: Obj, key: str) -> Obj:
    """The object at a key, made if it is not there."""
    if obj.get(key) is None:
        obj[key] = {}
    found: Obj = obj[key]
    return found


def items(obj: Obj | None, key: str) -> Iterator[Obj]:
    """The objects of a list that may be absent."""
    yield from (obj or {}).get(key) or ()
