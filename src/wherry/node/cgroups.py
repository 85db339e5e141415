"""The cgroups that pods live in: one for each pod with its limits, one for each QoS class with its share of the CPU.

As upstream's cgroupfs driver has them: Guaranteed pods are children of the root, the others of `burstable` or
`besteffort`. containerd makes what is below a pod, and knows nothing of what is above.
"""

import asyncio
import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from wherry.kinds.core.podspec import qos_class
from wherry.node.resources import LEAST_SHARES, MOST_SHARES, cgroup_parent, pod_resources, shares
from wherry.node.runtime import Resources
from wherry.node.settings import NodeSettings
from wherry.objects import Obj
from wherry.objects.pods import pod_requests

MOUNT = Path("/sys/fs/cgroup")
_EMPTY_SECONDS, _LOOK_SECONDS = 5.0, 0.02  # until killed processes have left
_WANTED = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")  # of v2's controllers, for what is below


def limits_v1(resources: Resources) -> Sequence[tuple[str, str, str]]:
    """Controller, file and text; -1 is no limit."""
    return (
        ("cpu", "cpu.shares", str(resources.cpu_shares)),
        ("cpu", "cpu.cfs_period_us", str(resources.cpu_period)),
        ("cpu", "cpu.cfs_quota_us", str(resources.cpu_quota or -1)),
        ("memory", "memory.limit_in_bytes", str(resources.memory_limit or -1)),
    )


def limits_v2(resources: Resources) -> Sequence[tuple[str, str]]:
    """File and text."""
    return (
        ("cpu.weight", str(weight(resources.cpu_shares))),
        ("cpu.max", f"{resources.cpu_quota or 'max'} {resources.cpu_period}"),
        ("memory.max", str(resources.memory_limit or "max")),
    )


def weight(cpu_shares: int) -> int:
    """Shares of 2 to 262144 as weights of 1 to 10000."""
    return 1 + (cpu_shares - LEAST_SHARES) * 9999 // (MOST_SHARES - LEAST_SHARES)


class Cgroups:
    """All of one node. What a pod needs is made before its sandbox, and removed after it."""

    def __init__(self, settings: NodeSettings, mount: Path = MOUNT) -> None:
        self._settings = settings
        self._mount = mount
        self._burstable: dict[str, int] = {}  # pod uid -> milli CPUs asked for

    def hold(self, pod: Obj) -> None:
        """Count its requests: it is here, or will be."""
        if qos_class(pod["spec"]) == "Burstable":
            asked = pod_requests(pod).get("cpu")
            self._burstable[pod["metadata"]["uid"]] = asked.milli() if asked is not None else 0

    async def make(self, pod: Obj) -> None:
        """Raises OSError."""
        self.hold(pod)
        root, path = self._settings.cgroup_root, cgroup_parent(pod, self._settings.cgroup_root)
        wanted = [
            (root, Resources(cpu_shares=shares(self._settings.cpu_milli))),
            (f"{root}/besteffort", Resources(cpu_shares=LEAST_SHARES)),
            (f"{root}/burstable", self._class_share()),
            (path, pod_resources(pod)),
        ]
        await asyncio.to_thread(self._make, wanted)

    async def remove(self, pod: Obj) -> None:
        """Raises OSError where a process is still in it."""
        uid = pod["metadata"]["uid"]
        held = self._burstable.pop(uid, None)
        await asyncio.to_thread(self._remove, f"pod{uid}")
        if held:
            await asyncio.to_thread(self._make, [(f"{self._settings.cgroup_root}/burstable", self._class_share())])

    def _class_share(self) -> Resources:
        return Resources(cpu_shares=shares(sum(self._burstable.values())))

    def _make(self, wanted: Sequence[tuple[str, Resources]]) -> None:
        for path, resources in wanted:
            if self._settings.cgroup_v2:
                place = _make_v2(self._mount, path)
                for name, text in limits_v2(resources):
                    _write(place / name, text)
            else:
                for controller, name, text in limits_v1(resources):
                    place = self._mount / controller / path.lstrip("/")
                    place.mkdir(parents=True, exist_ok=True)
                    _write(place / name, text)

    def _remove(self, name: str) -> None:
        """In whatever class: a pod of which only its sandbox is known has none."""
        for tree in trees(self._settings.cgroup_root, self._mount):
            for place in (tree, tree / "burstable", tree / "besteffort"):
                _remove_tree(place / name)


def trees(root: str, mount: Path = MOUNT) -> Iterator[Path]:
    """Where the root's cgroups are: once with v2, in each hierarchy with v1."""
    for place in (mount, *sorted(mount.iterdir())):
        if (place / root.lstrip("/")).is_dir():
            yield place / root.lstrip("/")


def remove_cgroups(root: str, mount: Path = MOUNT) -> None:
    """All of a node's, when its pods are gone; what is still in one is killed. Raises OSError where it does not end."""
    end = time.monotonic() + _EMPTY_SECONDS
    while True:
        try:
            for tree in trees(root, mount):
                _remove_tree(tree)
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
        for tree in trees(root, mount):
            _kill_all(tree)
        time.sleep(_LOOK_SECONDS)


def _kill_all(tree: Path) -> None:
    for listed in tree.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):  # the cgroup has gone, or the process
            for pid in map(int, listed.read_text().split()):
                if pid > 0:  # 0 stands for one that this namespace does not see, and for our own group
                    os.kill(pid, signal.SIGKILL)


def _make_v2(mount: Path, path: str) -> Path:
    """Make it, and hand the controllers down to it."""
    place = mount
    for part in path.strip("/").split("/"):
        given = set((place / "cgroup.controllers").read_text().split())
        passed = set((place / "cgroup.subtree_control").read_text().split())
        for controller in _WANTED:
            if controller in given - passed:
                _write(place / "cgroup.subtree_control", f"+{controller}")
        place = place / part
        place.mkdir(exist_ok=True)
    return place


def _write(path: Path, text: str) -> None:
    """A controller or a quota that this kernel lacks limits nothing; anything else is an error."""
    try:
        path.write_text(text)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES) or path.exists():
            raise


def _remove_tree(place: Path) -> None:
    """A cgroup's files cannot be removed, and go with it."""
    for directory, _, _ in os.walk(place, topdown=False):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            continue
