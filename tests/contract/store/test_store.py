"""What everyone may rely on: expectations, order, revisions, the past, the feed."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wherry.store import (
    Closed,
    Compacted,
    Exists,
    Future,
    InUse,
    Key,
    Lagged,
    Missing,
    Options,
    Record,
    Stale,
    Store,
    Sync,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "db", ring=40, options=Options(ballast=0))
    yield opened
    await opened.close()


def says(text: str) -> Callable[[int], tuple[bytes, Any]]:
    """A seal that writes its revision into the value."""
    return lambda revision: (f"{text}@{revision}".encode(), {"said": text})


def pod(name: str, namespace: str = "default") -> Key:
    return Key("pods", namespace, name)


def shown(records: Sequence[Record]) -> list[tuple[str, bytes]]:
    return [(f"{r.key.namespace}/{r.key.name}", r.value) for r in records]


async def test_a_write_is_seen_as_soon_as_it_returns(store: Store) -> None:
    record = await store.put(pod("a"), says("one"), expect=0)
    assert store.get(pod("a")) is record
    assert record.revision == store.revision
    assert record.value == f"one@{record.revision}".encode()
    assert record.memo == {"said": "one"}


async def test_expectations_name_what_is_there(store: Store) -> None:
    first = await store.put(pod("a"), says("one"), expect=0)
    with pytest.raises(Exists) as exists:
        await store.put(pod("a"), says("two"), expect=0)
    assert exists.value.record is first
    second = await store.put(pod("a"), says("two"), expect=first.revision)
    with pytest.raises(Stale) as stale:
        await store.put(pod("a"), says("three"), expect=first.revision)
    assert stale.value.record is second
    with pytest.raises(Stale):
        await store.delete(pod("a"), says("gone"), expect=first.revision)
    with pytest.raises(Missing):
        await store.put(pod("b"), says("one"), expect=7)
    with pytest.raises(Missing):
        await store.delete(pod("b"), says("gone"))
    assert store.revision == second.revision, "what failed took no revision"


async def test_writes_of_one_group_see_each_other_and_fail_alone(store: Store) -> None:
    results = await asyncio.gather(
        *(store.put(pod("a"), says(str(n)), expect=0) for n in range(10)), return_exceptions=True
    )
    winners = [r for r in results if isinstance(r, Record)]
    losers = [r for r in results if isinstance(r, Exists)]
    assert len(winners) == 1
    assert [loser.record for loser in losers] == winners * 9


async def test_a_loop_that_never_rests_does_not_starve_the_writes(store: Store) -> None:
    """Without the hand-over this takes from one to thirty seconds, depending on the luck of the threads."""
    done = asyncio.Event()

    async def busy() -> None:
        while not done.is_set():
            until = time.perf_counter() + 0.0001
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    async def writer(number: int) -> None:
        for _ in range(20):
            await store.put(pod(str(number)), says("v"))

    spinning = asyncio.create_task(busy())
    try:
        async with asyncio.timeout(5):
            await asyncio.gather(*(writer(number) for number in range(16)))
    finally:
        done.set()
        await spinning


async def test_what_a_seal_raises_comes_out_and_stops_nobody_else(store: Store) -> None:
    def broken(_revision: int) -> tuple[bytes, Any]:
        raise ValueError("no such form")

    failed, fine = await asyncio.gather(
        store.put(pod("a"), broken), store.put(pod("b"), says("one")), return_exceptions=True
    )
    assert isinstance(failed, ValueError)
    assert isinstance(fine, Record)
    assert store.get(pod("a")) is None


async def test_a_cancelled_callers_write_is_carried_out(store: Store) -> None:
    task = asyncio.create_task(store.put(pod("a"), says("one")))
    await asyncio.sleep(0)
    task.cancel()
    after = await store.put(pod("b"), says("two"))
    written = store.get(pod("a"))
    assert task.cancelled()
    assert written is not None
    assert written.revision < after.revision


async def test_a_deletion_hands_out_the_last_state_with_its_own_revision(store: Store) -> None:
    old = await store.put(pod("a"), says("one"))
    with closing(store.subscribe(old.revision)) as reader:
        gone = await store.delete(pod("a"), says("gone"))
        (change,) = await reader.next()
    assert (change.deleted, change.record, change.old) == (True, gone, old)
    assert gone.value == f"gone@{gone.revision}".encode()
    assert store.get(pod("a")) is None
    assert store.resources() == []


async def test_lists_are_sorted_by_namespace_then_name(store: Store) -> None:
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y"), ("", "w")):
        await store.put(pod(name, namespace), says(name))
    await store.put(Key("nodes", "", "n"), says("n"))
    assert [(r.key.namespace, r.key.name) for r in store.scan("pods")] == [
        ("", "w"),
        ("a", "y"),
        ("a", "z"),
        ("b", "x"),
    ]
    assert [r.key.name for r in store.scan("pods", "a")] == ["y", "z"]
    assert store.scan("pods") is store.scan("pods")
    assert store.scan("jobs") == ()
    assert store.resources() == ["nodes", "pods"]


@pytest.mark.parametrize("seed", range(4))
async def test_every_remembered_revision_can_be_listed_exactly(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    past: dict[int, list[tuple[str, bytes]]] = {store.revision: []}
    for _ in range(60):
        key = pod(chance.choice("abcde"), chance.choice("xy"))
        if store.get(key) and chance.random() < 0.4:
            await store.delete(key, says("gone"))
        else:
            await store.put(key, says("v"), sync=chance.choice(tuple(Sync)))
        past[store.revision] = shown(store.scan("pods"))
    for revision in range(store.revision - 40, store.revision + 1):
        assert shown(store.scan_at("pods", "", revision)) == past[revision]
        assert shown(store.scan_at("pods", "x", revision)) == [r for r in past[revision] if r[0].startswith("x/")]
    with pytest.raises(Compacted) as compacted:
        store.scan_at("pods", "", store.revision - 41)
    assert compacted.value.oldest == store.revision - 40
    with pytest.raises(Future):
        store.scan_at("pods", "", store.revision + 1)


async def test_a_reader_gets_every_change_once_in_order_wherever_it_begins(store: Store) -> None:
    start = store.revision
    await asyncio.gather(*(store.put(pod(f"p{n}"), says("v")) for n in range(20)))
    for since in range(start, store.revision):
        with closing(store.subscribe(since)) as reader:
            assert [change.revision for change in await reader.next()] == list(range(since + 1, store.revision + 1))


async def test_a_reader_sees_only_its_resource_and_namespace_but_all_revisions_pass(store: Store) -> None:
    with closing(store.subscribe(store.revision, resource="pods", namespace="a")) as reader:
        await store.put(Key("jobs", "a", "j"), says("v"))
        await store.put(pod("p", "b"), says("v"))
        assert reader.revision == store.revision, "nothing of it was for this reader"
        wanted = await store.put(pod("p", "a"), says("v"))
        await store.put(pod("q", "b"), says("v"))
        assert reader.revision == wanted.revision - 1, "never ahead of what was not handed out"
        assert [change.record for change in await reader.next()] == [wanted]
        assert reader.revision == store.revision


async def test_waiting_for_changes_can_be_given_up_without_losing_any(store: Store) -> None:
    with closing(store.subscribe(store.revision)) as reader:
        waiting = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        record = await store.put(pod("a"), says("one"))
        assert [change.record for change in await reader.next()] == [record]


async def test_a_future_revision_is_silent_until_it_has_passed(store: Store) -> None:
    since = store.revision + 2
    with closing(store.subscribe(since)) as reader:
        for name in "abc":
            await store.put(pod(name), says(name))
        assert [change.record.key.name for change in await reader.next()] == ["c"]


async def test_a_slow_reader_is_cut_off_and_others_go_on(store: Store) -> None:
    since = store.revision
    with closing(store.subscribe(since, capacity=5)) as slow, closing(store.subscribe(since, capacity=50)) as quick:
        for n in range(10):
            await store.put(pod(f"p{n}"), says("v"))
        assert slow.revision == since, "what was dropped does not count as handed out"
        with pytest.raises(Lagged):
            await slow.next()
        assert len(await quick.next()) == 10


async def test_a_long_past_does_not_count_against_the_capacity(store: Store) -> None:
    since = store.revision
    for n in range(10):
        await store.put(pod(f"p{n}"), says("v"))
    with closing(store.subscribe(since, capacity=2)) as reader:
        await store.put(pod("x"), says("v"))
        assert len(await reader.next()) == 11


async def test_closing_wakes_waiting_readers_and_refuses_writes(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    waiting = asyncio.create_task(store.subscribe(store.revision).next())
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(Closed):
        await waiting
    with pytest.raises(Closed):
        await store.put(pod("a"), says("one"))


async def test_a_restart_keeps_the_state_and_goes_on_counting(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    await store.put(pod("a"), says("one"))
    await store.put(pod("b"), says("two"), sync=Sync.LAZY)
    await store.put(pod("c"), says("three"), sync=Sync.MEMORY)
    await store.put(pod("d"), says("four"))
    await store.delete(pod("d"), says("gone"))
    before, last = shown(store.scan("pods")), store.revision
    await store.close()

    store = await Store.open(tmp_path)
    assert store.revision == last
    assert shown(store.scan("pods")) == before[:2], "all but what was only in memory"
    assert {record.memo for record in store.scan("pods")} == {None}
    assert (await store.put(pod("e"), says("five"))).revision == last + 1
    with pytest.raises(Compacted):
        store.subscribe(last - 1)
    await store.close()


async def test_what_once_was_on_disk_is_never_older_there_than_in_memory(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for name in "ab":
        await store.put(pod(name), says("one"))
    newer = await store.put(pod("a"), says("two"), sync=Sync.MEMORY)
    await store.delete(pod("b"), says("gone"), sync=Sync.MEMORY)
    await store.close()
    store = await Store.open(tmp_path)
    assert shown(store.scan("pods")) == shown([newer])
    await store.close()


async def test_a_second_engine_on_the_directory_is_told_who_has_it(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InUse) as used:
        await Store.open(tmp_path / "db")
    assert used.value.pid == os.getpid()
    assert str(os.getpid()) in str(used.value)


async def test_nobody_else_can_read_the_files(store: Store, tmp_path: Path) -> None:
    await store.put(pod("a"), says("one"))
    assert (tmp_path / "db").stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "db").iterdir()} == {
        "lock": 0o600,
        "state.db": 0o600,
        "state.db-wal": 0o600,
    }
