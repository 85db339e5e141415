import pytest

from wherry.apiserver.http.body import check_duplicates, delete_options, list_options, parse, write_options
from wherry.apiserver.verbs.context import User, WriteOptions
from wherry.kinds.core.configmap import CONFIGMAP
from wherry.objects.errors import ApiError, BadRequest

TWINS = b'{"data": {"a": "1", "a": "2"}, "items": [{"b": 1, "b": 2}], "data": {}}'
USER = User("u")


def options(validation: str) -> WriteOptions:
    return WriteOptions(field_validation=validation)


def test_fields_said_twice_are_warned_of() -> None:
    warn = options("Warn")
    check_duplicates(TWINS, parse(TWINS, "application/json"), CONFIGMAP, warn)
    assert warn.warnings == [f'duplicate field "{path}"' for path in ("data.a", "items[0].b", "data")]


def test_fields_said_twice_are_refused_where_asked() -> None:
    with pytest.raises(BadRequest, match=r'strict decoding error: duplicate field "data\.a", duplicate field "items'):
        check_duplicates(TWINS, parse(TWINS, "application/json"), CONFIGMAP, options("Strict"))


@pytest.mark.parametrize("raw", [b'{"a": [1, {"b": "x  y"}],\n "c": {}}\n', b'{"a": "\\u003c", "b": 1.50}'])
def test_a_body_without_twins_passes(raw: bytes) -> None:
    strict = options("Strict")
    check_duplicates(raw, parse(raw, "application/json"), CONFIGMAP, strict)
    assert strict.warnings == []


FORBIDDEN = "resourceVersionMatch: Forbidden: "


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"resourceVersionMatch": "Exact"}, FORBIDDEN + "resourceVersionMatch is forbidden unless resourceVersion is"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, FORBIDDEN + 'resourceVersionMatch "exact" is forb'),
        ({"resourceVersionMatch": "Foo", "resourceVersion": "1"}, 'resourceVersionMatch: Unsupported value: "Foo"'),
        ({"sendInitialEvents": "true"}, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        ({"resourceVersion": "-1"}, 'invalid resource version: resourceVersion: Invalid value: "-1"'),
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"watch": "1", "continue": "x"}, FORBIDDEN + "resourceVersionMatch is forbidden when continue is provided"),
        ({"watch": "1", "resourceVersionMatch": "Exact"}, FORBIDDEN + "resourceVersionMatch is forbidden for watch"),
        ({"watch": "1", "sendInitialEvents": "1"}, FORBIDDEN + "sendInitialEvents requires setting"),
        ({"watch": "1", "resourceVersion": "abc"}, 'resourceVersion: Invalid value: "abc"'),
        ({"watch": "1", "labelSelector": "a b"}, "unable to parse requirement: found 'b'"),
    ],
)
def test_options_of_a_list_that_contradict_each_other(query: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError) as raised:
        list_options(query)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"dryRun": "Some"}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        ({"fieldValidation": "Bad"}, 'fieldValidation: Unsupported value: "Bad": supported values: "", "Ignore", '),
        ({"fieldManager": "x" * 129}, "fieldManager: Too long: may not be more than 128 bytes"),
        ({"fieldManager": "a\ab"}, "invalid character U+0007 (at position 1)"),
    ],
)
def test_options_of_a_write_that_nobody_knows(query: dict[str, str], message: str) -> None:
    with pytest.raises(ApiError) as raised:
        write_options(query, USER, "", "UpdateOptions")
    assert raised.value.message.startswith('UpdateOptions.meta.k8s.io "" is invalid: ')
    assert message in raised.value.message


def test_a_dry_run_is_one_by_its_word_alone() -> None:
    made = [write_options({"dryRun": word} if word else {}, USER, "kubectl/v1") for word in ("", "All")]
    assert [(each.dry_run, each.manager) for each in made] == [(False, "kubectl"), (True, "kubectl")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
        ({"dryRun": ["Some"]}, 'dryRun: Unsupported value: ["Some"]'),
        ({"kind": "Foo", "apiVersion": "v1"}, 'no kind "Foo" is registered'),
        ({"preconditions": "x"}, "preconditions is an object"),
        ({"gracePeriodSeconds": "x"}, "gracePeriodSeconds an integer"),
    ],
)
def test_options_of_a_deletion_that_contradict_each_other(body: dict[str, object], message: str) -> None:
    with pytest.raises(ApiError) as raised:
        delete_options({}, body, USER)
    assert message in raised.value.message
