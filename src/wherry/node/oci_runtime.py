"""Which OCI runtime makes the containers: crun where it is installed and can, else runc.

A container costs crun about half of the processor time that it costs runc (ADR 20). What crun needs of the machine is
mounted below a directory of the node's own, and gone with it:

- It refuses machines that have both versions of cgroups while version 2 still has controllers. A controller mounted as
  a hierarchy of version 1, anywhere, is taken from version 2 for as long as the mount is there.
- It copies itself into memory at each call, so that no container can write to it, unless it lies on a read-only mount.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from wherry.process import ProgramError

AUTO = "auto"
SECCOMP_FILTER = "run.oci.seccomp_bpf_data"
"""crun's annotation: a compiled filter in base64, used in place of the profile."""
_CRUN, _RUNC = "crun", "runc"
_CGROUPS = Path("/sys/fs/cgroup")
# Those that version 2 has too; `perf_event` is left to it, as nothing needs to be told to use it.
_SHARED = frozenset({"cpu", "cpuset", "blkio", "memory", "hugetlb", "pids", "rdma", "misc"})


def choose(wanted: str, place: Path, cgroups: Path = _CGROUPS) -> str:
    """The program to use: `wanted`, or for `auto` the better one that works here. Idempotent.

    What crun needs is mounted in `place`. Raises ProgramError where what is wanted cannot be had.
    """
    if wanted not in (AUTO, _CRUN):
        if shutil.which(wanted) is None:
            raise ProgramError(f"{wanted}: not found: install it, or choose another by --oci-runtime")
        return wanted
    try:
        return _crun(place, cgroups)
    except ProgramError:
        if wanted == _CRUN:
            raise
        return _RUNC


def left_over(controllers: Iterable[str], mounts: Iterable[Sequence[str]], cgroups: str) -> list[str]:
    """Controllers that no hierarchy below `cgroups` has.

    `controllers` are the lines of /proc/cgroups, `mounts` the words of those of /proc/self/mounts.
    """
    enabled = {words[0] for words in map(str.split, controllers) if len(words) == 4 and words[3] == "1"}
    taken: set[str] = set()
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup" and where.startswith(f"{cgroups}/"):
            taken.update(options.split(","))
    return sorted(enabled & _SHARED - taken)


def _crun(place: Path, cgroups: Path) -> str:
    program = shutil.which(_CRUN)
    if program is None:
        raise ProgramError("crun: not found. On Debian and Ubuntu: apt-get install crun")
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mounted = {words[1] for words in mounts}
    if (cgroups / "unified" / "cgroup.controllers").exists():
        rest = left_over(Path("/proc/cgroups").read_text().splitlines(), mounts, str(cgroups))
        hierarchy = place / "cgroup"
        if rest and str(hierarchy) not in mounted:
            hierarchy.mkdir(parents=True, exist_ok=True)
            _call("mount", "-t", "cgroup", "-o", ",".join(rest), "wherry", str(hierarchy))
    own = place / _CRUN
    if str(own) in mounted and not os.path.samefile(own, program):  # upgraded since
        _call("umount", "-l", str(own))
        mounted.remove(str(own))
    if str(own) not in mounted:
        own.parent.mkdir(parents=True, exist_ok=True)
        own.touch()
        _call("mount", "-o", "bind,ro", program, str(own))
    return str(own)


def _call(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        raise ProgramError(f"{argv[0]}: {error.strerror}") from error
    if done.returncode:
        raise ProgramError(f"{' '.join(argv)}: {done.stderr.strip()}")
