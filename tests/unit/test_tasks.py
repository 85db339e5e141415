"""Work that is carried out whatever happens to who asked for it."""

import asyncio

import pytest

from wherry.tasks import carried_out


async def test_work_is_carried_out_though_its_task_is_cancelled_again_and_again_and_that_is_told_after_it() -> None:
    begun, may_end, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        done.set()

    task = asyncio.create_task(carried_out(work()))
    await begun.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.wait((task,), timeout=0)
        assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_what_fails_in_it_is_told() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await carried_out(work())
