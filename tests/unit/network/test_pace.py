"""Routing rests in a storm, not after a few changes."""

import pytest

from wherry.network.pace import Pace


def test_a_few_transactions_need_no_rest_and_many_do() -> None:
    pace = Pace()
    rests = [pace.rest(at, at + 0.05) for at in (10.0, 10.06, 10.12, 10.18, 10.24, 10.30, 10.56)]
    assert rests == [0, 0, 0, 0, 0, pytest.approx(0.2), pytest.approx(0.2)]


def test_a_quiet_while_gives_one_back_and_no_rest_is_long() -> None:
    pace = Pace()
    for _ in range(5):
        pace.rest(10.0, 10.0)
    assert pace.rest(10.0, 10.5) == 0.5
    assert pace.rest(11.0, 11.1) == 0
    assert pace.rest(11.1, 11.2) == pytest.approx(0.4)
