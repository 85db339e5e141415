"""Turns go to those ahead first, and none is lost when somebody gives up waiting."""

import asyncio

from wherry.node.turns import Turns


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_finishes_goes_ahead_of_what_begins() -> None:
    turns, order = Turns(1), list[str]()
    go = asyncio.Event()

    async def work(name: str, ahead: bool) -> None:
        async with turns.turn(ahead=ahead):
            order.append(name)
            await go.wait()

    tasks = [asyncio.create_task(work("first", False))]
    await settle()
    for name, ahead in (("begin a", False), ("begin b", False), ("finish a", True), ("finish b", True)):
        tasks.append(asyncio.create_task(work(name, ahead)))
    await settle()
    go.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "finish a", "finish b", "begin a", "begin b"]


async def test_never_more_than_allowed_at_once() -> None:
    turns, now, most = Turns(3), 0, 0

    async def work(number: int) -> None:
        nonlocal now, most
        async with turns.turn(ahead=number % 2 == 0):
            now += 1
            most = max(most, now)
            await settle()
            now -= 1

    await asyncio.gather(*(work(number) for number in range(50)))
    assert (most, now) == (3, 0)


async def test_a_turn_that_is_not_taken_goes_to_the_next() -> None:
    turns, go = Turns(1), asyncio.Event()

    async def take() -> None:
        async with turns.turn():
            pass

    async def hold() -> None:
        async with turns.turn():
            await go.wait()
        gives_up.cancel()  # in the very moment in which it was given the turn

    holder = asyncio.create_task(hold())
    await settle()
    gives_up, waits = asyncio.create_task(take()), asyncio.create_task(take())
    await settle()
    go.set()
    await holder
    await asyncio.wait_for(waits, 1)
    assert gives_up.cancelled()
