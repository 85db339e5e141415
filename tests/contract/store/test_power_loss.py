"""A power loss at every single disk operation: nothing acknowledged is lost, nothing half is found.

Limits: one file system's view (writes in 512-byte sectors, deletions durable at once), one run of about sixty writes.
"""

import asyncio
import itertools
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.store.simulated_disk import Op, Platter, RecordingDisk
from wherry.store import Key, Options, Record, Store, Sync

State = dict[tuple[str, str], bytes]


@dataclass(frozen=True)
class Acknowledged:
    revision: int


@dataclass(frozen=True)
class Sealed:
    """`value` None: a deletion, or something that is never on disk."""

    revision: int
    key: Key
    value: bytes | None


@dataclass(frozen=True)
class Verdict:
    points: int
    losses: int


@pytest.fixture
def memory_dir() -> Iterator[Path]:
    """The images are written and opened hundreds of times: not on a real disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as path:
        yield Path(path)


async def work(disk: RecordingDisk, directory: Path, sync: Sync) -> None:
    """Four writers at once: creations, updates, deletions, small and large, so that checkpoints fall in between."""
    store = await Store.open(directory, options=Options(ballast=0, checkpoint=20, vfs=disk.name))
    chance = random.Random(7)

    async def write(key: Key, size: int, *, deletes: bool, how: Sync) -> None:
        def seal(revision: int) -> tuple[bytes, None]:
            value = f"{revision}:".encode().ljust(size, b".")
            disk.log.append(Sealed(revision, key, None if deletes or how is Sync.MEMORY else value))
            return value, None

        record = await (store.delete if deletes else store.put)(key, seal, sync=how)
        disk.log.append(Acknowledged(record.revision))

    async def writer(number: int) -> None:
        for turn in range(16):
            key = Key("pods", f"n{number}", chance.choice("abc"))
            await write(
                key, chance.choice((40, 900, 9000)), deletes=store.get(key) is not None and turn % 3 == 0, how=sync
            )
            if turn % 5 == 0:
                await write(Key("leases", "", f"l{number}"), 40, deletes=False, how=Sync.MEMORY)

    await asyncio.gather(*(writer(number) for number in range(4)))
    await store.close()


def states(log: list[object]) -> dict[int, State]:
    """The durable state at each revision."""
    state: State = {}
    out = {0: state}
    for sealed in log:
        if isinstance(sealed, Sealed):
            state = dict(state)
            state.pop(sealed.key[1:], None)
            if sealed.value is not None:
                state[sealed.key[1:]] = sealed.value
            out[sealed.revision] = state
    return out


async def judge(disk: RecordingDisk, directory: Path, seed: int) -> Verdict:
    """Lose the power after each operation, open what is left, compare."""
    history = states(disk.log)
    platter, acknowledged, sealed, losses, points = Platter(), 0, 0, 0, 0
    for event in disk.log:
        if isinstance(event, Acknowledged):
            acknowledged = max(acknowledged, event.revision)
        elif isinstance(event, Sealed):
            sealed = event.revision
        elif isinstance(event, Op):
            platter.do(event)
            points += 1
            image = directory / str(points)
            image.mkdir()
            platter.after_power_loss(random.Random(seed * 100_003 + points), image)
            losses += await found(image, history, acknowledged, sealed)
    return Verdict(points, losses)


async def found(image: Path, history: dict[int, State], acknowledged: int, sealed: int) -> bool:
    """Whether acknowledged writes are missing. The state must be one that there was, and revisions must not repeat."""
    store = await Store.open(image, options=Options(ballast=0))
    state = {record.key[1:]: record.value for record in store.scan("pods")}
    assert store.revision >= acknowledged
    new: Record = await store.put(Key("pods", "n0", "new"), lambda revision: (b"", None))
    assert new.revision > acknowledged
    await store.close()
    matching = [revision for revision, past in history.items() if past == state and revision <= sealed]
    assert matching, "a state that there never was"
    return max(matching) < acknowledged


numbers = itertools.count()


@pytest.fixture
def disk() -> Iterator[RecordingDisk]:
    recording = RecordingDisk(f"recording-{next(numbers)}")
    yield recording
    recording.unregister()


async def test_no_power_loss_takes_an_acknowledged_write(disk: RecordingDisk, memory_dir: Path, tmp_path: Path) -> None:
    await work(disk, tmp_path, Sync.FULL)
    verdict = await judge(disk, memory_dir, seed=1)
    assert verdict.points > 200
    assert verdict.losses == 0


async def test_the_simulation_finds_the_losses_of_unsynced_commits(
    disk: RecordingDisk, memory_dir: Path, tmp_path: Path
) -> None:
    """The check of the check; and even these writes leave no half state and no repeated revision behind."""
    await work(disk, tmp_path, Sync.LAZY)
    verdict = await judge(disk, memory_dir, seed=1)
    assert verdict.losses > verdict.points // 4
