import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.quantities import FORMAT_WRONG, Format, Quantity, from_milli, from_value, is_quantity, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("0Mi", "0"),
        ("100m", "100m"),
        ("0.1", "100m"),
        ("1000m", "1"),
        ("1.5", "1500m"),
        ("1.250", "1.250"),  # upstream prints such text as it came
        ("1500", "1500"),
        ("1000000", "1M"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1Ki", "1Ki"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("0.0001Ki", "102400u"),
        ("12e6", "12e6"),
        ("1e3", "1e3"),
        ("1000e3", "1e6"),
        ("1E", "1E"),
        ("1E2", "100"),
        ("-1.5", "-1500m"),
        (".5", "500m"),
        ("5.", "5."),
        ("0.1n", "1n"),
        ("9223372036854775808Ki", "9223372036854775807"),
        ("1000E", "1000E"),
        (2, "2"),
        (0.5, "500m"),
    ],
)
def test_canonical_text(text: Any, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    "text", ["", ".", "a", "1i", "1mi", "1 Mi", "1.1.M", "--1", "1e", "1eM", "1e1.5", "Mi", "1e999999999"]
)
def test_what_is_no_quantity(text: str) -> None:
    assert not is_quantity(text)


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_other_json_values_are_no_quantities(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(FORMAT_WRONG)}$"):
        parse(value)


def test_arithmetic_is_exact_and_keeps_the_format() -> None:
    assert str(parse("100m") + parse("0.2")) == "300m"
    assert str(parse("1Gi") - parse("512Mi")) == "512Mi"
    assert str(parse("0") + parse("1Gi")) == "1Gi"
    assert str(parse("1Gi") + parse("1")) == "1073741825"
    assert parse("1") > parse("999m")
    assert parse("1024Ki") == parse("1Mi")
    assert hash(parse("1000m")) == hash(parse("1"))
    assert str(-parse("1") * 3) == "-3"
    assert max([parse("1G"), parse("1Gi")]) == parse("1Gi")


def test_values_are_rounded_up() -> None:
    assert parse("1500m").value() == 2
    assert parse("-1500m").value() == -2
    assert parse("1.5Gi").value() == 1610612736
    assert parse("100u").milli() == 1
    assert from_milli(250).milli() == 250
    assert str(from_value(2048, Format.BINARY_SI)) == "2Ki"


@given(st.integers(-(10**24), 10**24), st.sampled_from(list(Format)))
def test_canonical_text_means_the_same_amount(nano: int, fmt: Format) -> None:
    quantity = Quantity(nano, fmt)
    if fmt is Format.BINARY_SI and abs(nano) > (2**63 - 1) * 10**9:
        return
    assert parse(str(quantity)) == quantity
    assert str(parse(str(quantity))) == str(quantity)
