"""containerd's config and the identity of its process."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from wherry.node.containerd import Containerd
from wherry.node.containerd_process import ContainerdProcess, Process, find_process, render_config
from wherry.process import ProgramError


def test_the_config_keeps_all_state_below_the_two_directories() -> None:
    plugins = [Path("/usr/lib/cni"), Path("/opt/cni/bin")]
    text = render_config(Path("/r"), Path("/s"), Path("/c"), plugins, Path("/hosts"), "/s/oci/crun")
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert (config["root"], config["state"], config["grpc"]["address"]) == ("/r", "/s", "/s/containerd.sock")
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"BinaryName": "/s/oci/crun", "Root": "/s/crun"}
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["stream_server_address"] == "127.0.0.1"
    assert cri["cni"]["bin_dir"] == "/usr/lib/cni:/opt/cni/bin"


def test_a_process_is_known_by_its_start_time_too() -> None:
    mine = find_process(os.getpid())
    assert mine is not None
    assert mine.alive()
    assert not Process(mine.pid, mine.started - 1).alive()


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert find_process(child.pid) is None
    child.wait()


@pytest.mark.parametrize(
    "content", ["", " \n", "x y\n", f"{os.getpid()} 1\n"], ids=["empty", "blank", "words", "our pid, another start"]
)
def test_a_pidfile_of_another_time_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "containerd.pid").write_text(content)
    assert Containerd(ContainerdProcess(tmp_path, tmp_path, tmp_path)).process() is None


def broken(directory: Path) -> Path:
    """With a containerd that ends at once."""
    directory.mkdir()
    (directory / "containerd").write_text("#!/bin/sh\necho 'the config is broken'; exit 1\n")
    (directory / "containerd").chmod(0o755)
    return directory


async def test_a_containerd_that_ends_at_once_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(broken(tmp_path / "bin")), prepend=":")
    with pytest.raises(ProgramError, match="the config is broken"):
        await Containerd(ContainerdProcess(tmp_path / "root", tmp_path / "state", tmp_path, oci_runtime="runc")).start()


@pytest.mark.root
async def test_what_is_there_of_a_containerd_that_cannot_start_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(broken(tmp_path / "bin")), prepend=":")
    containerd = Containerd(ContainerdProcess(tmp_path / "root", tmp_path / "state", tmp_path, oci_runtime="runc"))
    with pytest.raises(ProgramError):
        await containerd.start()
    assert (tmp_path / "root").exists()
    await containerd.remove()
    assert not (tmp_path / "root").exists()
    assert not (tmp_path / "state").exists()
