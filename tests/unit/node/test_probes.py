"""When the early probes come."""

from wherry.node.probes import FIRST_EXEC_SECONDS, FIRST_SECONDS, next_pause


def pauses(first: float, period: float) -> list[float]:
    """All until the period is reached."""
    found, passed = [first], first
    while found[-1] < period:
        found.append(next_pause(found[-1], passed, period))
        passed += found[-1]
    return found


def test_early_probes_come_evenly_while_most_apps_start_and_then_seldom() -> None:
    found = pauses(FIRST_SECONDS, 10.0)
    assert found[:4] == [0.01, 0.02, 0.04, 0.08]
    steady = found.count(0.08)
    assert 20 < steady < 30
    assert found[3 + steady :] == [0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.0]


def test_a_process_for_each_probe_is_started_ever_more_seldom() -> None:
    assert pauses(FIRST_EXEC_SECONDS, 1.0) == [0.1, 0.2, 0.4, 0.8, 1.0]
