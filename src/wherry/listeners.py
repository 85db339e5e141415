"""Who listens at which ports of this machine: read from /proc, with no program's help."""

import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ANY = "0.0.0.0"  # noqa: S104  told, not bound

_TABLES = {"tcp": ("0A", ("net/tcp", "net/tcp6")), "udp": ("07", ("net/udp", "net/udp6"))}
"""A socket that waits for anybody has the state LISTEN; by UDP it is one that is not connected."""


@dataclass(frozen=True)
class Process:
    """A living process. `name` is "" where it may not be read."""

    pid: int
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.name else f"process {self.pid}"


@dataclass(frozen=True)
class Listener:
    """One socket. `address` is 0.0.0.0 when it is reached at all addresses, also by IPv4 at one of IPv6."""

    protocol: str  # tcp, udp
    address: str
    port: int
    inode: str


def process(pid: int) -> Process:
    try:
        return Process(pid, (PROC / str(pid) / "comm").read_text().strip())
    except OSError:
        return Process(pid)


def listeners(protocol: str) -> Iterator[Listener]:
    """Blocking, for a moment."""
    state, tables = _TABLES[protocol]
    for table in tables:
        try:
            lines = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[3] == state:
                address, _, port = words[1].rpartition(":")
                yield Listener(protocol, _address(address), int(port, 16), words[9])


def holder(inodes: Iterable[str]) -> Process | None:
    """A process that has one of the sockets; None if there is none or it may not be known. Blocking."""
    sockets = {f"socket:[{inode}]" for inode in inodes}
    if not sockets:
        return None
    for directory in PROC.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (directory / "fd").iterdir()):
                return process(int(directory.name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return None


def _address(text: str) -> str:
    """The kernel writes each four bytes as a number in the machine's own order."""
    packed = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    address = socket.inet_ntop(socket.AF_INET6, packed)
    return ANY if address == "::" else address.removeprefix("::ffff:")
