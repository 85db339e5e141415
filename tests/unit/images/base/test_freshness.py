from datetime import UTC, datetime, timedelta

import pytest

from wherry.images.base.freshness import Candidate, compare, freshness, lines
from wherry.images.base.lock import Locked


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0-1", "1.0-1+deb12u1"),
        ("1.0~rc1", "1.0"),
        ("9.9", "1:0.1"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+b"),
        ("3.0.22-1~deb12u1", "3.0.22-1~deb12u2"),
        ("2.36-9+deb12u9", "2.36-9+deb12u14"),
    ],
)
def test_versions_are_ordered_as_debian_orders_them(older: str, newer: str) -> None:
    assert compare(older, newer) < 0 < compare(newer, older)
    assert compare(older, older) == 0


def test_fixes_come_first_and_older_candidates_do_not_count() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    has = [Locked(name, "1.0-1", "all", "") for name in ("a", "b", "c", "d")]
    offers = [Candidate("a", "1.1-1", False), Candidate("b", "1.0-1+deb12u1", True), Candidate("c", "0.9-1", True)]
    found = freshness("base", now - timedelta(days=43, hours=2), now, has, offers)
    assert (found.days, found.fixes) == (43, 1)
    assert list(lines(found)) == [
        "base: newest package 43 days old, 1 security fix and 1 other update",
        "  b 1.0-1 -> 1.0-1+deb12u1  (security)",
        "  a 1.0-1 -> 1.1-1",
    ]


def test_nothing_newer_is_said_in_a_line() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    assert list(lines(freshness("base", now, now, [], []))) == ["base: newest package 0 days old, nothing newer"]
