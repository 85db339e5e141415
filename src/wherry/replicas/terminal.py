"""The user's own end of a session: stdin, stdout and, at a terminal, its raw mode and its size."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator

CHUNK = 32 * 1024
STDIN = 0


def is_terminal() -> bool:
    return os.isatty(STDIN)


@contextlib.contextmanager
def raw(wanted: bool) -> Iterator[None]:
    """Every key goes to the command, Ctrl-C too; the terminal is as it was afterwards, whatever happens."""
    if not (wanted and is_terminal()):
        yield
        return
    before = termios.tcgetattr(STDIN)
    tty.setraw(STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


def size() -> tuple[int, int]:
    """Columns and rows."""
    found = shutil.get_terminal_size()
    return found.columns, found.lines


@contextlib.contextmanager
def resized() -> Iterator[asyncio.Event]:
    """An event that is set whenever the window has changed its size."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGWINCH, event.set)
    try:
        yield event
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


class Input:
    """What comes in by stdin, whatever it is: a terminal, a pipe, a file. `read` gives b"" at its end.

    A thread reads, as a file cannot be waited for; it reads no more than one piece ahead, and none after the end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(1)
        threading.Thread(target=self._work, name="stdin", daemon=True).start()

    async def read(self) -> bytes:
        return await self._pieces.get()

    def _work(self) -> None:
        data = b"-"
        while data:
            try:
                data = os.read(STDIN, CHUNK)
            except OSError:
                data = b""
            with contextlib.suppress(RuntimeError):  # the loop has ended: so does the process
                asyncio.run_coroutine_threadsafe(self._pieces.put(data), self._loop).result()


def write(data: bytes, *, error: bool = False) -> None:
    """To stdout or stderr, at once."""
    stream = sys.stderr.buffer if error else sys.stdout.buffer
    stream.write(data)
    stream.flush()
