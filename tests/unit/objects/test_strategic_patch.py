import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.schema import Shape, Struct, Type
from wherry.objects.strategic_patch import StrategicPatchFailed, apply

TEXT = Type(shape=Shape.STRING)
ENV = Type(shape=Shape.OBJECT, struct=Struct("EnvVar", {"name": TEXT, "value": TEXT}))
CONTAINER = Type(
    shape=Shape.OBJECT,
    struct=Struct(
        "Container",
        {
            "name": TEXT,
            "image": TEXT,
            "args": Type(shape=Shape.LIST, items=TEXT),
            "env": Type(shape=Shape.LIST, items=ENV, merge_key="name", patch_strategy=("merge",)),
        },
    ),
)
STRATEGY = Type(
    shape=Shape.OBJECT, struct=Struct("Strategy", {"type": TEXT, "rolling": TEXT}), patch_strategy=("retainKeys",)
)
POD = Type(
    shape=Shape.OBJECT,
    struct=Struct(
        "Pod",
        {
            "containers": Type(shape=Shape.LIST, items=CONTAINER, merge_key="name", patch_strategy=("merge",)),
            "finalizers": Type(shape=Shape.LIST, items=TEXT, patch_strategy=("merge",)),
            "labels": Type(shape=Shape.MAP, items=TEXT),
            "strategy": STRATEGY,
            "whole": Type(shape=Shape.MAP, items=TEXT, patch_strategy=("replace",)),
            "noKey": Type(shape=Shape.LIST, items=ENV, patch_strategy=("merge",)),
        },
    ),
)


def named(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("doc", "patch", "result"),
    [
        # lists of objects merge by key, others are replaced
        (
            {"containers": [{"name": "a", "image": "1", "args": ["x", "y"]}, {"name": "b"}]},
            {"containers": [{"name": "a", "image": "2", "args": ["z"]}]},
            {"containers": [{"name": "a", "image": "2", "args": ["z"]}, {"name": "b"}]},
        ),
        (
            {"containers": [{"name": "a", "env": [{"name": "E", "value": "1"}]}]},
            {"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}]}]},
            {"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}, {"name": "E", "value": "1"}]}]},
        ),
        (
            {"containers": named("a", "b")},
            {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": named("b")},
        ),
        (
            {"containers": named("a", "b")},
            {"containers": [{"$patch": "replace"}, {"name": "c"}]},
            {"containers": named("c")},
        ),
        (
            {},
            {"containers": [{"name": "a", "$patch": "delete"}, {"name": "b", "image": None}]},
            {"containers": named("b")},
        ),
        # lists of scalars
        ({"finalizers": ["a", "b"]}, {"finalizers": ["c"]}, {"finalizers": ["c", "a", "b"]}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}),
        ({}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {}),
        # order
        (
            {"finalizers": ["a", "b", "c"]},
            {"$setElementOrder/finalizers": ["d", "c", "a"], "finalizers": ["d"]},
            {"finalizers": ["d", "b", "c", "a"]},
        ),
        (
            {"containers": named("a", "x", "b")},
            {"$setElementOrder/containers": named("b", "a")},
            {"containers": named("x", "b", "a")},
        ),
        (
            {"containers": named("a", "b")},
            {
                "$setElementOrder/containers": named("c", "b"),
                "containers": [{"name": "c"}, {"name": "a", "$patch": "delete"}],
            },
            {"containers": named("c", "b")},
        ),
        ({}, {"$setElementOrder/containers": named("a")}, {}),
        ({"containers": named("a")}, {"$setElementOrder/containers": named("a"), "containers": None}, {}),
        # what is new keeps nothing of the patch's own language
        ({}, {"strategy": {"$retainKeys": ["type"], "type": "x"}}, {"strategy": {"type": "x"}}),
        # maps
        ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": None, "c": "3"}}, {"labels": {"b": "2", "c": "3"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "b": "2"}}, {"labels": {"b": "2"}}),
        ({"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}),
        ({"labels": {"a": "1"}}, {"labels": None}, {}),
        ({"whole": {"a": "1"}}, {"whole": {"b": "2"}}, {"whole": {"b": "2"}}),
        (
            {"strategy": {"type": "Rolling", "rolling": "1"}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
        ),
        # unknown fields
        ({"x": {"a": 1, "l": [1]}}, {"x": {"b": 2, "l": [2]}}, {"x": {"a": 1, "b": 2, "l": [2]}}),
        ({"x": 1}, {"x": {"a": None, "b": 1}}, {"x": {"b": 1}}),
    ],
)
def test_merging(doc: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy((doc, patch))
    assert apply(doc, patch, POD) == result
    assert (doc, patch) == before


@pytest.mark.parametrize(
    ("patch", "message", "code"),
    [
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name", 422),
        ({"containers": [{"name": "a", "$patch": "swap"}]}, "unknown patch type: swap in map", 422),
        ({"containers": ["a"]}, "list element types are not identical", 422),
        ({"labels": {"$patch": "merge"}}, "unknown patch type: merge in map", 422),
        ({"noKey": named("a")}, "cannot merge lists without merge key for EnvVar", 422),
        ({"strategy": {"$retainKeys": ["type"], "rolling": "1"}}, "invalid patch format of retainKeys", 400),
        ({"$setElementOrder/containers": 1}, "invalid patch format of setElementOrder list", 400),
        (
            {"$setElementOrder/containers": named("a", "b"), "containers": named("b", "a")},
            "doesn't match $setElementOrder list",
            422,
        ),
        ([], "invalid JSON document", 400),
    ],
)
def test_malformed_patches(patch: Any, message: str, code: int) -> None:
    doc = {"containers": named("a", "b"), "labels": {"a": "1"}, "strategy": {}, "noKey": named("x")}
    with pytest.raises(StrategicPatchFailed) as caught:
        apply(doc, patch, POD)
    assert message in str(caught.value)
    assert caught.value.code == code


NAMES = st.lists(st.sampled_from("abcde"), unique=True, max_size=5)


@given(NAMES, NAMES, NAMES)
def test_a_given_order_holds_and_applying_twice_changes_nothing(
    old: list[str], new: list[str], more: list[str]
) -> None:
    order = new + [name for name in more if name not in new]
    patch = {"$setElementOrder/containers": named(*order), "containers": named(*new)}
    once = apply({"containers": named(*old)}, patch, POD)
    names = [item["name"] for item in once["containers"]]
    assert sorted(names) == sorted({*old, *new})
    assert [name for name in names if name in order] == [name for name in order if name in names]
    assert apply(once, patch, POD) == once


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("12") | st.none()))
def test_maps_merge_as_a_json_merge_patch(patch: dict[str, str | None]) -> None:
    old = {"a": "1", "b": "2"}
    expected = {key: value for key, value in {**old, **patch}.items() if value is not None}
    assert apply({"labels": old}, {"labels": patch}, POD) == {"labels": expected}
