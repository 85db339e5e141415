"""What this machine has: read once when the engine starts."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    cpu_milli: int
    memory_bytes: int
    ephemeral_bytes: int  # of the file system that holds the node's state
    cgroup_v2: bool


def read_machine(state: Path, cgroups: Path = Path("/sys/fs/cgroup")) -> Machine:
    """`state` need not be there yet: its nearest parent that is tells the file system."""
    place = next(path for path in (state, *state.parents) if path.exists())
    space = os.statvfs(place)
    return Machine(
        cpu_milli=1000 * (os.cpu_count() or 1),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        ephemeral_bytes=space.f_frsize * space.f_blocks,
        cgroup_v2=(cgroups / "cgroup.controllers").exists(),
    )
