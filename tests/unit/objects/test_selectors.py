import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.selectors import (
    EVERYTHING,
    NOTHING,
    FieldTerm,
    format_label_selector,
    from_label_selector,
    from_map,
    matches_fields,
    parse_fields,
    parse_labels,
)

LABELS = {"app": "web", "tier": "front", "track": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=db", False),
        ("app!=db,none!=x", True),
        ("app in (db, web)", True),
        ("app in (db)", False),
        ("none in (db)", False),
        ("app notin (db,x),none notin (y)", True),
        ("app notin (web)", False),
        ("tier", True),
        ("none", False),
        ("!none", True),
        ("! tier", False),
        ("track=", True),
        ("track in ()", True),
        ("track in (a,)", True),
        ("in in (in)", False),
        (" app = web , tier in ( front ) ", True),
        ("app>1", False),
    ],
)
def test_label_selectors_match_as_upstream(text: str, expected: bool) -> None:
    assert parse_labels(text).matches(LABELS) is expected


def test_greater_and_less_compare_integers() -> None:
    assert parse_labels("age>9,age<11").matches({"age": "10"})
    assert not parse_labels("age>9").matches({"age": "ten"})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("b=1,a==2", "a==2,b=1"),
        ("x in (b,a)", "x in (a,b)"),
        ("x notin (b)", "x notin (b)"),
        ("!x, y ,z!=", "!x,y,z!="),
        ("n>1,m<2", "m<2,n>1"),
    ],
)
def test_selectors_print_in_canonical_form(text: str, canonical: str) -> None:
    assert str(parse_labels(text)) == canonical
    assert parse_labels(canonical) == parse_labels(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
    ],
)
def test_bad_selectors_say_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_labels(text)


def test_bad_keys_and_values_name_the_rule() -> None:
    with pytest.raises(ValueError, match='unable to parse requirement: <nil>: Invalid value: "-a": name part'):
        parse_labels("-a=b")
    with pytest.raises(ValueError, match=r'values\[0\]\[a\]: Invalid value: "b-": a valid label must be an empty'):
        parse_labels("a=b-")


def test_label_selector_objects() -> None:
    selector = from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}],
        }
    )
    assert str(selector) == "app=web,tier in (front)"
    assert selector.matches(LABELS)
    assert selector.exact == {"app": "web", "tier": "front"}
    assert from_label_selector(None) == NOTHING
    assert not NOTHING.matches({})
    assert from_label_selector({}) is EVERYTHING
    assert EVERYTHING.matches(None)
    assert EVERYTHING.everything
    assert not NOTHING.everything
    assert from_map({"b": "1", "a": "2"}) == parse_labels("a=2,b=1")
    assert format_label_selector({}) == "<none>"


def test_bad_label_selector_objects() -> None:
    with pytest.raises(ValueError, match='"Is" is not a valid label selector operator'):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "Is"}]})
    with pytest.raises(ValueError, match="values set can't be empty"):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "In"}]})


def test_field_selectors() -> None:
    terms = parse_fields(r"status.phase!=Failed,metadata.name==a\,b\=c\\d,,spec.nodeName=")
    assert set(terms) == {
        FieldTerm("metadata.name", r"a,b=c\d"),
        FieldTerm("spec.nodeName", ""),
        FieldTerm("status.phase", "Failed", negated=True),
    }
    values = {"metadata.name": "a,b=c\\d", "status.phase": "Running"}
    assert matches_fields(terms, lambda name: values.get(name, ""))
    assert not matches_fields(terms, lambda _: "Failed")
    assert parse_fields("") == parse_fields("=,!=") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_bad_field_selectors(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_fields(text)


@given(st.lists(st.tuples(st.sampled_from(["a", "b.c"]), st.text("a,=\\!", max_size=6), st.booleans()), max_size=4))
def test_field_terms_survive_printing(raw: list[tuple[str, str, bool]]) -> None:
    terms = {FieldTerm(*item) for item in raw}
    assert set(parse_fields(",".join(map(str, terms)))) == terms


@given(st.text(alphabet="ab=!(),<> innot", max_size=20))
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    try:
        selector = parse_labels(text)
    except ValueError:
        return
    assert parse_labels(str(selector)) == selector
