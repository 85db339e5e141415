"""Bounds that all streams share: how many, how long idle, and the server's stop."""

import asyncio

import pytest

from wherry.apiserver.http.streams.lifetime import End, Lifetimes
from wherry.objects.errors import TooManyRequests


async def forever() -> None:
    await asyncio.Event().wait()


async def test_the_first_direction_to_end_ends_the_other() -> None:
    ended = asyncio.Event()

    async def other() -> None:
        try:
            await forever()
        finally:
            ended.set()

    assert await Lifetimes().until_over(None, other(), asyncio.sleep(0)) is End.DONE
    assert ended.is_set()


async def test_what_a_direction_raises_is_told() -> None:
    async def broken() -> None:
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        await Lifetimes().until_over(None, forever(), broken())


async def test_a_stream_on_which_nothing_moves_is_ended() -> None:
    assert await Lifetimes(idle=0.001).until_over(lambda: 7, forever(), forever()) is End.IDLE


async def test_a_stream_that_moves_lives_on_for_another_while() -> None:
    looks = iter((0, 1, 1, 2, 2, 2))
    assert await Lifetimes(idle=0.001).until_over(lambda: next(looks), forever()) is End.IDLE
    assert list(looks) == []


async def test_the_stop_ends_streams_even_later_ones() -> None:
    lifetimes = Lifetimes()
    stream = asyncio.ensure_future(lifetimes.until_over(None, forever()))
    await asyncio.sleep(0)
    lifetimes.stop()
    assert await stream is End.STOPPED
    assert await lifetimes.until_over(None, forever()) is End.STOPPED


def test_only_so_many_streams_are_open_at_once() -> None:
    lifetimes = Lifetimes(most=2)
    with lifetimes, lifetimes, pytest.raises(TooManyRequests, match="2 streams into pods are open"), lifetimes:
        pass
    with lifetimes, lifetimes:
        pass
