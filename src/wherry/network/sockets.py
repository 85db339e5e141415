"""A pod's TCP connections, as the kernel in its network namespace knows them (sock_diag).

Unlike connection tracking this sees every client, whatever way it came, and tells who spoke last on each connection: a
server that has answered and waits is left alone, one that is still asked something is not.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from wherry.listeners import ANY

_NEWNET = 0x40000000  # CLONE_NEWNET
_SOCK_DIAG, _BY_FAMILY, _DESTROY = 4, 20, 21
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_DONE, _ERROR = 3, 2
_GET_ADDRESS = 0x8915  # SIOCGIFADDR
_INFO = 2  # the attribute with struct tcp_info
_HEADER = struct.Struct("=IHHII")
_ASK = struct.Struct("=BBBxI48s")
_MESSAGE = struct.Struct("=BBBB48sIIIII")
_TIMES = struct.Struct("=4I")  # last_data_sent, last_ack_sent, last_data_recv, last_ack_recv
_TIMES_AT = 44
_SEGMENTS = struct.Struct("=II")  # data_segs_in, data_segs_out
_SEGMENTS_AT = 152
_INTERFACE = "eth0"


class State(IntEnum):
    """The kernel's numbers of those states that matter here."""

    ESTABLISHED = 1
    SYN_RECV = 3
    FIN_WAIT1 = 4
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


_ASKED = sum(1 << state for state in State) | 1 << 12  # 12: half-open ones, shown as SYN_RECV


class Spoke(IntEnum):
    """What the server owes on a connection, from who spoke last."""

    CLIENT = 0  # an answer
    EITHER = 1  # both spoke within one tick of the kernel's clock: it cannot be told
    SERVER = 2  # nothing, as between two requests


class Connection(NamedTuple):
    """One socket. Times are milliseconds since then, as exact as the kernel's tick (4 ms on many)."""

    state: int
    identity: bytes  # ports, addresses, cookie, as the kernel wants them back
    family: int
    local_port: int
    local: str
    unread: int  # bytes the program has not read; of a listener: connections it has not accepted
    unsent: int  # bytes that the peer has not confirmed
    sent_ago: int = 0
    received_ago: int = 0
    confirmed_ago: int = 0  # the peer's last acknowledgement
    received: int = 0  # segments with data
    sent: int = 0

    @property
    def spoke(self) -> Spoke:
        if self.unread or self.unsent or (self.received and not self.sent):
            return Spoke.CLIENT
        if not self.received or self.sent_ago < self.received_ago:
            return Spoke.SERVER
        if self.sent_ago > self.received_ago:
            return Spoke.CLIENT
        # A client that had said more since would have confirmed the answer with that, not later.
        return Spoke.SERVER if self.confirmed_ago < self.received_ago else Spoke.EITHER

    @property
    def quiet(self) -> int:
        """Milliseconds without data."""
        return min(self.sent_ago, self.received_ago)


SURE, UNSURE = 1000, 5000
"""Milliseconds of silence after which a connection whose server spoke last (or may have) is one that its client only
keeps for later."""


def served(connections: Iterable[Connection], address: str, ports: frozenset[int]) -> list[Connection]:
    """Those in which a client of `address` may still be owed something, at the ports that the pod listens (or did)."""
    return [
        each for each in connections if each.local_port in ports and each.local in (address, ANY, "::") and _busy(each)
    ]


def _busy(connection: Connection) -> bool:
    match connection.state:
        case State.SYN_RECV:
            return True
        case State.LISTEN:
            return connection.unread > 0
        case State.ESTABLISHED | State.CLOSE_WAIT:
            if connection.spoke is Spoke.SERVER:
                return connection.quiet < SURE
            return connection.spoke is Spoke.CLIENT or connection.quiet < UNSURE
    return connection.unsent > 0  # closed by the server: what is left to be sent must still arrive


def listening(connections: Iterable[Connection]) -> frozenset[int]:
    return frozenset(each.local_port for each in connections if each.state == State.LISTEN)


@dataclass
class PodSockets:
    """An open question line into one network namespace."""

    line: socket.socket

    def connections(self) -> list[Connection]:
        """All TCP sockets of these states. Raises OSError."""
        return [each for family in (socket.AF_INET, socket.AF_INET6) for each in self._dump(family)]

    def close_connection(self, connection: Connection) -> bool:
        """Reset it on both ends; False where the kernel cannot (CONFIG_INET_DIAG_DESTROY) or it is gone."""
        ask = _ASK.pack(connection.family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF, connection.identity)
        self._send(_DESTROY, _REQUEST | _ACK, ask)
        for kind, body in self._answers():
            if kind == _ERROR:
                return bool(struct.unpack_from("=i", body)[0] == 0)
        return False

    def close(self) -> None:
        self.line.close()

    def _dump(self, family: int) -> Iterator[Connection]:
        ask = _ASK.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), _ASKED, bytes(48))
        self._send(_BY_FAMILY, _REQUEST | _DUMP, ask)
        for kind, body in self._answers():
            if kind == _ERROR:
                number = -struct.unpack_from("=i", body)[0]
                raise OSError(number, f"sock_diag: {os.strerror(number)}")
            yield _connection(body)

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self.line.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """Messages until the end of a dump, or the one acknowledgement."""
        while True:
            data = self.line.recv(1 << 16)
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind == _DONE or length < _HEADER.size:
                    return
                yield kind, data[at + _HEADER.size : at + length]
                if kind == _ERROR:
                    return
                at += (length + 3) & ~3


def _connection(body: bytes) -> Connection:
    family, state, _, _, identity, _, unread, unsent, _, _ = _MESSAGE.unpack_from(body)
    port = struct.unpack_from("!H", identity)[0]
    local = identity[4:8] if family == socket.AF_INET else identity[4:20]
    address = socket.inet_ntop(family, local).removeprefix("::ffff:")
    return Connection(state, identity, family, port, address, unread, unsent, *_history(body))


def _history(body: bytes) -> tuple[int, ...]:
    """The last five fields of a Connection; half-open and closing ones have none."""
    at = _MESSAGE.size
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if kind == _INFO and length >= 4 + _SEGMENTS_AT + _SEGMENTS.size:
            sent_ago, _, received_ago, confirmed_ago = _TIMES.unpack_from(body, at + 4 + _TIMES_AT)
            return sent_ago, received_ago, confirmed_ago, *_SEGMENTS.unpack_from(body, at + 4 + _SEGMENTS_AT)
        at += max((length + 3) & ~3, 4)
    return ()


class Namespaces:
    """Finds the network namespaces that are mounted below a directory by the addresses of their pods."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._addresses: dict[str, str] = {}  # by the mount's path

    def open(self, address: str) -> PodSockets | None:
        """None if no pod has the address (any more). Blocking, for a millisecond."""
        mounts = self._mounts()
        self._addresses = {path: known for path, known in self._addresses.items() if path in mounts}
        for path in mounts:
            if self._addresses.get(path, address) != address:
                continue
            with contextlib.suppress(OSError):  # it may be unmounted at this moment
                line, found = _enter(path)
                if found:  # without an address it is being set up or taken down
                    self._addresses[path] = found
                if found == address:
                    return PodSockets(line)
                line.close()
        return None

    def _mounts(self) -> list[str]:
        below = f"{self._directory}/"
        lines = (line.split() for line in Path("/proc/self/mounts").read_text("utf-8").splitlines())
        return [words[1] for words in lines if words[2] == "nsfs" and words[1].startswith(below)]


def _enter(path: str) -> tuple[socket.socket, str]:
    """A sock_diag line into the namespace at `path`, and the address there.

    Only a thread of its own enters, and ends there: none that others use can be left in the wrong place.
    """
    found: list[tuple[socket.socket, str]] = []
    failed: list[OSError] = []

    def enter() -> None:
        try:
            _set_namespace(path)
            line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)
            line.settimeout(2.0)
            found.append((line, _address()))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=enter, name="wherry-netns")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _set_namespace(path: str) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(file, _NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"setns {path}: {os.strerror(number)}")
    finally:
        os.close(file)


def _address() -> str:
    """The IPv4 address of this thread's namespace, "" if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _GET_ADDRESS, struct.pack("256s", _INTERFACE.encode()))
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])
