"""containerd is started again when it ends, and the node tells only of a long absence."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.support.clock import JumpingClock, until
from wherry.node.supervisor import Supervisor
from wherry.process import ProgramError


@dataclass
class FakeContainerd:
    """Ends when told to; its next `failures` starts fail."""

    failures: int = 0
    starts: list[float] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    clock: JumpingClock = field(default_factory=JumpingClock)

    async def wait(self) -> None:
        await self.ended.wait()

    async def start(self) -> None:
        self.starts.append(self.clock.monotonic())
        if self.failures:
            self.failures -= 1
            raise ProgramError("containerd: ended at once")
        self.ended.clear()


@dataclass
class World:
    containerd: FakeContainerd
    clock: JumpingClock
    told: list[str]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    containerd = FakeContainerd()
    made = World(containerd, containerd.clock, [])

    async def tell(problem: str) -> None:
        made.told.append(problem)

    async with made.clock.running():
        task = asyncio.create_task(Supervisor(containerd, made.clock, tell).run())
        yield made
        task.cancel()


async def test_it_is_started_again_at_once_and_nobody_is_alarmed(world: World) -> None:
    world.containerd.ended.set()
    await until(world.clock, lambda: world.told)
    assert world.containerd.starts == [pytest.approx(0.1, abs=0.05)]
    assert world.told == [""]


async def test_a_long_absence_is_told_and_its_end_too(world: World) -> None:
    world.containerd.failures = 8
    world.containerd.ended.set()
    await until(world.clock, lambda: world.told)
    assert world.told == ["container runtime is down"]
    assert world.clock.monotonic() == pytest.approx(10, abs=2)
    await until(world.clock, lambda: len(world.told) == 2)
    assert world.told[1] == ""


async def test_one_that_dies_again_and_again_is_started_ever_later(world: World) -> None:
    def came_back(times: int) -> bool:
        return world.told.count("") >= times

    for count in range(1, 13):
        world.containerd.ended.set()
        await until(world.clock, functools.partial(came_back, count))
    pauses = [later - sooner for sooner, later in itertools.pairwise(world.containerd.starts)]
    assert pauses[-1] == pytest.approx(30, abs=2)
    await world.clock.sleep(100)
    begun = world.clock.monotonic()
    world.containerd.ended.set()
    await until(world.clock, lambda: len(world.containerd.starts) == 13)
    assert world.clock.monotonic() - begun < 1, "it had been steady"
