"""Which endpoints a Service's addresses lead to."""

from tests.unit.network.objects import endpoint, service, slice_of
from wherry.network.ruleset import Endpoint, NodePort, ServiceAddress, compute, routed_pods

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
