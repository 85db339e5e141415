"""Run host programs: argument lists only, output captured and bounded, failures in their own words; and end them."""

import asyncio
import itertools
import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """What a program left: its exit code and its output, decoded with replacement."""

    code: int
    stdout: str
    stderr: str


class ProgramError(Exception):
    """A host program failed or is missing; the message names it and quotes the end of what it said."""


async def run(
    *argv: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = 60.0,
    check: bool = True,
    pass_fds: Sequence[int] = (),
) -> Finished:
    """Run `argv` to its end, at most `timeout` seconds. With `check`, a non-zero exit raises ProgramError."""
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
        )
    except FileNotFoundError as error:
        raise ProgramError(f"{argv[0]}: not found; `wherry doctor` lists what is missing") from error
    try:
        async with asyncio.timeout(timeout):
            out, err = await child.communicate(stdin)
    except TimeoutError as error:
        raise ProgramError(f"{argv[0]}: no end after {timeout:g} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    done = Finished(child.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))
    if check and done.code:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise ProgramError(f"{' '.join(argv[:3])}: exit {done.code}: {said}")
    return done


def end(pid: int, by: signal.Signals, seconds: float) -> bool:
    """Signal a process, and wait for its end; False if it has none in that time. Blocking.

    By a descriptor of the process: its number may be another one's as soon as it has ended.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(descriptor, by)
        wait = select.poll()
        wait.register(descriptor, select.POLLIN)
        return bool(wait.poll(seconds * 1000))
    except ProcessLookupError:  # between the two
        return True
    finally:
        os.close(descriptor)


def finish(pid: int, seconds: float) -> bool:
    """SIGTERM, and SIGKILL where that does not help in that time: whether it did. Blocking."""
    if end(pid, signal.SIGTERM, seconds):
        return True
    end(pid, signal.SIGKILL, seconds)
    return False


def pids() -> list[int]:
    """Every process of this machine."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def given(option: str, value: str) -> Iterator[tuple[int, str]]:
    """Processes that were called with this option and value, each with its program's name."""
    for pid in pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        if (option, value) in itertools.pairwise(words):
            yield pid, Path(words[0]).name
