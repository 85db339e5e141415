"""Which OCI runtime is taken, and what cgroup version 2 has to give up for crun."""

from pathlib import Path

import pytest

from wherry.node.oci_runtime import choose, left_over
from wherry.process import ProgramError

CGROUPS = """\
#subsys_name	hierarchy	num_cgroups	enabled
cpuset	3	7	1
cpu	1	7	1
cpuacct	2	8	1
memory	4	1560	1
perf_event	0	7	1
hugetlb	0	7	1
rdma	0	7	0
pids	8	7	1
""".splitlines()
MOUNTS = [
    ["tmpfs", "/sys/fs/cgroup", "tmpfs", "rw,mode=755", "0", "0"],
    ["cgroup", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,relatime,cpu,cpuacct", "0", "0"],
    ["cgroup", "/sys/fs/cgroup/cpuset", "cgroup", "rw,relatime,cpuset", "0", "0"],
    ["cgroup", "/sys/fs/cgroup/memory", "cgroup", "rw,relatime,memory", "0", "0"],
    ["cgroup2", "/sys/fs/cgroup/unified", "cgroup2", "rw,relatime", "0", "0"],
    ["wherry", "/run/other/oci/cgroup", "cgroup", "rw,relatime,hugetlb,pids", "0", "0"],
]


def test_controllers_that_only_version_2_or_another_node_has_are_left_over() -> None:
    assert left_over(CGROUPS, MOUNTS, "/sys/fs/cgroup") == ["hugetlb", "pids"]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "oci"


def test_without_crun_it_is_runc_or_what_is_wanted(nowhere: Path) -> None:
    assert choose("auto", nowhere) == "runc"
    (own := nowhere.parent / "bin" / "youki").touch(0o755)
    assert [choose(wanted, nowhere) for wanted in ("youki", str(own))] == ["youki", str(own)]
    assert not nowhere.exists()


def test_a_runtime_that_is_not_there_is_an_error_that_names_the_flag(nowhere: Path) -> None:
    with pytest.raises(ProgramError, match=r"youki: not found.*--oci-runtime"):
        choose("youki", nowhere)


def test_crun_that_is_wanted_and_missing_is_an_error_with_its_package(nowhere: Path) -> None:
    with pytest.raises(ProgramError, match="apt-get install crun"):
        choose("crun", nowhere)


def test_a_crun_that_cannot_be_mounted_is_left_alone_unless_it_is_wanted(nowhere: Path) -> None:
    (crun := nowhere.parent / "bin" / "crun").touch(0o755)
    assert choose("auto", nowhere, cgroups=nowhere) == "runc", "without `mount` in the PATH"
    with pytest.raises(ProgramError, match="mount"):
        choose("crun", nowhere, cgroups=nowhere)
    assert crun.exists()
