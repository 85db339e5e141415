"""Disks that are full, that fail, that hold nonsense."""

import asyncio
import itertools
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.contract.store.simulated_disk import FailingDisk
from wherry.store import Full, Key, Options, ReadOnly, Store, Sync, Unreadable

numbers = itertools.count()


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    failing = FailingDisk(f"failing-{next(numbers)}")
    yield failing
    failing.unregister()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def pod(name: str) -> Key:
    return Key("pods", "default", name)


def sized(size: int) -> Any:
    return lambda revision: (str(revision).encode().ljust(size), None)


async def test_on_a_full_disk_writes_fail_reads_go_on_and_it_heals(disk: FailingDisk, tmp_path: Path) -> None:
    store = await Store.open(tmp_path, options=Options(ballast=0, vfs=disk.name))
    before = await store.put(pod("a"), sized(10))
    disk.write = apsw.FullError
    with pytest.raises(Full):
        await store.put(pod("a"), sized(10))
    with pytest.raises(Full):
        await store.put(pod("b"), sized(10), sync=Sync.LAZY)
    memory = await store.put(pod("c"), sized(10), sync=Sync.MEMORY)
    assert store.get(pod("a")) is before
    assert store.failure is None
    disk.write = None
    after = await store.put(pod("b"), sized(10))
    assert before.revision < memory.revision < after.revision == store.revision
    await store.close()
    store = await Store.open(tmp_path)
    assert [record.key.name for record in store.scan("pods")] == ["a", "b"]
    await store.close()


@pytest.mark.parametrize("failing", ["sync", "write"])
async def test_after_a_failed_sync_or_write_nothing_is_acknowledged_any_more(
    disk: FailingDisk, tmp_path: Path, failing: str
) -> None:
    store = await Store.open(tmp_path, options=Options(ballast=0, vfs=disk.name))
    before = await store.put(pod("a"), sized(10))
    setattr(disk, failing, apsw.IOError)
    with pytest.raises(ReadOnly):
        await store.put(pod("a"), sized(10))
    setattr(disk, failing, None)
    for sync in Sync:
        with pytest.raises(ReadOnly):
            await store.put(pod("b"), sized(10), sync=sync)
    assert store.get(pod("a")) is before
    assert await store.failed() is store.failure
    await store.close()
    store = await Store.open(tmp_path)
    assert store.get(pod("a")) is not None
    assert store.revision >= before.revision
    await store.close()


async def test_a_failed_checkpoint_is_fatal_too(disk: FailingDisk, tmp_path: Path) -> None:
    """SQLite by itself would try again in silence, and a second sync says yes to what the first one lost."""
    store = await Store.open(tmp_path, options=Options(ballast=0, checkpoint=10, vfs=disk.name))
    await store.put(pod("a"), sized(10))
    disk.sync = apsw.IOError
    await store.put(pod("a"), sized(10), sync=Sync.LAZY)
    with suppress(ReadOnly):
        for _ in range(10):  # no commit needs a sync here, only the checkpoint does
            await store.put(pod("a"), sized(10), sync=Sync.LAZY)
    assert "IOError" in (await asyncio.wait_for(store.failed(), 5)).cause
    await store.close()


@pytest.mark.root
async def test_on_a_really_full_disk_deletions_still_work(small_disk: Path) -> None:
    store = await Store.open(small_disk / "db", options=Options(ballast=2**20, checkpoint=50))
    names = []
    with suppress(Full):
        for number in range(1000):
            await store.put(pod(f"p{number:04}"), sized(20_000))
            names.append(f"p{number:04}")
    assert 20 < len(names) < 200
    with pytest.raises(Full):
        await store.put(pod("one-more"), sized(20_000))
    for name in names[5:]:
        await store.delete(pod(name), sized(20_000))
    await store.put(pod("last"), sized(20_000))
    await store.close()
    store = await Store.open(small_disk / "db", options=Options(ballast=2**20))
    assert [record.key.name for record in store.scan("pods")] == ["last", *names[:5]]
    await store.close()


async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    for number in range(50):
        await store.put(pod(str(number)), sized(3000))
    await store.close()
    path = tmp_path / "state.db"
    damaged = bytearray(path.read_bytes())
    damaged[8192:20480] = b"x" * 12288
    path.write_bytes(damaged)
    with pytest.raises(Unreadable, match=r"state\.db is damaged"):
        await Store.open(tmp_path)
    assert path.read_bytes() == damaged


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await (await Store.open(tmp_path)).close()
    with apsw.Connection(str(tmp_path / "state.db")) as newer:
        newer.pragma("user_version", 99)
    newer.close()
    with pytest.raises(Unreadable, match="schema 99"):
        await Store.open(tmp_path)


async def test_the_directory_is_free_again_after_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unreadable):
        await Store.open(tmp_path)
    (tmp_path / "state.db").unlink()
    await (await Store.open(tmp_path)).close()
