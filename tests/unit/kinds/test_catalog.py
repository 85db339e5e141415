"""The catalog as a whole: every kind is complete, found by each of its names, and its cells can be printed."""

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from wherry.kinds import schema
from wherry.kinds.catalog import BY_ID, KINDS, by_api, by_route
from wherry.kinds.kind import Kind
from wherry.kinds.schema.check import check
from wherry.objects import Obj
from wherry.objects.schema import Type

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = schema.load()


def bare(kind: Kind) -> Obj:
    """The least object of a kind that decoding lets through."""
    obj: Obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a", "namespace": "b"}}
    fields = TABLE.definition(kind.schema).struct
    assert fields is not None
    return obj | ({"spec": {}} if "spec" in fields.fields else {})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_kind_is_found_by_each_of_its_names_and_has_a_type(kind: Kind) -> None:
    assert BY_ID[kind.id] is kind
    assert by_route(kind.group, kind.version, kind.plural) is kind
    assert by_api(kind.api_version, kind.kind) is kind
    struct = TABLE.definition(kind.schema).struct
    assert struct is not None
    assert "metadata" in struct.fields


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_hooks_and_cells_stand_an_object_with_almost_nothing(kind: Kind) -> None:
    obj = bare(kind)
    kind.default(obj)
    kind.prepare(obj)
    list(kind.validate(obj))
    kind.prepare_update(obj, obj)
    list(kind.validate_update(obj, obj))
    for column in kind.columns:
        assert column.value(obj, NOW) is not None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_defaults_are_fields_of_the_type_and_do_not_change_when_filled_again(kind: Kind) -> None:
    obj = bare(kind)
    kind.default(obj)
    type_: Type = TABLE.definition(kind.schema)
    problems = check(obj, type_)
    assert (problems.unknown, problems.error) == ((), "")
    again = deepcopy(obj)
    kind.default(again)
    assert again == obj
