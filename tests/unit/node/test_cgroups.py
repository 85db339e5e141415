"""What is written into the cgroups above a pod's containers."""

import contextlib
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.node.conftest import pod
from wherry.node.cgroups import MOUNT, Cgroups, limits_v1, limits_v2, remove_cgroups, weight
from wherry.node.runtime import Resources
from wherry.node.settings import NodeSettings
from wherry.objects import Obj

LIMITED = Resources(cpu_shares=256, cpu_quota=25_000, cpu_period=100_000, memory_limit=32 << 20)


def test_limits_as_version_1_has_them() -> None:
    assert [text for _, _, text in limits_v1(LIMITED)] == ["256", "100000", "25000", str(32 << 20)]
    assert [text for _, _, text in limits_v1(Resources())] == ["2", "100000", "-1", "-1"]


def test_limits_as_version_2_has_them() -> None:
    assert dict(limits_v2(LIMITED)) == {"cpu.weight": "10", "cpu.max": "25000 100000", "memory.max": str(32 << 20)}
    assert dict(limits_v2(Resources())) == {"cpu.weight": "1", "cpu.max": "max 100000", "memory.max": "max"}


@pytest.mark.parametrize(("shares", "wanted"), [(2, 1), (1024, 39), (262_144, 10_000)])
def test_shares_become_weights(shares: int, wanted: int) -> None:
    assert weight(shares) == wanted


def settings(root: Path, *, v2: bool) -> NodeSettings:
    base = NodeSettings(name="node", address="10.0.0.1", pods=root, logs=root, cgroup_root="/wherry", cpu_milli=4000)
    return replace(base, cgroup_v2=v2)


def named(uid: str, **requests: str) -> Obj:
    made = pod(uid, containers=[{"name": "app", "image": "app:1", "resources": {"requests": requests}}])
    made["metadata"]["uid"] = uid
    return made


async def test_the_burstable_class_gets_the_sum_of_its_pods_requests(tmp_path: Path) -> None:
    cgroups = Cgroups(settings(tmp_path, v2=False), tmp_path)
    cgroups.hold(named("adopted", cpu="500m"))
    await cgroups.make(named("new", cpu="250m"))
    cpu = tmp_path / "cpu" / "wherry"
    assert (cpu / "cpu.shares").read_text() == "4096"
    assert (cpu / "burstable" / "cpu.shares").read_text() == "768"
    assert (cpu / "besteffort" / "cpu.shares").read_text() == "2"
    assert (cpu / "burstable" / "podnew" / "cpu.shares").read_text() == "256"
    await cgroups.remove(named("adopted", cpu="500m"))
    assert (cpu / "burstable" / "cpu.shares").read_text() == "256"


async def test_version_2_hands_its_controllers_down(tmp_path: Path) -> None:
    places = [tmp_path, *(tmp_path / path for path in ("wherry", "wherry/burstable", "wherry/besteffort"))]
    for place in places:  # the kernel makes these files with each directory
        place.mkdir(exist_ok=True)
        (place / "cgroup.controllers").write_text("cpu io memory pids\n")
        (place / "cgroup.subtree_control").write_text("io\n")
    await Cgroups(settings(tmp_path, v2=True), tmp_path).make(named("new", cpu="250m"))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids", "each is written for itself, the last is seen"
    assert (tmp_path / "wherry" / "burstable" / "podnew" / "cpu.weight").read_text() == "10"


def found(path: str) -> list[Path]:
    """In any hierarchy."""
    mount = Path("/sys/fs/cgroup")
    return [place for place in (mount / path, *(each / path for each in mount.iterdir())) if place.exists()]


@pytest.mark.root
async def test_real_cgroups_are_made_and_leave_nothing_behind(tmp_path: Path) -> None:
    mount = Path("/sys/fs/cgroup")
    own = replace(
        settings(tmp_path, v2=(mount / "cgroup.controllers").exists()), cgroup_root=f"/wherry-{tmp_path.name}"
    )
    cgroups = Cgroups(own)
    await cgroups.make(named("one", cpu="250m"))
    made = found(f"wherry-{tmp_path.name}/burstable/podone")
    assert made
    await cgroups.remove(named("one", cpu="250m"))
    assert not found(f"wherry-{tmp_path.name}/burstable/podone")
    remove_cgroups(own.cgroup_root)
    assert not found(f"wherry-{tmp_path.name}")


@pytest.mark.root
def test_what_is_left_in_a_node_s_cgroups_is_killed_before_they_are_removed() -> None:
    name = f"/wherry-test-{os.getpid()}"
    groups = [one / name[1:] / "podleft" for one in [MOUNT, *MOUNT.iterdir()] if (one / "cgroup.procs").exists()]
    with subprocess.Popen(["sleep", "600"]) as left:
        try:
            for group in groups:
                group.mkdir(parents=True)
                with contextlib.suppress(OSError):  # cpuset wants its processors named first
                    (group / "cgroup.procs").write_text(str(left.pid))
            remove_cgroups(name)
        finally:
            left.kill()
    assert left.returncode == -signal.SIGKILL
    assert not any(group.exists() or group.parent.exists() for group in groups)
