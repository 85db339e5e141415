from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects import merge_patch


@pytest.mark.parametrize(
    ("doc", "patch", "result"),
    [  # the cases of RFC 7386, appendix A, that differ from each other
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, ["c"], ["c"]),
    ],
)
def test_merging(doc: Any, patch: Any, result: Any) -> None:
    assert merge_patch.apply(doc, patch) == result


WITHOUT_NULL = st.recursive(
    st.booleans() | st.integers(2, 9) | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


@given(WITHOUT_NULL, WITHOUT_NULL)
def test_applying_the_difference_gives_the_new_document(old: Any, new: Any) -> None:
    assert merge_patch.apply(old, merge_patch.diff(old, new)) == new


@given(WITHOUT_NULL, st.dictionaries(st.sampled_from("abcd"), st.none() | WITHOUT_NULL))
def test_applying_twice_is_applying_once(doc: Any, patch: Any) -> None:
    once = merge_patch.apply(doc, patch)
    assert merge_patch.apply(once, patch) == once
