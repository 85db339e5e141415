"""Who listens on this machine, with real sockets."""

import os
import socket

from wherry.listeners import ANY, holder, listeners


def test_listeners_are_found_with_their_address_and_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("::", 0), family=socket.AF_INET6) as all:
        found = {each.port: each for each in listeners("tcp")}
        here = found[one.getsockname()[1]]
        assert (here.protocol, here.address) == ("tcp", "127.0.0.1")
        assert found[all.getsockname()[1]].address == ANY
        process = holder([here.inode])
        assert process is not None
        assert process.pid == os.getpid()
    assert here.port not in {each.port for each in listeners("tcp")}


def test_by_udp_who_talks_to_one_peer_only_does_not_listen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        ports = {each.port for each in listeners("udp")}
        assert server.getsockname()[1] in ports
        assert client.getsockname()[1] not in ports
