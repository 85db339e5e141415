from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects import durations, times
from wherry.objects.conditions import condition_of, get_condition, is_true, remove_condition, set_condition


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (180 * 60, "3h"),
        (200 * 60, "3h20m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (9 * 86400 + 3600, "9d"),
        (729 * 86400, "729d"),
        (771 * 86400, "2y41d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_read_as_kubectl_prints_them(seconds: float, shown: str) -> None:
    assert durations.human(timedelta(seconds=seconds)) == shown


def test_short_ages_have_one_unit() -> None:
    ages = [-3, 59, 61, 7200, 90000, 400 * 86400]
    assert [durations.human_short(timedelta(seconds=s)) for s in ages] == ["<invalid>", "59s", "1m", "2h", "1d", "1y"]


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("0", 0, "0s"),
        ("90s", 90, "1m30s"),
        ("1h", 3600, "1h0m0s"),
        ("1.5h", 5400, "1h30m0s"),
        ("-1m2.5s", -62.5, "-1m2.5s"),
        ("250ms", 0.25, "250ms"),
        ("1us", 0.000001, "1µs"),
        (".5s", 0.5, "500ms"),
    ],
)
def test_go_durations(text: str, seconds: float, canonical: str) -> None:
    assert durations.parse_go(text).total_seconds() == seconds
    assert durations.format_go(durations.parse_go(text)) == canonical


@pytest.mark.parametrize("text", ["", "1", "s", "1d", "1h 2m", "--1s", "1h2"])
def test_bad_go_durations(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        durations.parse_go(text)


@given(st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_go_durations_survive_printing(duration: timedelta) -> None:
    assert durations.parse_go(durations.format_go(duration)) == duration


def test_times_are_printed_in_utc() -> None:
    moment = times.parse("2026-01-02T03:04:05.678901+01:00")
    assert times.format_time(moment) == "2026-01-02T02:04:05Z"
    assert times.format_micro(moment) == "2026-01-02T02:04:05.678901Z"
    assert times.canonical_micro("2026-01-02T03:04:05Z") == "2026-01-02T03:04:05.000000Z"
    assert times.parse("2026-01-02T03:04:05.123456789Z").microsecond == 123456


@pytest.mark.parametrize(
    "text", ["", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z"]
)
def test_bad_times(text: str) -> None:
    assert not times.is_time(text)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis wants bounds without a zone
def test_times_survive_printing(moment: datetime) -> None:
    assert times.parse(times.format_micro(moment)) == moment
    assert times.is_time(times.format_time(moment))


def test_transition_time_moves_only_with_the_status() -> None:
    ready = {"type": "Ready", "status": "False", "reason": "Starting"}
    first = set_condition(None, ready, "t1")
    second = set_condition(first, {**ready, "reason": "Slow"}, "t2")
    third = set_condition([*second, {"type": "Other", "status": "True"}], {**ready, "status": "True"}, "t3")
    assert [c[0]["lastTransitionTime"] for c in (first, second, third)] == ["t1", "t1", "t3"]
    assert (get_condition(second, "Ready") or {})["reason"] == "Slow"
    assert first[0]["reason"] == "Starting"
    assert [c["type"] for c in third] == ["Ready", "Other"]
    assert is_true({"status": {"conditions": third}}, "Ready")
    assert not is_true({}, "Ready")
    assert condition_of({"status": {"conditions": remove_condition(third, "Ready")}}, "Ready") is None
