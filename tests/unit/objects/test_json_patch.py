import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects import json_patch
from wherry.objects.json_patch import PatchFailed, PatchTooLarge

DOC = {"a": {"b": 1, "t": True}, "l": [1, {"x": 2}, 3], "m/n": "slash", "~": None}


def op(kind: str, path: str, **rest: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **rest}


@pytest.mark.parametrize(
    ("ops", "changed"),
    [
        ([op("add", "/a/c", value=2)], {"a": {"b": 1, "t": True, "c": 2}}),
        ([op("add", "/l/1", value=9)], {"l": [1, 9, {"x": 2}, 3]}),
        ([op("add", "/l/-", value=9)], {"l": [1, {"x": 2}, 3, 9]}),
        ([op("add", "/l/3", value=9)], {"l": [1, {"x": 2}, 3, 9]}),
        ([op("remove", "/l/0"), op("remove", "/l/-1")], {"l": [{"x": 2}]}),
        ([op("replace", "/l/1/x", value=None)], {"l": [1, {"x": None}, 3]}),
        ([op("replace", "/a/new", value=1)], {"a": {"b": 1, "t": True, "new": 1}}),
        ([op("replace", "/m~1n", value="x")], {"m/n": "x"}),
        ([op("move", "/a/c", **{"from": "/l/1"})], {"a": {"b": 1, "t": True, "c": {"x": 2}}, "l": [1, 3]}),
        ([op("copy", "/a/c", **{"from": "/a/b"})], {"a": {"b": 1, "t": True, "c": 1}}),
        ([op("test", "/a", value={"t": True, "b": 1})], {}),
        ([op("test", "/~0", value=None), op("test", "/missing", value=None)], {}),
    ],
)
def test_operations(ops: list[Any], changed: dict[str, Any]) -> None:
    before = copy.deepcopy(DOC)
    assert json_patch.apply(DOC, ops) == {**DOC, **changed}
    assert before == DOC


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([op("test", "/a/b", value=2)], "testing value /a/b failed: test failed"),
        ([op("test", "/a/t", value=1)], "testing value /a/t failed: test failed"),
        ([op("remove", "/x")], "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value"),
        ([op("add", "/x/y", value=1)], 'add operation does not apply: doc is missing path: "/x/y": missing value'),
        (
            [op("replace", "/x/y", value=1)],
            "replace operation does not apply: doc is missing path: /x/y: missing value",
        ),
        ([op("replace", "/l/7", value=1)], "replace operation does not apply: doc is missing key: /l/7: missing value"),
        ([op("add", "/l/7", value=1)], "in add for path: '/l/7': Unable to access invalid index: 7: invalid index det"),
        ([op("add", "/l/x", value=1)], "error in add for path: '/l/x': value was not a proper array index: 'x'"),
        ([op("jump", "/a")], "Unexpected kind: jump"),
        ([{"op": "add"}], "add operation failed to decode path: missing value"),
        ([op("move", "/a", **{"from": "/q/r"})], "move operation does not apply: doc is missing from path: /q/r"),
        ([3], "operation must be an object"),
    ],
)
def test_what_does_not_apply_fails(ops: list[Any], message: str) -> None:
    with pytest.raises(PatchFailed) as caught:
        json_patch.apply(DOC, ops)
    assert message in str(caught.value)


def test_copies_are_independent_and_bounded() -> None:
    ops = [op("copy", "/c", **{"from": "/a"}), op("add", "/c/z", value=1), op("add", "/a/y", value=2)]
    assert json_patch.apply({"a": {}}, ops) == {"a": {"y": 2}, "c": {"z": 1}}
    doubling = [op("copy", "/-", **{"from": ""}), op("copy", f"/{0}", **{"from": "/0"})]
    with pytest.raises(PatchFailed):
        json_patch.apply([["x" * 100]], doubling, max_copy_bytes=50)
    with pytest.raises(PatchTooLarge):
        json_patch.apply([["x" * 100]], doubling[1:], max_copy_bytes=50)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "-"]), min_size=1, max_size=3).map(
    lambda p: "/" + "/".join(p)
)
OPS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": PATHS,
        "from": PATHS,
        "value": VALUES,
    }
)


@given(st.dictionaries(st.sampled_from("abc"), VALUES), st.lists(OPS, max_size=6))
def test_the_input_is_never_edited(doc: dict[str, Any], ops: list[Any]) -> None:
    before = copy.deepcopy((doc, ops))
    with contextlib.suppress(PatchFailed):
        json_patch.apply(doc, ops)
    assert (doc, ops) == before
