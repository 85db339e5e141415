"""What is forgotten of connections whose pod goes, by a `conntrack` that shows what it was asked."""

import asyncio
from pathlib import Path

import pytest

from wherry.network.conntrack import Unanswered, forget_unled

EARLY = (
    "udp 17 29 src=10.85.0.1 dst=192.0.2.1 sport=5 dport=53 src=192.0.2.1 dst=10.85.0.1 sport=53 dport=5 mark=0 use=1",
    "udp 17 29 src=10.85.0.1 dst=10.85.0.1 sport=6 dport=53 [UNREPLIED] src=10.85.0.1 dst=10.85.0.1 sport=53 dport=6",
)
LINE = (
    "tcp 6 118 SYN_SENT src=10.0.0.9 dst=10.86.0.7 sport=5 dport=80 [UNREPLIED] "
    "src=10.85.0.2 dst=10.0.0.9 sport=80 dport=5"
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the arguments of every call."""
    log = tmp_path / "asked"
    program = tmp_path / "conntrack"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" = -L ] && cat {tmp_path}/table\nexit 0\n')
    (tmp_path / "table").write_text(f"{LINE}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return log


def forget(*addresses: str) -> None:
    async def together() -> None:
        unanswered = Unanswered()
        await asyncio.gather(*(unanswered.forget(each) for each in addresses))

    asyncio.run(together())


def test_only_entries_of_the_pod_that_goes_are_deleted(asked: Path) -> None:
    forget("10.85.0.3")
    assert len(asked.read_text().splitlines()) == 1
    forget("10.85.0.2")
    assert asked.read_text().splitlines()[-1] == "-D -p tcp --state SYN_SENT --reply-src 10.85.0.2"


def test_pods_that_go_together_share_a_look(asked: Path) -> None:
    forget(*(f"10.85.1.{number}" for number in range(20)))
    assert asked.read_text().count("-L") <= 2


def test_only_who_has_sent_by_udp_without_an_answer_is_translated_anew(asked: Path) -> None:
    (asked.parent / "table").write_text("\n".join(EARLY))
    asyncio.run(forget_unled([53]))
    assert asked.read_text().splitlines() == [
        "-L -p udp --orig-port-dst 53",
        "-D -p udp --orig-dst 10.85.0.1 --orig-port-dst 53",
    ]
