"""The one loop: how often it looks, and at what."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.api import FakeApi
from tests.support.clock import JumpingClock, until
from wherry.client.actions import Action
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.client.reconcile import Loop
from wherry.objects import Obj


@dataclass
class Looks:
    """A controller that writes nothing and notes when it looked."""

    clock: JumpingClock
    rest: float = 0.0
    times: list[float] = field(default_factory=list)

    def controller(self) -> Controller[Obj]:
        def observe(obj: Obj, lister: Lister, now: datetime) -> Obj:
            self.times.append(round(self.clock.monotonic(), 3))
            return obj

        def plan(seen: Obj) -> Iterator[Action]:
            yield from ()

        return Controller(name="looks", kind="ConfigMap", observe=observe, plan=plan, rest=lambda seen: self.rest)


async def looked(rest: float, changes: int) -> list[float]:
    """When the loop looked at an object that was made and then changed so often, counted from its making."""
    clock = JumpingClock()
    api, looks = FakeApi(clock), Looks(clock, rest)
    loop = Loop(looks.controller(), api.mirror, api, clock, lambda *event: None)
    async with clock.running(), asyncio.timeout(20):
        running = asyncio.create_task(loop.run())
        await asyncio.sleep(0)
        begun = round(clock.monotonic(), 3)
        made = await api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}})
        await until(clock, lambda: len(looks.times) == 1)
        for number in range(changes):
            api.change(made, data={"n": str(number)})
            await clock.sleep(0.01)
        await clock.sleep(10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return [round(at - begun, 3) for at in looks.times]


async def test_every_change_is_looked_at() -> None:
    assert len(await looked(0.0, 2)) == 3


async def test_changes_while_a_controller_rests_are_one_look_after_it() -> None:
    assert await looked(0.5, 5) == [0.0, 0.5]
