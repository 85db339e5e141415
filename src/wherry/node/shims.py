"""The shims of one containerd: the parents of its containers' processes.

A containerd that is killed while it deletes a sandbox forgets the sandbox and leaves its shim, which waits for ever.
"""

import itertools
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from wherry import process

log = logging.getLogger("wherry.node")

_PROGRAM = "containerd-shim"
_END_SECONDS = 5.0


def end(socket: str) -> None:
    """Kill what is left of the shims of the containerd at `socket`, and of their children; wait for the end."""
    shims = list(_shims(socket))
    children = [pid for pid in _pids() if _parent(pid) in shims]
    for pid in (*shims, *children):  # a shim first: it would tell a containerd of its children's ends
        if not process.end(pid, signal.SIGKILL, _END_SECONDS):
            log.warning("process %d, a shim or its child, has not ended %g s after SIGKILL", pid, _END_SECONDS)


def _shims(socket: str) -> Iterator[int]:
    for pid in _pids():
        words = _read(pid, "cmdline").split("\0")
        if Path(words[0]).name.startswith(_PROGRAM) and ("-address", socket) in itertools.pairwise(words):
            yield pid


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # it has ended
        return ""
