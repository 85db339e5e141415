"""Tasks by name, and work that no cancellation ends half done."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def spawn(group: asyncio.TaskGroup, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Start `work` in the group under a name that logs and debuggers show."""
    return group.create_task(work, name=name)


async def carried_out(work: Coroutine[Any, Any, object]) -> None:
    """Do `work` to its end, which it must have; that this task was cancelled meanwhile (Ctrl-C) is told after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled:
        raise cancelled
