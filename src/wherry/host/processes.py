"""Who runs on this machine, who holds a lock and who listens at a port: read from /proc, with no program's help."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"
PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A living process. `name` is "" where it may not be read."""

    pid: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.name else f"process {self.pid}"


def process(pid: int) -> Process:
    try:
        return Process(pid, (PROC / str(pid) / "comm").read_text().strip())
    except OSError:
        return Process(pid)


def lock_holder(lock: Path) -> int | None:
    """The process whose id stands in the file and that holds a lock; None without one. The lock itself is not tried,
    as even that for an instant could make an engine that is just starting fail. Raises PermissionError.
    """
    try:
        pid = int(lock.read_text().split()[0])
        locks = (PROC / "locks").read_text()
    except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
        return None
    held = (line.split() for line in locks.splitlines())
    return pid if any(words[1:5] == ["FLOCK", "ADVISORY", "WRITE", str(pid)] for words in held) else None


def port_holder(port: int) -> Process | None:
    """Who listens at the TCP port; None if nobody does or it may not be known."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return None
    for directory in PROC.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (directory / "fd").iterdir()):
                return process(int(directory.name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return None


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen at the port."""
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[3] == LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                yield words[9]


def started(pid: int) -> float:
    """When the process began, in seconds since the epoch. Raises OSError."""
    return (PROC / str(pid)).stat().st_mtime


def resident(pid: int) -> int:
    """Bytes of memory that are the process's share (PSS), 0 if that may not be known."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
