"""What must hold before an engine starts. Each problem is one sentence on what is wrong and one on what to do."""

import errno
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from wherry.config import Config
from wherry.host.processes import lock_holder, port_holder

NEEDED_BYTES = 64 << 20  # the store sets 16 MiB aside, and containerd must be able to write its own state
PROGRAMS = {
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "mount": "mount",
    "haproxy": "haproxy",
    "conntrack": "conntrack",
}
"""Host programs and the Debian packages that have them."""
_SOCKET_BYTES = 104  # of a socket's path, as containerd takes it
CNI_DIRECTORY = Path("/usr/lib/cni")
CNI_PLUGINS = ("bridge", "host-local", "loopback")
CNI_PACKAGE = "containernetworking-plugins"
CATATONIT = Path("/usr/bin/catatonit")


@dataclass(frozen=True)
class Route:
    """A network that this machine already sends somewhere."""

    network: IPv4Network
    interface: str


class NotReady(Exception):
    """The engine cannot start; the message holds every problem found."""


def check(config: Config) -> None:
    """Raises NotReady where a start could only fail."""
    problems = [*_root(), *_state(config), *_paths(config.run), *_programs(), *_disk(config.state), *_port(config)]
    problems += overlaps(config, routes())
    if problems:
        raise NotReady("\n".join(problems))


def missing_packages(find: Callable[[str], str | None] = shutil.which, cni: Path = CNI_DIRECTORY) -> dict[str, str]:
    """Programs that are not on this machine, with the package of each."""
    missing = {name: package for name, package in PROGRAMS.items() if _find(name, find) is None}
    missing |= {f"{cni}/{name}": CNI_PACKAGE for name in CNI_PLUGINS if not (cni / name).exists()}
    if not CATATONIT.exists():
        missing["catatonit"] = "catatonit"
    return missing


def routes(table: Path = Path("/proc/net/route")) -> list[Route]:
    """The machine's IPv4 routes but the default one."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for words in map(str.split, lines):
        address, mask = (int.from_bytes(bytes.fromhex(words[at]), "little") for at in (1, 7))
        if mask:
            found.append(Route(IPv4Network((address, mask.bit_count())), words[0]))
    return found


def overlaps(config: Config, known: Sequence[Route]) -> Iterator[str]:
    """Pods' and Services' networks must not hide one that this machine already reaches."""
    own = [IPv4Network(config.pods), IPv4Network(config.services)]
    for route in known:
        if route.interface == config.bridge and route.network not in own:
            yield (
                f"--bridge {config.bridge} serves {route.network} already: another engine's, or this one's from before "
                "(`wherry node stop --pods` takes it away)"
            )
    for name, flag in (("pods", "pod-network"), ("services", "service-network")):
        network = IPv4Network(getattr(config, name))
        for route in known:
            if route.interface != config.bridge and route.network.overlaps(network):
                yield (
                    f"--{flag} {network} overlaps with {route.network}, which is reached by {route.interface} here: "
                    f"choose another network, as in --{flag} {_free(network, known)}"
                )
                break


def _free(network: IPv4Network, known: Sequence[Route]) -> IPv4Network:
    """A private network of the same size that nothing here reaches; the same one if all are taken."""
    for candidate in IPv4Network("10.0.0.0/8").subnets(new_prefix=max(network.prefixlen, 8)):
        if candidate.network_address.packed[1] >= 85 and not any(route.network.overlaps(candidate) for route in known):
            return candidate
    return network


def _root() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "wherry needs root for containers and networks: try again with sudo"


def _state(config: Config) -> Iterator[str]:
    for flag, directory in (("--state", config.state), ("--run-dir", config.run)):
        there = next(path for path in (directory, *directory.parents) if path.exists())
        if not there.is_dir():
            yield f"{directory} cannot be used, as {there} is a file: choose another by {flag}"
        elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
            yield f"{there} cannot be read and written: make it so, or choose another directory by {flag}"
    try:
        pid = lock_holder(config.state / "db" / "lock")
    except OSError:
        return
    if pid is not None and pid != os.getpid():
        yield f"{config.state} is in use by process {pid}: stop it (`wherry node stop`), or choose another by --state"


def _paths(run: Path) -> Iterator[str]:
    longest = run / "containerd" / "containerd.sock.ttrpc"
    excess = len(os.fsencode(longest)) - _SOCKET_BYTES
    if excess > 0:
        yield f"{run} is too long by {excess} for the paths of the sockets in it: choose another by --run-dir"


def _find(name: str, find: Callable[[str], str | None]) -> str | None:
    """Also where administrators' programs are that a user's PATH leaves out."""
    return find(name) or next((str(at) for at in (Path("/usr/sbin") / name, Path("/sbin") / name) if at.exists()), None)


def _programs() -> Iterator[str]:
    missing = missing_packages()
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        yield f"{', '.join(missing)}: not found. On Debian and Ubuntu: apt-get install {packages}"


def _disk(state: Path) -> Iterator[str]:
    there = next(path for path in (state, *state.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < NEEDED_BYTES:
        yield f"{state} has {free >> 20} MiB left, {NEEDED_BYTES >> 20} are needed: free some, or take another --state"


def _port(config: Config) -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.listen, config.port))
            probe.listen(1)
        except OSError as error:
            yield port_problem(config, error)


def port_problem(config: Config, error: OSError) -> str:
    """Why the API cannot listen, and who does."""
    at = f"{config.listen}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(config.port)
        return f"{at} is taken by {holder or 'another process'}: end it, or choose another port by --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{config.listen} is no address of this machine: choose another by --listen"
    return f"the API cannot listen at {at}: {error.strerror}"
