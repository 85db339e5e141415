"""Compiled filters: what they depend on, how long they are known, and how many."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest

from wherry.node.oci_runtime import SECCOMP_FILTER
from wherry.node.runtime import Security
from wherry.node.seccomp_filters import SeccompFilters, key

COMPILED = bytes(range(16))


@dataclass
class Clock:
    time: float = 0.0

    def __call__(self) -> float:
        return self.time

    def hours(self, number: float) -> None:
        self.time += number * 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def filters(tmp_path: Path, clock: Clock) -> SeccompFilters:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "seccomp.bpf").write_bytes(COMPILED)
    return SeccompFilters(tmp_path, clock)


def test_it_depends_on_the_capabilities_however_they_are_spelled() -> None:
    assert key(Security(add_capabilities=("net_admin", "CHOWN"))) == key(
        Security(add_capabilities=("CHOWN", "NET_ADMIN", "CHOWN"))
    )
    assert key(Security(add_capabilities=("CHOWN",))) != key(Security(drop_capabilities=("CHOWN",)))
    assert key(Security(), sandbox=True) != key(Security())


@pytest.mark.parametrize(
    "security", [Security(privileged=True), Security(seccomp="Unconfined"), Security(seccomp="Localhost/a.json")]
)
def test_other_filters_are_neither_learned_nor_given(security: Security, filters: SeccompFilters) -> None:
    wanted = key(security)
    assert wanted is None
    assert not filters.unknown(wanted)
    assert filters.annotations(wanted) == {}


def test_it_is_known_for_an_hour_and_until_it_is_forgotten(filters: SeccompFilters, clock: Clock) -> None:
    wanted = key(Security())
    assert wanted is not None
    filters.learn(wanted, "one")
    clock.hours(0.9)
    assert filters.annotations(wanted) == {SECCOMP_FILTER: b64encode(COMPILED).decode()}
    assert not filters.unknown(wanted)
    clock.hours(0.2)
    assert filters.annotations(wanted) == {}
    assert filters.unknown(wanted)
    filters.learn(wanted, "one")
    filters.forget()
    assert filters.annotations(wanted) == {}


def test_of_a_container_without_one_nothing_is_learned(filters: SeccompFilters) -> None:
    wanted = key(Security())
    assert wanted is not None
    (filters.states / "half").mkdir()
    (filters.states / "half" / "seccomp.bpf").write_bytes(COMPILED[:-1])
    for each in ("gone", "half"):
        filters.learn(wanted, each)
    assert filters.unknown(wanted)


def test_no_more_are_learned_than_are_kept(filters: SeccompFilters) -> None:
    keys = [key(Security(add_capabilities=(f"C{number}",))) for number in range(100)]
    for each in keys:
        if each and filters.unknown(each):
            filters.learn(each, "one")
    assert sum(bool(filters.annotations(each)) for each in keys) == 64
