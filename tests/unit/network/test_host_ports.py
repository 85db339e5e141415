"""How far a pod's host port is opened, by what listens on this machine."""

from pathlib import Path
from typing import Any

import pytest

from wherry.network.balancer import render, seat
from wherry.network.host_ports import (
    HostPort,
    Opening,
    Taken,
    added,
    asks,
    claims,
    frontends,
    is_frontend,
    opening,
    wanted,
)
from wherry.network.ruleset import ANY, Endpoint, NodePort, Ruleset, ServiceAddress, Target
from wherry.objects import Obj

GATEWAY = "10.85.0.1"
TO = Endpoint("10.85.0.9", 80)


def pod(*ports: Obj, status: Obj | None = None, **spec: Any) -> Obj:
    containers = [{"name": "app", "ports": list(ports)}]
    status = {"phase": "Running", "podIPs": [{"ip": TO.address}]} if status is None else status
    return {"metadata": {"name": "web", "uid": "1-2"}, "spec": {"containers": containers, **spec}, "status": status}


def port(protocol: str = "tcp", address: str = ANY, number: int = 8080) -> HostPort:
    return HostPort("1-2", ServiceAddress(address, protocol, number), TO)


def decide(wish: HostPort, taken: Taken | None = None, node_ports: frozenset[NodePort] = frozenset()) -> Opening:
    return opening(wish, taken or {}, node_ports, GATEWAY, lambda address: address in (GATEWAY, "127.0.0.1"))


def held(*at: tuple[str, str], protocol: str = "tcp") -> Taken:
    return {NodePort(protocol, 8080): at}


def test_pods_with_an_address_that_are_not_on_their_way_out_want_theirs() -> None:
    asked = {"containerPort": 80, "hostPort": 8080}
    assert wanted([pod(asked)]) == [port()]
    assert wanted([pod({**asked, "hostIP": GATEWAY, "protocol": "UDP"})]) == [port("udp", GATEWAY)]
    assert wanted([pod({"containerPort": 80})]) == []
    assert wanted([pod(asked, status={})]) == []
    assert wanted([pod(asked, status={"phase": "Succeeded", "podIPs": [{"ip": TO.address}]})]) == []
    leaving = pod(asked)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert wanted([leaving]) == []
    assert asks(leaving)
    assert not asks(pod(asked, hostNetwork=True))  # it has the machine's ports itself


def test_tcp_is_open_at_all_addresses_and_by_haproxy_at_the_loopback_one() -> None:
    assert decide(port()) == Opening(port(), packets=True, loopback="127.0.0.1")
    assert decide(port(address=GATEWAY)) == Opening(port(address=GATEWAY), packets=True)
    assert decide(port(address="127.0.0.1")) == Opening(port(address="127.0.0.1"), loopback="127.0.0.1")


def test_udp_is_not_open_at_the_loopback_address_and_its_author_is_told_where() -> None:
    said = "hostPort 8080/UDP is not reached at 127.0.0.1; use 10.85.0.1"
    assert decide(port("udp")) == Opening(port("udp"), packets=True, remark=said)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (port("sctp"), "hostPort 8080/SCTP is not opened: SCTP is not carried on this node"),
        (port(address="::1"), "hostPort 8080/TCP is not opened: this node has no IPv6, and its hostIP is ::1"),
        (
            port(address="192.0.2.1"),
            "hostPort 8080/TCP is not opened: its hostIP 192.0.2.1 is no address of this machine",
        ),
        (port(number=30080), "hostPort 30080/TCP is not opened: it is the nodePort of a Service"),
        (
            port("udp", "127.0.0.1"),
            "hostPort 8080/UDP is not opened: by UDP no pod is reached at 127.0.0.1; use 10.85.0.1",
        ),
    ],
)
def test_what_cannot_be_opened_is_told(wish: HostPort, why: str) -> None:
    assert decide(wish, node_ports=frozenset({NodePort("tcp", 30080)})) == Opening(wish, problems=(why,))


def test_a_port_that_a_program_has_everywhere_stays_the_program_s() -> None:
    said = "hostPort 8080/TCP is not opened: it is in use by nginx (pid 7)"
    assert decide(port(), held((ANY, "nginx (pid 7)"))) == Opening(port(), problems=(said,), taken=True)
    at = port(address=GATEWAY)
    said = "hostPort 8080/TCP is not opened: it is in use on 10.85.0.1 by nginx (pid 7)"
    assert decide(at, held((GATEWAY, "nginx (pid 7)"))) == Opening(at, problems=(said,), taken=True)
    assert decide(at, held(("192.0.2.1", "nginx (pid 7)"))).packets  # at another address


def test_at_an_address_where_a_program_listens_its_port_stays_the_program_s() -> None:
    there = decide(port("udp"), held((GATEWAY, "wherry (pid 7)"), ("127.0.0.53", "resolved (pid 8)"), protocol="udp"))
    assert (there.packets, there.left, there.taken) == (True, (GATEWAY,), False)
    assert there.problems == ("hostPort 8080/UDP is not opened on 10.85.0.1: it is in use there by wherry (pid 7)",)
    there = decide(port(), held(("127.0.0.1", "the Service default/web")))
    assert (there.packets, there.loopback, there.left, there.taken) == (True, "", (), True)


def test_the_rules_lead_to_the_pod_and_leave_what_a_program_has() -> None:
    rules = added(Ruleset(), [Opening(port(), packets=True, left=(GATEWAY,)), Opening(port("sctp"))])
    name = "pod/1-2/tcp/8080/0.0.0.0"
    assert rules.targets == {name: Target("tcp", (TO,))}
    assert rules.host_ports == {port().at: name, ServiceAddress(GATEWAY, "tcp", 8080): ""}


def test_haproxy_listens_at_the_loopback_address_in_tcp_mode() -> None:
    fronts = frontends([Opening(port(), packets=True, loopback="127.0.0.1"), Opening(port("udp"), packets=True)])
    (front,) = fronts
    assert is_frontend(front.name)
    assert not is_frontend("pod:web:80")  # of a Service in the namespace "pod"
    config = render(fronts, seat(fronts, {}), Path("/nowhere"))
    assert "listen pod:127.0.0.1:8080\n  bind 127.0.0.1:8080\n  mode tcp\n  server s1 10.85.0.9:80\n" in config


def test_a_pod_that_ends_gets_no_more_connections_and_keeps_its_frontend() -> None:
    (front,) = frontends([], [Opening(port(), packets=True, loopback="127.0.0.1")])
    (before,) = frontends([Opening(port(), packets=True, loopback="127.0.0.1")])
    assert (front.name, front.binds, front.servers) == (before.name, before.binds, ())


def test_no_service_gets_what_a_pod_has() -> None:
    openings = [Opening(port(), packets=True, loopback="127.0.0.1")]
    assert claims(openings, "tcp", "127.0.0.1", 8080)
    assert claims(openings, "tcp", "192.0.2.1", 8080)
    assert claims(openings, "tcp", ANY, 8080)
    assert not claims(openings, "tcp", "127.80.0.1", 8080)
    assert not claims(openings, "udp", "192.0.2.1", 8080)
    one = [Opening(port(address=GATEWAY), packets=True)]
    assert claims(one, "tcp", GATEWAY, 8080)
    assert not claims(one, "tcp", "192.0.2.1", 8080)
