"""Who is owed an answer: by values, and by the kernel on real connections."""

import ctypes
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wherry.network.drain import Drain
from wherry.network.sockets import Connection, Namespaces, PodSockets, Spoke, State, served

ADDRESS, PORT = "127.80.9.7", 5000
OPEN = Connection(State.ESTABLISHED, b"", socket.AF_INET, PORT, ADDRESS, 0, 0, 9000, 9000, 9000, 0, 0)


def seen(**fields: Any) -> Connection:
    return OPEN._replace(**fields)


@pytest.mark.parametrize(
    ("connection", "spoke"),
    [
        (seen(), Spoke.SERVER),  # a client that has connected and says nothing
        (seen(received=1), Spoke.CLIENT),
        (seen(received=1, sent=1, sent_ago=10, received_ago=40), Spoke.SERVER),
        (seen(received=2, sent=1, sent_ago=40, received_ago=10), Spoke.CLIENT),
        (seen(received=1, sent=1, sent_ago=40, received_ago=40, confirmed_ago=0), Spoke.SERVER),
        (seen(received=2, sent=1, sent_ago=40, received_ago=40, confirmed_ago=40), Spoke.EITHER),
        (seen(received=1, sent=1, sent_ago=10, received_ago=40, unread=5), Spoke.CLIENT),
        (seen(received=1, sent=1, sent_ago=10, received_ago=40, unsent=5), Spoke.CLIENT),
    ],
)
def test_who_spoke_last(connection: Connection, spoke: Spoke) -> None:
    assert connection.spoke is spoke


IDLE = {"received": 1, "sent": 1, "sent_ago": 1500, "received_ago": 1504}


@pytest.mark.parametrize(
    "connection",
    [
        seen(**{**IDLE, "sent_ago": 900}),  # it may be a stream
        seen(received=1),
        seen(state=State.SYN_RECV),
        seen(state=State.LISTEN, unread=1, local="::"),
        seen(state=State.FIN_WAIT1, unsent=1),
        seen(state=State.CLOSE_WAIT, received=1),
        seen(received=1, sent=1, sent_ago=2000, received_ago=2000, confirmed_ago=2000),
    ],
)
def test_these_are_served(connection: Connection) -> None:
    assert served([connection], ADDRESS, frozenset({PORT})) == [connection]


@pytest.mark.parametrize(
    "connection",
    [
        seen(**IDLE),
        seen(received=1, local_port=40000),  # the pod's own call
        seen(received=1, local="127.0.0.1"),  # its containers among themselves
        seen(state=State.LISTEN),
        seen(state=State.FIN_WAIT1),
        seen(received=1, sent=1, sent_ago=6000, received_ago=6000, confirmed_ago=6000),
    ],
)
def test_these_are_not(connection: Connection) -> None:
    assert served([connection], ADDRESS, frozenset({PORT})) == []


@pytest.fixture
def sockets() -> Iterator[PodSockets]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as line:
        line.settimeout(5)
        yield PodSockets(line)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((ADDRESS, 0)) as listener:
        yield listener


def test_the_kernel_tells_a_request_without_an_answer(sockets: PodSockets, listener: socket.socket) -> None:
    drain = Drain(sockets, ADDRESS)
    assert [drain.look(closing=False) for _ in range(2)] == [False, True]
    with socket.create_connection(listener.getsockname()) as client:
        assert not drain.look(closing=False)  # waits to be accepted
        server, _ = listener.accept()
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        assert [drain.look(closing=False) for _ in range(3)] == [False] * 3
        server.sendall(b"answer")
        assert client.recv(100) == b"answer"
        server.close()
        assert client.recv(100) == b""
        assert any(drain.look(closing=False) for _ in range(100))


@pytest.mark.root
def test_a_connection_in_constant_use_is_closed_between_two_requests(
    sockets: PodSockets, listener: socket.socket
) -> None:
    drain = Drain(sockets, ADDRESS)
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
        client.settimeout(5)
        server.settimeout(5)
        for _ in range(100):
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            assert not drain.look(closing=True)  # never with the answer due
            server.sendall(b"answer")
            assert client.recv(100) == b"answer"
            end = time.monotonic() + 0.05
            while time.monotonic() < end and not drain.look(closing=True):
                pass
            if select.select([client], [], [], 0)[0]:
                break
        with pytest.raises(ConnectionResetError):
            client.recv(100)


@pytest.mark.root
def test_a_namespace_is_found_by_its_address(tmp_path: Path) -> None:
    mount = tmp_path / "cni-1"
    mount.touch()
    setup = (
        "ip link add eth0 type bridge; ip addr add 10.85.9.9/24 dev eth0; ip link set eth0 up; ip link set lo up;"
        f"mount --bind /proc/self/ns/net {mount}"
    )
    # The mount must be seen from here: only the network is another.
    subprocess.run(["unshare", "--net", "sh", "-ec", setup], check=True, timeout=30)
    before = os.readlink("/proc/thread-self/ns/net")
    try:
        namespaces = Namespaces(tmp_path)
        assert namespaces.open("10.85.9.8") is None
        found = namespaces.open("10.85.9.9")
        assert found is not None
        assert found.connections() == []
        found.close()
        assert os.readlink("/proc/thread-self/ns/net") == before
    finally:
        ctypes.CDLL(None).umount2(str(mount).encode(), 2)
