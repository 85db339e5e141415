"""The shims of one containerd: the parents of its containers' processes.

A containerd that is killed while it deletes a sandbox forgets the sandbox and leaves its shim, which waits for ever.
"""

import logging
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
    children = [pid for pid in process.pids() if _parent(pid) in shims]
    for pid in (*shims, *children):  # a shim first: it would tell a containerd of its children's ends
        if not process.end(pid, signal.SIGKILL, _END_SECONDS):
            log.warning("process %d, a shim or its child, has not ended %g s after SIGKILL", pid, _END_SECONDS)


def _shims(socket: str) -> Iterator[int]:
    return (pid for pid, name in process.given("-address", socket) if name.startswith(_PROGRAM))


def _parent(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0
    return int(fields[1])
