"""Host ports as they are open now: who has one keeps it, and what is told of it once."""

import os
import socket
from typing import Any

from tests.unit.network.objects import service, settings
from wherry.client.mirror import Mirror
from wherry.network.host_ports import Opening
from wherry.network.openings import HostPorts
from wherry.network.ruleset import Ruleset
from wherry.objects import Obj


class Node:
    """Host ports with a mirror to fill, and what they tell."""

    def __init__(self) -> None:
        self.mirror, self.told = Mirror(), list[str]()
        self.ports = HostPorts(self.mirror, settings(), lambda pod, type, reason, words: self.told.append(words))

    def put(self, port: int, **metadata: Any) -> None:
        ports = [{"containerPort": 80, "hostPort": port}]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "default", "name": "web", "uid": "1-2", **metadata},
            "spec": {"containers": [{"name": "app", "ports": ports}]},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.85.0.9"}]},
        }
        self.mirror.apply(1, pod, None)

    async def decide(self, *services: Obj, haproxy: bool = False) -> list[Opening]:
        held: dict[tuple[str, int], str] = (
            {each.listens: "pod:127.0.0.1:1" for each in self.ports._open.values()} if haproxy else {}
        )
        found = await self.ports.decide(services, held, Ruleset())
        self.ports.tell()
        return found


async def test_a_program_that_has_the_port_is_named_once_and_the_pod_gets_it_afterwards() -> None:
    node = Node()
    with socket.create_server(("0.0.0.0", 0)) as holder:
        port = holder.getsockname()[1]
        node.put(port)
        for _ in range(2):
            assert [each.packets for each in await node.decide()] == [False]
        (said,) = node.told
        assert said.startswith(f"hostPort {port}/TCP is not opened: it is in use by ")
        assert said.endswith(f"(pid {os.getpid()})")
        assert node.ports.waiting
    assert [(each.packets, each.loopback) for each in await node.decide()] == [(True, "127.0.0.1")]
    assert not node.ports.waiting


async def test_who_has_a_port_keeps_it_but_against_haproxy_s_failure_and_a_node_port() -> None:
    node = Node()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    node.put(port)
    await node.decide()
    with socket.create_server(("127.0.0.1", port)):
        (kept,) = await node.decide(haproxy=True)
        assert kept.loopback  # it is HAProxy itself that listens there
        (lost,) = await node.decide()
        assert (lost.packets, lost.loopback) == (True, "")
    ports = [{"port": 80, "protocol": "TCP", "nodePort": port}]
    (given,) = await node.decide(service(ports=ports))
    assert not given.packets
    assert node.told[-1] == f"hostPort {port}/TCP is not opened: it is the nodePort of a Service"


async def test_a_pod_that_ends_is_closed_first_and_gone_last() -> None:
    node = Node()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    node.put(port)
    await node.decide()
    assert node.ports.wants("1-2")
    node.put(port, deletionTimestamp="2026-01-01T00:00:00Z")
    assert not node.ports.wants("1-2")
    for _ in range(2):
        assert await node.decide() == []
        assert [each.loopback for each in node.ports.closing] == ["127.0.0.1"]
    node.mirror.apply(2, None, node.mirror.get("Pod", "default", "web"))
    assert await node.decide() == []
    assert node.ports.closing == []
