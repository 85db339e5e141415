"""Which endpoints a Service's addresses lead to."""

from typing import Any

from tests.unit.network.objects import endpoint, service, slice_of
from wherry.network.ruleset import Endpoint, NodePort, ServiceAddress, Target, compute, routed_pods
from wherry.objects import Obj

ADDRESS = ServiceAddress("10.96.0.10", "tcp", 80)


def test_ready_endpoints_only() -> None:
    slices = [
        slice_of(
            "web-app",
            endpoint("10.85.0.2"),
            endpoint("10.85.0.3", ready=False),
            endpoint("10.85.0.4", terminating=True),
        )
    ]
    rules = compute([service()], slices, "one")
    assert rules.targets[rules.services[ADDRESS]].endpoints == (Endpoint("10.85.0.2", 8080),)
    assert rules.node_ports[NodePort("tcp", 30080)] == rules.services[ADDRESS]
    assert routed_pods(slices) == {"pod-10.85.0.2"}


def test_nothing_leads_to_a_service_without_endpoints() -> None:
    rules = compute([service()], [slice_of("web-app", endpoint("10.85.0.3", ready=False))], "one")
    assert not rules.services
    assert not rules.node_ports


def test_headless_and_external_names_have_no_rules() -> None:
    slices = [slice_of("web-app", endpoint("10.85.0.2"))]
    assert not compute([service(clusterIP="None")], slices, "one").services
    assert not compute([service(type="ExternalName")], slices, "one").services


def test_policy_local_sends_node_ports_to_this_node_only() -> None:
    slices = [slice_of("web-app", endpoint("10.85.0.2"), endpoint("10.85.0.3", node="two"))]
    rules = compute([service(externalTrafficPolicy="Local")], slices, "one")
    assert len(rules.targets[rules.services[ADDRESS]].endpoints) == 2
    outer = rules.node_ports[NodePort("tcp", 30080)]
    assert rules.targets[outer].endpoints == (Endpoint("10.85.0.2", 8080),)


def by_udp(**spec: Any) -> Obj:
    ports = [{"name": "http", "protocol": "UDP", "port": 53, "targetPort": 8080}]
    return service(type="LoadBalancer", ports=ports, **spec)


def test_udp_of_a_load_balancer_is_led_from_each_of_its_addresses() -> None:
    slices = [
        {**slice_of("web-app", endpoint("10.85.0.2")), "ports": [{"name": "http", "protocol": "UDP", "port": 8080}]}
    ]
    places = {("default", "web-app"): ["127.80.1.2", "192.0.2.1"]}
    rules = compute([by_udp(loadBalancerSourceRanges=["192.0.2.0/24"])], slices, "one", places)
    name = "service/default/web-app/udp/53/balancer"
    assert rules.host_ports == {
        ServiceAddress("127.80.1.2", "udp", 53): name,
        ServiceAddress("192.0.2.1", "udp", 53): name,
    }
    assert rules.targets[name] == Target("udp", (Endpoint("10.85.0.2", 8080),), sources=("192.0.2.0/24",))
    assert not compute([by_udp()], [], "one", places).host_ports
    assert not compute([service(type="LoadBalancer")], slices, "one", places).host_ports  # TCP is HAProxy's
