"""Run a builder, line by line; and know whether other builds are under way with the same storage."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

_LINE_BYTES = 4096
_END_SECONDS = 5.0


async def follow(
    *argv: str, env: Mapping[str, str], on_line: Callable[[str], None], orphaned: signal.Signals = signal.SIGKILL
) -> int:
    """A long command, told line by line; its exit code. Cancelled, it ends with all that it started.

    When this process is killed, it gets the signal `orphaned`: else a RUN would go on for nobody.
    """
    tied = ("setpriv", "--pdeathsig", orphaned.name.removeprefix("SIG")) if shutil.which("setpriv") else ()
    child = await asyncio.create_subprocess_exec(
        *tied,
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(env),
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        await _each_line(child.stdout, on_line)
        return await child.wait()
    finally:
        if child.returncode is None:
            await _end(child)


@contextlib.asynccontextmanager
async def tidied(directory: Path, tidy: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """`tidy` before and after; not while other builds are under way: there is no telling what is whose."""
    number = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        await _alone(number, tidy)
        await asyncio.to_thread(fcntl.flock, number, fcntl.LOCK_SH)
        try:
            yield
        finally:
            await _alone(number, tidy)
    finally:
        os.close(number)


async def _alone(number: int, tidy: Callable[[], Awaitable[None]]) -> None:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    await tidy()


async def _each_line(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    """Lines end with a newline or a carriage return; very long ones are cut."""
    rest = b""
    while chunk := await stream.read(1 << 16):
        *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            on_line(line[:_LINE_BYTES].decode(errors="replace"))
        rest = rest[:_LINE_BYTES]
    if rest:
        on_line(rest.decode(errors="replace"))


async def _end(child: asyncio.subprocess.Process) -> None:
    """SIGTERM to the whole group, SIGKILL to what stays. Not cut short by a second cancellation."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_END_SECONDS):
            await child.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
