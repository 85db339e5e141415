"""Packets on this machine: who is seen as the caller, who is refused, where a load balancer listens."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

SERVE = """cd /tmp; mkdir -p www/cgi-bin
printf '#!/bin/sh\\necho; echo $(cat /etc/hostname) $REMOTE_ADDR' > www/cgi-bin/who
busybox chmod 755 www/cgi-bin/who; exec httpd -f -p 5000 -h www"""


def pod(name: str) -> dict[str, object]:
    container = {
        "name": "app",
        "image": IMAGE,
        "command": ["sh", "-c", SERVE],
        "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "net", "pod": name}},
        "spec": spec,
    }


def service(name: str, selector: dict[str, str], port: int = 80, **spec: object) -> dict[str, object]:
    ports = [{"name": "http", "port": port, "targetPort": 5000}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports, **spec},
    }


SERVICES = [
    service("net", {"app": "net"}),
    service("one", {"pod": "one"}),
    service("two", {"pod": "two"}, type="NodePort"),
    service("sticky", {"app": "net"}, sessionAffinity="ClientIP"),
    service("nobody", {"app": "nobody"}),
]


@pytest.fixture(scope="module")
def cluster(engine: Engine) -> Iterator[Engine]:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod("one"), pod("two"), *SERVICES]})
    engine.kubectl("apply", "-f", "-", stdin=items)
    engine.kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=net", "--timeout=40s")
    deadline = time.monotonic() + 10
    while len({whoever(engine, "net") for _ in range(8)}) < 2:
        assert time.monotonic() < deadline, "the Service does not lead to both pods"
    yield engine
    engine.kubectl("delete", "-f", "-", "--timeout=40s", stdin=items)


def get(engine: Engine, what: str, path: str) -> str:
    return engine.kubectl("get", *what.split(), "-o", f"jsonpath={{{path}}}")


def ask(address: str, port: int = 80) -> list[str]:
    """The name of the pod that answers this host, and the caller's address as it sees it."""
    connection = HTTPConnection(address, port, timeout=3)
    connection.request("GET", "/cgi-bin/who")
    words = connection.getresponse().read().decode().split()
    connection.close()
    return words


def whoever(engine: Engine, name: str) -> str:
    with contextlib.suppress(OSError):
        return ask(get(engine, f"service {name}", ".spec.clusterIP"))[0]
    return ""


def call(engine: Engine, caller: str, address: str, port: int | str = 80) -> str:
    """What comes back to the pod `caller`, or why nothing does."""
    words = f"printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port} 2>&1; true"
    return engine.kubectl("exec", caller, "--", "sh", "-c", words)


def ask_from(engine: Engine, caller: str, address: str, port: int | str = 80) -> list[str]:
    name, source = call(engine, caller, address, port).split()[-2:]
    return [name, source.removeprefix("[::ffff:").removesuffix("]")]


def test_a_pod_is_seen_by_its_own_address_where_the_kernel_can(cluster: Engine) -> None:
    bridge = cluster.options[cluster.options.index("--bridge") + 1]
    caller = get(cluster, "pod one", ".status.podIP")
    gateway = caller.rpartition(".")[0] + ".1"
    seen = Path(f"/sys/class/net/{bridge}/bridge/nf_call_iptables").exists()
    address = get(cluster, "service two", ".spec.clusterIP")
    assert ask_from(cluster, "one", address) == ["two", caller if seen else gateway]
    assert ask_from(cluster, "one", get(cluster, "pod two", ".status.podIP"), 5000) == ["two", caller]


def test_a_pod_reaches_itself_by_its_service(cluster: Engine) -> None:
    assert ask_from(cluster, "one", get(cluster, "service one", ".spec.clusterIP"))[0] == "one"


def test_affinity_leads_a_client_to_the_same_pod_also_when_other_rules_change(cluster: Engine) -> None:
    address = get(cluster, "service sticky", ".spec.clusterIP")
    first = ask(address)[0]
    assert {ask(address)[0] for _ in range(12)} == {first}
    cluster.kubectl("create", "service", "clusterip", "another", "--tcp=80:5000")
    cluster.kubectl("delete", "service", "another")
    assert {ask(address)[0] for _ in range(12)} == {first}


def test_a_service_without_endpoints_and_an_address_without_a_service_refuse_at_once(cluster: Engine) -> None:
    nobody = get(cluster, "service nobody", ".spec.clusterIP")
    given = cluster.kubectl("get", "services", "-A", "-o", "jsonpath={.items[*].spec.clusterIP}").split()
    network = nobody.rpartition(".")[0]
    free = next(address for number in range(254, 0, -1) if (address := f"{network}.{number}") not in given)
    for address in (nobody, free):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, 80), timeout=2)
        assert "Connection refused" in call(cluster, "one", address)


def test_a_node_port_answers_pods_at_the_bridge_s_address(cluster: Engine) -> None:
    port = get(cluster, "service two", ".spec.ports[0].nodePort")
    gateway = get(cluster, "pod one", ".status.hostIP")
    assert ask_from(cluster, "one", gateway, port)[0] == "two"


@pytest.mark.parametrize("holder", ["127.0.0.1", "0.0.0.0"])
def test_a_load_balancer_whose_port_is_taken_gets_another_address(cluster: Engine, holder: str) -> None:
    with socket.create_server((holder, 0)) as taken:
        port = taken.getsockname()[1]
        balanced = json.dumps(service("outer", {"app": "net"}, port, type="LoadBalancer"))
        cluster.kubectl("apply", "-f", "-", stdin=balanced)
        try:
            cluster.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/outer", "--timeout=10s")
            address = get(cluster, "service outer", ".status.loadBalancer.ingress[0].ip")
            assert address.startswith("127.80.")
            deadline = time.monotonic() + 10
            while (answer := ask(address, port)[0]) not in ("one", "two"):
                assert time.monotonic() < deadline, answer  # 503 until the endpoints are known
            events = cluster.kubectl("get", "events", "--field-selector=involvedObject.name=outer")
            assert f"Port {port} is in use on 127.0.0.1: reachable at {address} instead" in events
        finally:
            cluster.kubectl("delete", "service", "outer")


def test_a_load_balancer_that_was_killed_is_back_at_once_where_it_was(cluster: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(service("outer", {"app": "net"}, port, type="LoadBalancer")))
    try:
        cluster.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/outer", "--timeout=10s")
        pid = int((cluster.root / "rn" / "haproxy" / "haproxy.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        answer, deadline = "", time.monotonic() + 10
        while answer not in ("one", "two"):
            assert time.monotonic() < deadline, "nobody listens any more"
            with contextlib.suppress(OSError, HTTPException):
                answer = ask("127.0.0.1", port)[0]
        assert int((cluster.root / "rn" / "haproxy" / "haproxy.pid").read_text().split()[0]) != pid
        assert get(cluster, "service outer", ".status.loadBalancer.ingress[0].ip") == "127.0.0.1"
    finally:
        cluster.kubectl("delete", "service", "outer")


def test_a_client_by_udp_follows_to_the_pod_that_is_left(cluster: Engine) -> None:
    """It keeps its port, and the kernel would keep its way to the pod that is gone for as long as it sends."""
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": [echo("first"), echo("second"), ECHO]})
    cluster.kubectl("apply", "-f", "-", stdin=items)
    try:
        cluster.kubectl("wait", "--for=condition=Ready", "pod", "-l", "app=echo", "--timeout=40s")
        address = get(cluster, "service echo", ".spec.clusterIP")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((address, 53))
            client.settimeout(0.5)
            name = exchange(client)
            cluster.kubectl("delete", "pod", name, "--timeout=40s")
            assert exchange(client) in {"first", "second"} - {name}
    finally:
        cluster.kubectl("delete", "-f", "-", "--timeout=40s", "--ignore-not-found", stdin=items)


ECHO = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "echo"},
    "spec": {"selector": {"app": "echo"}, "ports": [{"protocol": "UDP", "port": 53, "targetPort": 5000}]},
}


def echo(name: str) -> dict[str, object]:
    """Answers datagrams with its name. The image has no Python, and this machine does."""
    script = f"""import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("", 5000))
    while True:
        question, client = server.recvfrom(100)
        server.sendto(b"{name} " + question, client)"""
    folders = ("usr", "lib", "lib64")
    container = {
        "name": "app",
        "image": IMAGE,
        "command": ["/usr/bin/python3", "-c", script],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}", "readOnly": True} for each in folders],
    }
    volumes = [{"name": each, "hostPath": {"path": f"/{each}"}} for each in folders]
    spec = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "echo"}}, "spec": spec}


def exchange(client: socket.socket) -> str:
    """The name in the answer to a question, which is asked again as UDP's are."""
    deadline = time.monotonic() + 15
    while (asked := time.monotonic()) < deadline:
        with contextlib.suppress(OSError):
            client.send(str(asked).encode())
            name, _, question = client.recv(100).decode().partition(" ")
            if question == str(asked):  # and not a late answer to an earlier one
                return name
    raise AssertionError("no answer")
