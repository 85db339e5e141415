"""Services: defaults, checks, what an update keeps, what kubectl shows."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import created, errors, obj, update_errors
from wherry.kinds.core.service import SERVICE
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def service(**spec: Any) -> Obj:
    return obj(SERVICE, spec={"ports": [{"port": 80}], **spec})


def placed(**spec: Any) -> Obj:
    """As admission leaves it."""
    return created(SERVICE, service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1"], ipFamilies=["IPv4"], **spec))


def test_a_bare_service_gets_upstreams_defaults() -> None:
    found = created(SERVICE, service())
    assert found["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
    }
    assert found["status"] == {"loadBalancer": {}}
    assert errors(SERVICE, found) == []


def test_a_balanced_service_gets_its_own_defaults() -> None:
    found = created(SERVICE, service(type="LoadBalancer", sessionAffinity="ClientIP", clusterIP="10.0.0.9"))
    assert found["spec"]["externalTrafficPolicy"] == "Cluster"
    assert found["spec"]["allocateLoadBalancerNodePorts"] is True
    assert found["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert found["spec"]["clusterIPs"] == ["10.0.0.9"]
    assert errors(SERVICE, found) == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 0, "targetPort": 1}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and"),
        ({"ports": [{"port": 1}, {"port": 2, "name": "b"}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}, 'spec.ports[1].name: Duplicate value: "a"'),
        (
            {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]},
            'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":1}',
        ),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        ({"type": "Best"}, 'spec.type: Unsupported value: "Best": supported values: "ClusterIP", "ExternalName", '),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"selector": {"a": "b c"}}, 'spec.selector: Invalid value: "b c": a valid label must be'),
        ({"clusterIP": "x"}, 'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7'),
        (
            {"type": "NodePort", "clusterIP": "None"},
            "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
        (
            {"externalTrafficPolicy": "Local"},
            'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
        ),
        (
            {"externalIPs": ["127.0.0.1"]},
            'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
    ],
)
def test_a_wrong_service_is_told_at_its_field(spec: Obj, error: str) -> None:
    found = errors(SERVICE, service(**spec))
    assert len(found) == 1
    assert found[0].startswith(error)


def test_its_name_is_a_dns_label_that_starts_with_a_letter() -> None:
    (found,) = errors(SERVICE, obj(SERVICE, metadata={"name": "1web"}, spec={"ports": [{"port": 80}]}))
    assert found.startswith('metadata.name: Invalid value: "1web": a DNS-1035 label must consist of')


def test_an_update_that_leaves_addresses_and_node_ports_out_keeps_them() -> None:
    old = placed(type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    new = service(type="LoadBalancer", selector={"app": "web"})
    SERVICE.default(new)
    SERVICE.prepare_update(new, old)
    assert new["spec"]["clusterIP"] == "10.0.0.1"
    assert new["spec"]["clusterIPs"] == ["10.0.0.1"]
    assert new["spec"]["ports"][0]["nodePort"] == 30080
    assert update_errors(SERVICE, new, old) == []


def test_a_change_of_the_type_drops_what_it_no_longer_needs() -> None:
    old = placed(type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}])
    new = deepcopy(old)
    new["spec"]["type"] = "ClusterIP"
    SERVICE.prepare_update(new, old)
    assert "nodePort" not in new["spec"]["ports"][0]
    assert not {"externalTrafficPolicy", "allocateLoadBalancerNodePorts"} & set(new["spec"])
    assert errors(SERVICE, deepcopy(new)) == []
    named = deepcopy(old)
    named["spec"] |= {"type": "ExternalName", "externalName": "example.com"}
    SERVICE.prepare_update(named, old)
    assert not {"clusterIP", "clusterIPs", "ipFamilies"} & set(named["spec"])


def test_an_address_does_not_change() -> None:
    old, new = placed(), placed()
    new["spec"] |= {"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}
    assert update_errors(SERVICE, new, old) == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'
    ]


def row(found: Obj) -> list[Any]:
    return [column.value(found, NOW) for column in SERVICE.columns]


def test_kubectl_shows_addresses_and_ports() -> None:
    found = placed(type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}], selector={"b": "2", "a": "1"})
    assert row(found) == ["LoadBalancer", "10.0.0.1", "<pending>", "80:30080/TCP", "<unknown>", "a=1,b=2"]
    found["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}
    assert row(found)[2] == "127.0.0.1"
    bare = created(SERVICE, service(type="ExternalName", externalName="example.com", ports=[]))
    assert row(bare) == ["ExternalName", "<none>", "example.com", "<none>", "<unknown>", "<none>"]


def test_a_node_port_stays_with_the_name_of_its_port() -> None:
    def service(*ports: Obj) -> Obj:
        return created(SERVICE, obj(SERVICE, spec={"type": "NodePort", "ports": list(ports)}))

    old = service({"name": "http", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "nodePort": 30053})
    new = service({"name": "dns", "port": 5353}, {"name": "http", "port": 8080}, {"name": "new", "port": 9})
    SERVICE.prepare_update(new, old)
    assert [port.get("nodePort") for port in new["spec"]["ports"]] == [30053, 30080, None]
