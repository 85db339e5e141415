"""The directory of sockets, process ids and volumes with Secrets: in memory, as what is in it ends with the machine.

Most machines have /run in memory. Where the directory is not, a tmpfs is mounted there: Secrets are not to reach a
disk, and what containerd writes for each container costs less.
"""

import shutil
import subprocess
from pathlib import Path

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def make(run: Path) -> bool:
    """Make it, if it is not there; whether it was mounted. One with files in it is left as it is. Raises OSError."""
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _kind(run) not in _IN_MEMORY and not any(run.iterdir()):
        argv = ("mount", "-t", "tmpfs", "-o", "mode=700,nosuid,nodev", "wherry", str(run))
        mounted = subprocess.run(argv, capture_output=True, text=True, check=False)
        if mounted.returncode:
            raise OSError(f"cannot be kept in memory: {mounted.stderr.strip()}")
        return True
    return False


def remove(run: Path) -> None:
    """Raises OSError where something in it is in use."""
    if run.is_mount():
        subprocess.run(("umount", "-l", str(run)), capture_output=True, check=False)  # the next line tells if it fails
    if run.exists():
        shutil.rmtree(run)


def _kind(path: Path) -> str:
    """The type of the file system that holds it."""
    real, found, kind = path.resolve(), -1, ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, name, *_ = line.split()
        place = Path(where.replace("\\040", " "))
        if real.is_relative_to(place) and len(place.parts) >= found:
            found, kind = len(place.parts), name
    return kind
