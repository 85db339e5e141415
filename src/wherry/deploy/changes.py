"""Changes of a folder, told by the kernel (inotify): nothing is asked again and again, and an edit is known at once."""

import asyncio
import contextlib
import ctypes
import errno
import os
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from wherry.deploy.errors import InputError

QUIET_SECONDS = 0.005  # an editor writes, renames and sets modes in one go
LONGEST_SECONDS = 0.5  # whoever writes without a pause is not waited for longer
_MOST_DIRECTORIES = 20_000
_ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x4, 0x8, 0xC0, 0x100, 0x200
_MASK = _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | 0x0100_0000 | 0x0200_0000  # directories alone, no links
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_HEAD = struct.Struct("iIII")
_BUFFER = 1 << 16


class Changes:
    """Every change below `folder` but in what `passes` does not let through (paths relative to it, with `/`)."""

    def __init__(self, folder: Path, passes: Callable[[str], bool]) -> None:
        self._folder, self._passes = folder, passes
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = -1
        self._places: dict[int, str] = {}
        self._changed, self._again = asyncio.Event(), asyncio.Event()
        self._first = self._last = 0.0

    async def __aenter__(self) -> Self:
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise self._refused()
        try:
            self._add("")
        except BaseException:
            os.close(self._fd)
            raise
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def next(self) -> float:
        """Wait for changes, and until they pause; when the first of them was, by the monotonic clock."""
        await self._changed.wait()
        end = self._first + LONGEST_SECONDS
        while (wait := min(self._last + QUIET_SECONDS, end) - time.monotonic()) > 0:
            self._again.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._again.wait(), wait)
        self._changed.clear()
        return self._first

    def _add(self, place: str) -> None:
        """Watch a directory and those in it. What is in one that is new came unseen, so the caller counts it."""
        todo = [place]
        while todo:
            here = todo.pop()
            number = self._libc.inotify_add_watch(self._fd, os.fsencode(self._folder / here), _MASK)
            if number < 0:
                if ctypes.get_errno() in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    continue  # it is gone already
                raise self._refused()
            self._places[number] = here
            if len(self._places) > _MOST_DIRECTORIES:
                raise InputError(f"{self._folder} has more than {_MOST_DIRECTORIES} directories: too many to watch")
            try:
                with os.scandir(self._folder / here) as found:
                    inner = [one.name for one in found if one.is_dir(follow_symlinks=False)]
            except OSError:
                continue
            todo += [path for name in inner if self._passes(path := f"{here}/{name}" if here else name)]

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size + length
            self._take(number, mask, os.fsdecode(data[at - length : at].rstrip(b"\0")))

    def _take(self, number: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:  # some were lost: directories may be among them
            self._add("")
        elif mask & _IGNORED:
            self._places.pop(number, None)
            return
        else:
            place = self._places.get(number)
            if place is None or not name:
                return
            path = f"{place}/{name}" if place else name
            if not self._passes(path) or not self._counts(path, mask):
                return
        self._last = time.monotonic()
        self._again.set()
        if not self._changed.is_set():
            self._first = self._last
            self._changed.set()

    def _counts(self, path: str, mask: int) -> bool:
        """A file that is new counts when it has been written; links and directories at once."""
        if not mask & (_CREATE | 0x80):
            return True
        try:
            mode = os.lstat(self._folder / path).st_mode
        except OSError:
            return not mask & _CREATE
        if stat.S_ISDIR(mode):
            self._add(path)
            return True
        return not mask & _CREATE or not stat.S_ISREG(mode)

    def _refused(self) -> InputError:
        number = ctypes.get_errno()
        hint = "sysctl -w fs.inotify.max_user_watches=65536 fs.inotify.max_user_instances=512"
        return InputError(
            f"{self._folder} cannot be watched: {os.strerror(number)}",
            *([f"the kernel's limits are reached: {hint}"] if number in (errno.ENOSPC, errno.EMFILE) else []),
        )
