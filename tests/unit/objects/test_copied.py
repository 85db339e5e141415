"""A copy shares nothing with what it was made of, and is equal to it also where YAML is more than JSON."""

from datetime import date
from typing import Any

import pytest

from wherry.objects import copied

VALUES: list[Any] = [
    {"a": [{"b": 1}, "c", None, True, 1.5, -(2**63)], "d": {}, "e": []},
    {"big": 2**80, "inner": {"list": [1]}},
    {1: "a key that is no text", "inner": {"list": [1]}},
    {"day": date(2026, 1, 2), "inner": {"list": [1]}},
]


@pytest.mark.parametrize("value", VALUES)
def test_equal_and_apart(value: Any) -> None:
    copy = copied(value)
    assert copy == value
    assert {type(inner) for inner in copy.values()} == {type(inner) for inner in value.values()}
    for key, inner in value.items():
        if isinstance(inner, dict | list):
            assert copy[key] is not inner


def test_one_value_in_two_places_becomes_two() -> None:
    shared = {"a": 1}
    copy = copied([shared, shared])
    copy[0]["a"] = 2
    assert copy[1] == {"a": 1}
    assert shared == {"a": 1}
