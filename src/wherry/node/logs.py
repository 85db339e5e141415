"""Read a container's log as the CRI writes it: lines of `TIME STREAM TAG TEXT`.

Following looks at the file's size a few times a second, and only while somebody follows.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from wherry.clock import Clock

_BLOCK = 64 << 10
_POLL_SECONDS = 0.1
_POLLS_PER_QUESTION = 3  # whether the container runs costs a call


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which lines, and how: the fields of `v1.PodLogOptions`."""

    timestamps: bool = False
    since: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None
    stream: str = "All"  # All, Stdout, Stderr


class Lines:
    """Turns bytes of the file into bytes for the reader; keeps what is incomplete for the next time."""

    def __init__(self, selection: Selection) -> None:
        self._timestamps = selection.timestamps
        self._since = selection.since
        self._stream = b"" if selection.stream == "All" else selection.stream.lower().encode()
        self._left = selection.limit_bytes
        self._rest = b""
        self._inside: set[bytes] = set()  # streams whose last line goes on
        self.full = selection.limit_bytes == 0

    def feed(self, data: bytes) -> bytes:
        """The text of the whole lines so far, cut where the limit is reached."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        out = b"".join(self._texts(lines))
        if self._left is not None:
            out = out[: self._left]
            self._left -= len(out)
            self.full = self._left == 0
        return out

    def restart(self) -> None:
        """The file was replaced: an incomplete line of the old one stays incomplete."""
        self._rest = b""

    def _texts(self, lines: list[bytes]) -> Iterator[bytes]:
        for line in lines:
            moment, _, rest = line.partition(b" ")
            stream, _, rest = rest.partition(b" ")
            tag, separator, text = rest.partition(b" ")
            if not separator or self._stream not in (b"", stream) or not self._recent(moment):
                continue
            goes_on = tag.partition(b":")[0] == b"P"
            if self._timestamps and stream not in self._inside:
                yield moment + b" "
            (self._inside.add if goes_on else self._inside.discard)(stream)
            yield text if goes_on else text + b"\n"

    def _recent(self, moment: bytes) -> bool:
        if self._since is None:
            return True
        try:
            at = datetime.fromisoformat(moment.decode("ascii"))
        except ValueError:
            return False
        return (at if at.tzinfo else at.replace(tzinfo=UTC)) >= self._since


async def read(path: Path, selection: Selection) -> AsyncGenerator[bytes, None]:
    """What the file holds now. Raises FileNotFoundError before the first chunk."""
    lines = Lines(selection)
    file = await asyncio.to_thread(_open, path, selection.tail_lines)
    try:
        async for chunk in _to_end(file, lines):
            yield chunk
    finally:
        file.close()


async def follow(
    path: Path, selection: Selection, running: Callable[[], Awaitable[bool]], clock: Clock
) -> AsyncGenerator[bytes, None]:
    """What the file holds and what comes, across rotation, until the container has ended and all is read."""
    lines = Lines(selection)
    file = await _wait_for(path, selection.tail_lines, running, clock)
    if file is None:
        return
    polls = 0
    ended = False
    try:
        while not lines.full:
            replaced = await asyncio.to_thread(_is_replaced, file, path)
            async for chunk in _to_end(file, lines):
                yield chunk
                polls = 0
            if replaced:
                await clock.sleep(_POLL_SECONDS)  # the writer changes over just after the new file is there
                async for chunk in _to_end(file, lines):
                    yield chunk
                file.close()
                file = await asyncio.to_thread(_open, path, None)
                lines.restart()
            elif ended:
                return
            else:
                polls += 1
                ended = polls % _POLLS_PER_QUESTION == 1 and not await running()
                if not ended:
                    await clock.sleep(_POLL_SECONDS)
    finally:
        file.close()


async def _wait_for(
    path: Path, tail_lines: int | None, running: Callable[[], Awaitable[bool]], clock: Clock
) -> BinaryIO | None:
    """The open file once it is there; None where the container ended without one."""
    while True:
        alive = await running()
        try:
            return await asyncio.to_thread(_open, path, tail_lines)
        except FileNotFoundError:
            if not alive:
                return None
        await clock.sleep(_POLL_SECONDS)


async def _to_end(file: BinaryIO, lines: Lines) -> AsyncGenerator[bytes, None]:
    while not lines.full and (block := await asyncio.to_thread(file.read, _BLOCK)):
        if chunk := lines.feed(block):
            yield chunk


def _open(path: Path, tail_lines: int | None) -> BinaryIO:
    file = path.open("rb", buffering=0)
    if tail_lines is not None:
        file.seek(_tail_offset(file, tail_lines))
    return file


def _tail_offset(file: BinaryIO, count: int) -> int:
    """Where the last `count` lines begin, found from the end in blocks."""
    size = file.seek(0, os.SEEK_END)
    at, wanted = size, count + 1
    while at > 0:
        begin = max(0, at - _BLOCK)
        file.seek(begin)
        block = file.read(at - begin)
        found = block.count(b"\n")
        if found < wanted:
            wanted -= found
            at = begin
            continue
        end = len(block)
        for _ in range(wanted):
            end = block.rindex(b"\n", 0, end)
        return begin + end + 1
    return 0


def _is_replaced(file: BinaryIO, path: Path) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:  # between the rename and the runtime's reopening
        return False
    mine = os.fstat(file.fileno())
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
