from collections.abc import Callable

import pytest

from wherry.objects import names


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (names.dns1123_label, ["a", "a-1", "0a"], ["", "A", "-a", "a.b", "a" * 64, "a\n"]),
        (names.dns1123_subdomain, ["a", "a.b-c", "a" * 253], ["", "a..b", "A", "a_b", "a" * 254]),
        (names.dns1035_label, ["a", "a-1"], ["1a", "a-", "a.b"]),
        (names.label_key, ["a", "A_b.c", "example.com/My-Name"], ["", "/a", "a/", "a/b/c", "Ex.com/a", "a" * 64]),
        (names.label_value, ["", "a", "A_b.c"], ["-a", "a/b", "a" * 64]),
        (names.annotation_key, ["Ex.com/A"], ["a b"]),
        (names.config_key, [".a", "a_B"], ["", "..", "..a", "a/b"]),
        (names.port_name, ["http", "a-1"], ["", "1", "a--b", "-a", "A", "a" * 16]),
        (names.env_name, ["A", "a.b-c 1"], ["", "A=B", "ä"]),
        (names.path_segment, ["system:node", "a b"], [".", "..", "a/b", "a%b"]),
        (names.wildcard_subdomain, ["*.a.b"], ["*", "a.b", "*.*.b"]),
    ],
)
def test_names_follow_upstreams_rules(check: Callable[[str], str | None], good: list[str], bad: list[str]) -> None:
    assert [value for value in good if check(value) is not None] == []
    assert [value for value in bad if check(value) is None] == []


def test_messages_are_upstreams() -> None:
    assert names.dns1123_label("A_b") == (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )
    assert names.dns1123_label("a.b") == "must not contain dots"
    assert names.label_value("a" * 64) == "must be no more than 63 characters"


def test_limits_are_in_bytes() -> None:
    assert str(names.label_value("é" * 32)).startswith("must be no more than 63 characters; ")


def test_annotations_have_one_limit_together() -> None:
    assert names.annotations_size({"a": "x" * (256 * 1024 - 1)}) is None
    assert names.annotations_size({"a": "x" * (256 * 1024)}) == "annotations size 262145 is larger than limit 262144"
