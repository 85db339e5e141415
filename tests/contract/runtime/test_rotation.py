"""Logs are rotated under a container that goes on writing, and nothing it wrote is lost."""

import asyncio
import gzip
from functools import partial
from pathlib import Path

import pytest

from tests.contract.runtime.conftest import World, soon
from tests.support.clock import JumpingClock
from wherry.node.rotation import MOST_FILES, LogRotation
from wherry.node.settings import NodeSettings

COUNTS = ("sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done")


def rotation(world: World, clock: JumpingClock) -> LogRotation:
    logs = world.directory / "logs"
    settings = NodeSettings(name="node", address="10.0.0.1", pods=world.directory, logs=logs)
    return LogRotation(world.runtime, clock, settings, largest=200)


async def large(log: Path) -> bool:
    return (await asyncio.to_thread(log.stat)).st_size > 200


def counted(packed: Path, *plain: Path) -> list[int]:
    texts = [gzip.decompress(packed.read_bytes()), *(path.read_bytes() for path in plain)]
    return [int(line.split()[-1]) for text in texts for line in text.splitlines()]


@pytest.mark.root
async def test_a_large_log_is_set_aside_and_nothing_is_lost(real: World) -> None:
    clock = JumpingClock()
    rotated = rotation(real, clock)
    await real.start(COUNTS)
    log = Path((await real.only()).log_path)

    for _ in range(2):
        await soon(partial(large, log))
        await rotated.look()
        clock._passed += 1
    first, second = sorted(log.parent.glob("0.log.*"))
    assert (first.name, second.name) == ("0.log.20260101-000000.gz", "0.log.20260101-000001")
    await soon(partial(large, log))
    numbers = counted(first, second, log)
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.root
async def test_there_are_never_more_than_five_files(real: World) -> None:
    clock = JumpingClock()
    rotated = rotation(real, clock)
    await real.start(COUNTS)
    log = Path((await real.only()).log_path)

    for _ in range(MOST_FILES + 2):
        await soon(partial(large, log))
        await rotated.look()
        clock._passed += 1
    assert len(await asyncio.to_thread(lambda: list(log.parent.iterdir()))) == MOST_FILES
