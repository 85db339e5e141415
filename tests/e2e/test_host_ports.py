"""Ports of this machine that lead to pods: `hostPort`, and UDP ports of LoadBalancer Services, with real packets."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPException

import pytest

from tests.e2e import pods
from tests.e2e.conftest import Engine
from tests.e2e.test_network import ask, ask_from, call, echo, exchange, get
from tests.e2e.test_network import pod as web

pytestmark = pytest.mark.root

Obj = pods.Obj


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


def opened(pod: Obj, port: int, protocol: str = "TCP", **more: str) -> Obj:
    """The pod with a port of this machine that leads to it."""
    asked = {"containerPort": 5000, "hostPort": port, "protocol": protocol, **more}
    pod["spec"]["containers"][0]["ports"] = [asked]
    return pod


@contextlib.contextmanager
def running(engine: Engine, *made: Obj) -> Iterator[None]:
    pods.create(engine, *made)
    names = [each["metadata"]["name"] for each in made if each["kind"] == "Pod"]
    try:
        pods.ready(engine, *names)
        yield
    finally:
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(made)})
        engine.kubectl("delete", "-f", "-", "--timeout=40s", "--ignore-not-found", stdin=items)


def gateway(engine: Engine) -> str:
    return engine.kubectl("get", "node", "-o", "jsonpath={.items[0].status.addresses[0].address}")


def answers(address: str, port: int, seconds: float = 10) -> str:
    """The pod that answers there, as soon as one does."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            return ask(address, port)[0]
        assert time.monotonic() < deadline, f"nobody answers at {address}:{port}"


def refused(address: str, port: int) -> bool:
    """Nobody listens there any more, at the latest in a moment: HAProxy does until its pod is gone."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection((address, port), timeout=2).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was just ending
            continue
    return False


def test_a_host_port_leads_to_its_pod_and_is_given_once(engine: Engine) -> None:
    port, at = free_port(), gateway(engine)
    with running(engine, opened(web("one"), port), web("two")):
        assert answers("127.0.0.1", port) == "one"
        assert answers(at, port) == "one"
        assert ask_from(engine, "two", at, port)[0] == "one"
        assert ask_from(engine, "one", at, port)[0] == "one"
        with running_pending(engine, opened(web("second"), port)):
            (said,) = pods.said(engine, "second", "FailedScheduling")
            assert said.startswith(
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports"
            )
    assert refused("127.0.0.1", port)
    assert refused(at, port)


@contextlib.contextmanager
def running_pending(engine: Engine, pod: Obj) -> Iterator[None]:
    pods.create(engine, pod)
    try:
        yield
    finally:
        engine.kubectl("delete", "pod", pod["metadata"]["name"], "--timeout=40s")


def test_a_host_port_of_one_address_is_open_only_there(engine: Engine) -> None:
    port, at = free_port(), gateway(engine)
    inner = opened(web("inner"), port, hostIP="127.0.0.1")
    outer = opened(web("outer"), port, hostIP=at)
    with running(engine, inner, outer):
        assert answers("127.0.0.1", port) == "inner"
        assert answers(at, port) == "outer"
        assert "outer" in call(engine, "inner", at, port)
        engine.kubectl("delete", "pod", "outer", "--timeout=40s")
        assert refused(at, port)
        assert answers("127.0.0.1", port) == "inner"


def answered(address: str, port: int) -> bool:
    try:
        ask(address, port)
    except (OSError, HTTPException):
        return False
    return True


def test_a_pod_that_ends_is_out_of_its_host_port_before_it_is_told_to_stop(engine: Engine) -> None:
    """Who is connected already, by HAProxy or by the kernel, gets an answer still."""
    port, at = free_port(), gateway(engine)
    stays = opened(web("stays"), port)  # its program, the first in its namespace, takes no notice of SIGTERM
    stays["spec"]["terminationGracePeriodSeconds"] = 10
    with running(engine, stays), contextlib.ExitStack() as stack:
        own = get(engine, "pod stays", ".status.podIP")
        assert answers("127.0.0.1", port) == answers(at, port) == "stays"
        clients = [
            stack.enter_context(socket.create_connection((address, port), timeout=5)) for address in ("127.0.0.1", at)
        ]
        for client in clients:
            client.sendall(b"GET /cgi-bin/who HTTP/1.0\r\n")
        engine.kubectl("delete", "pod", "stays", "--wait=false")
        deadline = time.monotonic() + 5
        while answered("127.0.0.1", port) or answered(at, port):
            assert time.monotonic() < deadline, "the port is still open"
        assert ask(own, 5000)[0] == "stays"
        assert "Killing" not in pods.order(engine, "stays")
        for client in clients:
            client.sendall(b"\r\n")
            assert b" 200 OK" in client.recv(1000)
    assert refused("127.0.0.1", port)


def test_a_host_port_stays_open_when_the_engine_is_started_anew(engine: Engine) -> None:
    port, at = free_port(), gateway(engine)
    with running(engine, opened(web("stays"), port)):
        assert answers("127.0.0.1", port) == answers(at, port) == "stays"
        stopped = engine.wherry("node", "stop")
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        assert answers("127.0.0.1", port) == answers(at, port) == "stays"
        started = engine.wherry("node", "start")
        assert started.returncode == 0, started.stdout + started.stderr
        assert ask_from(engine, "stays", at, port)[0] == "stays"
        assert answers("127.0.0.1", port) == answers(at, port) == "stays"
        assert "HostPortNotOpened" not in pods.order(engine, "stays")


def test_a_port_that_a_program_has_is_told_with_its_name_and_opened_when_it_ends(engine: Engine) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        pods.create(engine, opened(web("waits"), port))
        try:
            (said,) = pods.said(engine, "waits", "HostPortNotOpened")
            assert said.startswith(f"hostPort {port}/TCP is not opened: it is in use by ")
            assert said.endswith(f"(pid {os.getpid()})")
            taken.close()
            pods.ready(engine, "waits")
            assert answers("127.0.0.1", port, seconds=20) == "waits"
            assert answers(gateway(engine), port) == "waits"
        finally:
            engine.kubectl("delete", "pod", "waits", "--timeout=40s")


def asked_from(engine: Engine, caller: str, address: str, port: int) -> str:
    """The name in the answer to a datagram of another pod."""
    script = f"""import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.connect(("{address}", {port}))
    client.settimeout(3)
    client.send(b"?")
    print(client.recv(100).decode().split()[0])"""
    return engine.kubectl("exec", caller, "--", "/usr/bin/python3", "-c", script).strip()


def test_a_host_port_by_udp_is_reached_also_by_who_has_sent_too_early(engine: Engine) -> None:
    port, at = free_port(socket.SOCK_DGRAM), gateway(engine)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((at, 0))
        client.connect((at, port))
        client.settimeout(0.5)
        client.send(b"too early")
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)
        with running(engine, opened(echo("echoes"), port, "UDP"), echo("asks")):
            assert exchange(client) == "echoes"
            assert asked_from(engine, "asks", at, port) == asked_from(engine, "echoes", at, port) == "echoes"
            (said,) = pods.said(engine, "echoes", "HostPort")
            assert said == f"hostPort {port}/UDP is not reached at 127.0.0.1; use {at}"


def test_udp_of_a_load_balancer_is_reached_at_an_address_of_its_own(engine: Engine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 0))  # a program with the port at all of the machine's addresses is no hindrance
        balances(engine, holder.getsockname()[1])


def balances(engine: Engine, port: int) -> None:
    ports = [
        {"name": "dns", "protocol": "UDP", "port": port, "targetPort": 5000},
        {"name": "web", "protocol": "TCP", "port": port, "targetPort": 5000},
    ]
    spec = {"type": "LoadBalancer", "selector": {"app": "echo"}, "ports": ports}
    balanced = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outer"}, "spec": spec}
    with running(engine, echo("first"), echo("second"), balanced):
        engine.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/outer", "--timeout=10s")
        address = get(engine, "service outer", ".status.loadBalancer.ingress[0].ip")
        assert address.startswith("127.80.")
        (said,) = pods.said(engine, "outer", "AddressForUDP")
        assert said == f"By UDP no pod can be reached at 127.0.0.1: reachable at {address} instead"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((address, port))
            client.settimeout(0.5)
            name = exchange(client)
            engine.kubectl("delete", "pod", name, "--timeout=40s")
            assert exchange(client) in {"first", "second"} - {name}
        socket.create_connection((address, port), timeout=2).close()  # HAProxy has the same port by TCP
    deadline = time.monotonic() + 10
    while address in subprocess.run(["ip", "route", "show", "table", "local"], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, "the route is still there"
