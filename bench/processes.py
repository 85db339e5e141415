"""What a server's processes take while nothing happens: memory, processor, disk."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure

PEERS = {
    "kube-apiserver": ("etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "kubelet", "kube-proxy"),
}
"""An API server's process -> all that belong to it where they are several; names as the kernel cuts them."""
LISTENING = "0A"


@dataclass(frozen=True)
class Used:
    """Since the processes began."""

    cpu_seconds: float
    written_bytes: int


def of_server(port: int) -> Sequence[int]:
    """The processes behind the API that listens on this port of this machine; none if it is elsewhere."""
    listener = _listener(port)
    if listener is None:
        return ()
    names = PEERS.get(_name(listener), ())
    others = (pid for pid in _pids() if any(_name(pid).startswith(name) for name in names))
    return sorted({listener, *others})


async def measure(pids: Sequence[int], window: float) -> Sequence[Figure]:
    """Over a window of some seconds, in which nobody asks for anything."""
    before = [_used(pid) for pid in pids]
    await asyncio.sleep(window)
    after = [_used(pid) for pid in pids]
    cpu = sum(b.cpu_seconds - a.cpu_seconds for a, b in zip(before, after, strict=True))
    written = sum(b.written_bytes - a.written_bytes for a, b in zip(before, after, strict=True))
    return (
        Figure("idle: memory (PSS)", sum(map(_pss, pids)) / 2**20, "MB"),
        Figure("idle: processor, of one core", 100 * cpu / window, "%"),
        Figure("idle: written to disk", written / window / 2**10, "KB/s"),
    )


def _used(pid: int) -> Used:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    written = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    return Used((int(fields[11]) + int(fields[12])) / ticks, int(written[1]) if written else 0)


def _pss(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _listener(port: int) -> int | None:
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for pid in _pids():
        with suppress(OSError):
            if any(os.readlink(fd) in inodes for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
    return None
