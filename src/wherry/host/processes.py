"""Who runs on this machine, who holds a lock and who listens at a port: read from /proc, with no program's help."""

from pathlib import Path

from wherry.listeners import PROC, Process, holder, listeners


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
    return holder(each.inode for each in listeners("tcp") if each.port == port)


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
