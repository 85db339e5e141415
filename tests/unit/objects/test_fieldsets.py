from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wherry.objects import fieldsets
from wherry.objects.fieldsets import FieldSet

Path = tuple[str, ...]


def build(paths: Iterable[Path]) -> FieldSet:
    out: FieldSet = {}
    for path in paths:
        one: FieldSet = {}
        for step in reversed(path):
            one = {step: one}
        out = fieldsets.union(out, one)
    return out


def members(node: FieldSet, prefix: Path = ()) -> set[Path]:
    out: set[Path] = set()
    for step, child in node.items():
        if step != fieldsets.SELF:
            out |= members(child, (*prefix, step))
            if fieldsets.is_member(child):
                out.add((*prefix, step))
    return out


PATHS = st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"']), min_size=1, max_size=3).map(tuple))


@given(PATHS, PATHS)
def test_operations_are_those_on_sets_of_paths(a: set[Path], b: set[Path]) -> None:
    x, y = build(a), build(b)
    assert members(x) == a
    assert members(fieldsets.union(x, y)) == a | b
    assert members(fieldsets.difference(x, y)) == a - b
    assert members(fieldsets.intersection(x, y)) == a & b
    assert fieldsets.disjoint(x, y) == a.isdisjoint(b)
    assert fieldsets.contains(x, y) == (b <= a)
    below = {path for path in a for size in range(1, len(path) + 1) if path[:size] in b}
    assert members(fieldsets.without(x, y)) == a - below
    assert all(fieldsets.has(x, *path) == (path in a) for path in b)


@given(PATHS, PATHS)
def test_results_have_no_empty_branches(a: set[Path], b: set[Path]) -> None:
    assert fieldsets.difference(build(a), build(a | b)) == {}
    assert fieldsets.canonical(fieldsets.union(build(a), build(b))) == fieldsets.canonical(build(a | b))


def test_paths_read_as_upstream_prints_them() -> None:
    fields: FieldSet = {
        "f:spec": {'k:{"name":"a","port":80}': {".": {}, "f:image": {}}, 'v:"x"': {}},
        "f:metadata": {"f:labels": {"f:app.io/x": {}}},
    }
    assert list(fieldsets.paths(fields)) == [
        ".metadata.labels.app.io/x",
        '.spec[name="a",port=80]',
        '.spec[name="a",port=80].image',
        '.spec[="x"]',
    ]


def test_sets_from_dotted_paths() -> None:
    assert fieldsets.from_paths("status", "metadata.labels") == {"f:status": {}, "f:metadata": {"f:labels": {}}}


def test_only_field_sets_are_valid() -> None:
    good: list[Any] = [{}, {"f:a": {".": {}, 'k:{"a":1}': {}, "v:1": {}, "i:0": {}}}]
    bad: list[Any] = [[], {"a": {}}, {"f:a": 1}, {"k:x": {}}, {"k:[]": {}}, {"v:{}": {}}]
    assert [value for value in good if not fieldsets.is_valid(value)] == []
    assert [value for value in bad if fieldsets.is_valid(value)] == []
