"""Supervised tasks: which of them are done on purpose, and how a failure in one is told."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("wherry")


def spawn(group: asyncio.TaskGroup, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
    """Start `work` in the group under a name that logs and debuggers show."""
    return group.create_task(work, name=name)
