"""Packets to host ports and balancers through the real rules: a host, a pod and another machine, each a namespace."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.unit.network.objects import settings
from wherry.network.nft import render
from wherry.network.ruleset import ANY, Endpoint, Ruleset, ServiceAddress, Target

pytestmark = pytest.mark.root

HOST, OTHER, POD = "192.0.2.1", "192.0.2.9", "10.85.0.2"
LINKS = """
link set lo up
link add wherrytest0 type bridge
addr add 10.85.0.1/16 dev wherrytest0
link set wherrytest0 up
link add pod0 type veth peer name eth0 netns {pod}
link set pod0 master wherrytest0 up
link set pod0 type bridge_slave hairpin on
link add other0 type veth peer name eth0 netns {other}
addr add 192.0.2.1/24 dev other0
link set other0 up
route add local 127.80.1.2/32 dev lo src 10.85.0.1 table local
"""
OWN = "link set lo up\nlink set eth0 up\naddr add {address} dev eth0\nroute add default via {router}\n"
ECHO = """import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as server:
    server.bind(("", 53)); print("listens", flush=True)
    while True:
        question, client = server.recvfrom(100); server.sendto(sys.argv[1].encode(), client)"""
ASK = """import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as client:
    client.connect((sys.argv[1], int(sys.argv[2]))); client.settimeout(0.7)
    try: client.send(b"?"); print(client.recv(100).decode())
    except OSError as error: print(type(error).__name__)"""


class Machines:
    """The namespaces, by the process that holds each."""

    def __init__(self, stack: ExitStack) -> None:
        self.pids = {name: self._hold(stack) for name in ("host", "pod", "other")}
        self.run("host", "ip", "-batch", "-", stdin=LINKS.format(**self.pids))
        self.run("host", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        self.run("pod", "ip", "-batch", "-", stdin=OWN.format(address=f"{POD}/16", router="10.85.0.1"))
        self.run("other", "ip", "-batch", "-", stdin=OWN.format(address=f"{OTHER}/24", router=HOST))
        for name in ("host", "pod"):
            argv = self.inside(name, sys.executable, "-c", ECHO, name)
            server = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            assert server.stdout is not None
            assert server.stdout.readline() == "listens\n"

    def inside(self, name: str, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.pids[name]), "--net", *argv]

    def run(self, name: str, *argv: str, stdin: str = "") -> str:
        done = subprocess.run(
            self.inside(name, *argv), input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ask(self, name: str, address: str, port: int) -> str:
        return self.run(name, sys.executable, "-c", ASK, address, str(port))

    @staticmethod
    def _hold(stack: ExitStack) -> int:
        held = stack.enter_context(
            subprocess.Popen(
                ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE, text=True
            )
        )
        stack.callback(held.kill)
        assert held.stdout is not None
        held.stdout.readline()
        return held.pid


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(stack)


def rules(machines: Machines, *, expose: str = "", sources: tuple[str, ...] = (), left: str = "") -> None:
    """A host port at 5300, at 53 with what the host itself has of it, and a balancer's port 5301."""
    pod = Target("udp", (Endpoint(POD, 53),))
    ports = {
        ServiceAddress(ANY, "udp", 5300): "pod",
        ServiceAddress(ANY, "udp", 53): "pod",
        **({ServiceAddress(left, "udp", 53): ""} if left else {}),
        ServiceAddress("127.80.1.2", "udp", 5301): "balancer",
        ServiceAddress(HOST, "udp", 5301): "balancer",
    }
    made = Ruleset({"pod": pod, "balancer": replace(pod, sources=sources)}, host_ports=ports)
    machines.run("host", "nft", "-f", "-", stdin=render(made, replace(settings(), expose=expose)))


def test_this_host_and_its_pods_reach_a_host_port_and_others_only_where_it_is_exposed(machines: Machines) -> None:
    rules(machines)
    assert [machines.ask("host", each, 5300) for each in (HOST, "10.85.0.1")] == ["pod", "pod"]
    assert [machines.ask("pod", each, 5300) for each in (HOST, "10.85.0.1")] == ["pod", "pod"]
    assert machines.ask("other", HOST, 5300) == "ConnectionRefusedError"
    assert machines.ask("host", "127.0.0.1", 5300) == "ConnectionRefusedError"
    for expose in (HOST, "0.0.0.0"):
        rules(machines, expose=expose)
        assert machines.ask("other", HOST, 5300) == "pod"


def test_an_address_where_a_program_listens_is_left_to_it(machines: Machines) -> None:
    rules(machines, left="10.85.0.1")
    assert machines.ask("host", "10.85.0.1", 53) == machines.ask("pod", "10.85.0.1", 53) == "host"
    assert machines.ask("host", HOST, 53) == machines.ask("pod", HOST, 53) == "pod"


def test_a_balancer_is_reached_at_its_own_address_and_by_allowed_clients_at_the_exposed_one(machines: Machines) -> None:
    rules(machines, expose=HOST, sources=("198.51.100.0/24",))
    assert machines.ask("host", "127.80.1.2", 5301) == "pod"
    assert machines.ask("other", HOST, 5301) == "TimeoutError"
    rules(machines, expose=HOST, sources=(f"{OTHER}/32",))
    assert machines.ask("other", HOST, 5301) == "pod"
