"""What keeps an engine from starting, as values and on this machine's own sockets."""

import fcntl
import os
import socket
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from wherry.config import Config
from wherry.host import preflight
from wherry.host.preflight import Route, missing_packages, overlaps, routes
from wherry.host.processes import lock_holder, port_holder

TABLE = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wherry0\t0000550A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_the_kernels_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(TABLE)
    assert routes(tmp_path / "route") == [
        Route(IPv4Network("192.0.2.0/24"), "eth0"),
        Route(IPv4Network("10.85.0.0/16"), "wherry0"),
    ]
    assert routes(tmp_path / "none") == []


def test_the_engines_own_routes_are_no_obstacle() -> None:
    own = [Route(IPv4Network("10.85.0.0/16"), "wherry0"), Route(IPv4Network("10.86.0.0/16"), "wherry0")]
    assert list(overlaps(Config(), own)) == []


def test_a_network_that_is_taken_is_named_with_a_free_one() -> None:
    (problem,) = overlaps(Config(), [Route(IPv4Network("10.85.7.0/24"), "vpn0")])
    assert "--pod-network 10.85.0.0/16 overlaps with 10.85.7.0/24, which is reached by vpn0" in problem
    assert "--pod-network 10.86.0.0/16" in problem


def test_another_engines_bridge_is_not_taken() -> None:
    (problem,) = overlaps(Config(), [Route(IPv4Network("10.7.0.0/16"), "wherry0")])
    assert problem.startswith("--bridge wherry0 serves 10.7.0.0/16 already")


def test_missing_programs_are_named_with_their_packages(tmp_path: Path) -> None:
    missing = missing_packages(lambda name: None if name == "no-such" else f"/bin/{name}", tmp_path)
    assert missing[f"{tmp_path}/bridge"] == "containernetworking-plugins"
    assert "haproxy" not in missing


def config(tmp_path: Path, **more: Any) -> Config:
    return Config(state=tmp_path / "st", run=tmp_path / "rn", bridge="wtest0", **more)


@pytest.mark.parametrize(("length", "problems"), [(71, 0), (72, 1)])
def test_a_run_directory_whose_sockets_would_have_too_long_paths_is_named(
    tmp_path: Path, length: int, problems: int
) -> None:
    run = Path("/tmp/".ljust(length, "x"))
    with pytest.raises(preflight.NotReady) as refused:
        preflight.check(replace(config(tmp_path, listen="192.0.2.99", port=1), run=run))
    assert str(refused.value).count(f"{run} is too long by 1 for the paths of the sockets in it") == problems


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        holder = port_holder(port)
        assert holder is not None
        assert holder.pid == os.getpid()
        with pytest.raises(
            preflight.NotReady, match=rf"127\.0\.0\.1:{port} is taken by .* \(pid {os.getpid()}\): end it"
        ):
            preflight.check(config(tmp_path, port=port))
    assert port_holder(port) is None
    assert not (tmp_path / "st").exists()


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    with pytest.raises(preflight.NotReady, match=r"192\.0\.2\.99 is no address of this machine"):
        preflight.check(config(tmp_path, listen="192.0.2.99", port=1))


def test_a_directory_below_a_file_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "st").write_text("")
    with pytest.raises(preflight.NotReady, match="is a file: choose another by --state"):
        preflight.check(config(tmp_path))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(preflight.NotReady, match="MiB left"):
        preflight.check(config(tmp_path))


def test_a_lock_is_somebodys_only_while_it_is_held(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert lock_holder(lock) is None
    lock.write_text("garbage")
    assert lock_holder(lock) is None
    with lock.open("r+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        lock.write_text(f"{os.getpid()}\n")
        assert lock_holder(lock) == os.getpid()
    lock.write_text("1\n")
    assert lock_holder(lock) is None
