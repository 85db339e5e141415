"""Kinds with few rules: EndpointSlice, Lease, PriorityClass, RBAC."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import created, errors, obj, update_errors
from wherry.kinds.coordination.lease import LEASE
from wherry.kinds.core.namespace import NAMESPACE
from wherry.kinds.core.node import NODE
from wherry.kinds.discovery.endpointslice import ENDPOINTSLICE
from wherry.kinds.kind import Durability, Kind
from wherry.kinds.rbac.role import CLUSTERROLE, ROLE
from wherry.kinds.rbac.rolebinding import CLUSTERROLEBINDING, ROLEBINDING
from wherry.kinds.scheduling.priorityclass import PRIORITYCLASS
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(kind: Kind, found: Obj) -> list[Any]:
    return [column.value(found, NOW) for column in kind.columns]


def endpoint_slice(*addresses: str, **more: Any) -> Obj:
    endpoints = [{"addresses": list(addresses)}]
    return obj(ENDPOINTSLICE, **{"addressType": "IPv4", "ports": [{"port": 80}], "endpoints": endpoints, **more})


def test_a_slice_is_filled_and_shown() -> None:
    found = created(ENDPOINTSLICE, endpoint_slice("10.1.0.1", "10.1.0.2"))
    assert found["ports"] == [{"port": 80, "name": "", "protocol": "TCP"}]
    assert row(ENDPOINTSLICE, found) == ["IPv4", "80", "10.1.0.1,10.1.0.2", "<unknown>"]
    assert errors(ENDPOINTSLICE, found) == []
    empty = created(ENDPOINTSLICE, obj(ENDPOINTSLICE, addressType="IPv4", endpoints=[]))
    assert row(ENDPOINTSLICE, empty)[1:3] == ["<unset>", "<unset>"]


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (endpoint_slice("10.1.0.1", addressType=""), "addressType: Required value"),
        (endpoint_slice(), "endpoints[0].addresses: Required value: must contain at least 1 address"),
        (endpoint_slice("x"), 'endpoints[0].addresses[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9'),
        (endpoint_slice("::5"), 'endpoints[0].addresses: Invalid value: "::5": must be an IPv4 address'),
        (endpoint_slice("127.0.0.1"), 'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loop'),
        (endpoint_slice("10.1.0.1", ports=[{"port": 1}, {"port": 2}]), 'ports[1].name: Duplicate value: ""'),
        (
            endpoint_slice("10.1.0.1", endpoints=[{"addresses": ["10.1.0.1"]}] * 1001),
            "endpoints: Too many: 1001: must have at most 1000 items",
        ),
    ],
)
def test_a_wrong_slice_is_told_at_its_field(found: Obj, error: str) -> None:
    told = errors(ENDPOINTSLICE, found)
    assert len(told) == 1
    assert told[0].startswith(error)


def test_the_type_of_addresses_does_not_change() -> None:
    assert update_errors(ENDPOINTSLICE, endpoint_slice(addressType="IPv6"), endpoint_slice()) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]


def test_a_lease_lasts_and_lives_in_memory() -> None:
    assert LEASE.durability is Durability.MEMORY
    assert row(LEASE, obj(LEASE, spec={"holderIdentity": "n1"})) == ["n1", "<unknown>"]
    assert errors(LEASE, obj(LEASE, spec={"leaseDurationSeconds": 0})) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
    ]


def test_priorities_of_users_stay_below_those_of_the_system() -> None:
    found = created(PRIORITYCLASS, obj(PRIORITYCLASS, value=7))
    assert row(PRIORITYCLASS, found) == [7, False, "<unknown>", "PreemptLowerPriority"]
    assert errors(PRIORITYCLASS, obj(PRIORITYCLASS, value=10**9 + 1)) == [
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"
    ]
    known = {"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}
    assert errors(PRIORITYCLASS, obj(PRIORITYCLASS, **known)) == []
    (told,) = errors(PRIORITYCLASS, obj(PRIORITYCLASS, metadata={"name": "system-mine"}, value=1))
    assert told.endswith("error: system-mine is not a known system priority class")
    assert update_errors(PRIORITYCLASS, obj(PRIORITYCLASS, value=8), found) == [
        "value: Forbidden: may not be changed in an update."
    ]


RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


def test_rules_of_a_role_name_verbs_groups_and_resources() -> None:
    assert errors(ROLE, obj(ROLE, metadata={"name": "system:Reader"}, rules=[RULE])) == []
    assert errors(ROLE, obj(ROLE, rules=[{}])) == [
        "rules[0].verbs: Required value: verbs must contain at least one value",
        "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
        "rules[0].resources: Required value: resource rules must supply at least one resource",
    ]
    paths = [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}]
    assert errors(CLUSTERROLE, obj(CLUSTERROLE, rules=paths)) == []
    assert errors(ROLE, obj(ROLE, rules=paths)) == [
        'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs'
    ]


def test_a_binding_names_a_role_and_subjects_of_the_api_group() -> None:
    subjects = [
        {"kind": "User", "name": "jane"},
        {"kind": "Group", "name": "dev"},
        {"kind": "ServiceAccount", "name": "robot", "namespace": "shop"},
    ]
    found = obj(ROLEBINDING, roleRef={"kind": "ClusterRole", "name": "view"}, subjects=subjects)
    assert errors(ROLEBINDING, found) == []
    assert found["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"
    assert [subject.get("apiGroup") for subject in subjects] == ["rbac.authorization.k8s.io"] * 2 + [None]
    assert row(ROLEBINDING, found) == ["ClusterRole/view", "<unknown>", "jane", "dev", "shop/robot"]


def test_a_cluster_wide_binding_is_stricter() -> None:
    subjects = [{"kind": "ServiceAccount", "name": "robot"}, {"kind": "Robot", "name": "r"}]
    found = obj(CLUSTERROLEBINDING, roleRef={"kind": "Role", "name": ""}, subjects=subjects)
    assert errors(CLUSTERROLEBINDING, found) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        "roleRef.name: Required value",
        "subjects[0].namespace: Required value",
        'subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ]


def test_the_role_of_a_binding_does_not_change() -> None:
    old = obj(ROLEBINDING, roleRef={"kind": "Role", "name": "a"})
    (told,) = update_errors(ROLEBINDING, obj(ROLEBINDING, roleRef={"kind": "Role", "name": "b"}), old)
    assert told.startswith("roleRef: Invalid value: ")
    assert told.endswith(": cannot change roleRef")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"podCIDR": "10.0.0.0/24"}, ("10.0.0.0/24", ["10.0.0.0/24"])),
        ({"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}, ("10.0.0.0/24", ["10.0.0.0/24", "fd00::/64"])),
        ({"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.0.0/24"]}, ("10.0.1.0/24", ["10.0.1.0/24"])),
    ],
)
def test_a_nodes_pod_ranges_agree(given: Obj, kept: tuple[str, list[str]]) -> None:
    made = created(NODE, obj(NODE, spec=given))["spec"]
    assert (made["podCIDR"], made["podCIDRs"]) == kept


def test_a_finalizer_of_a_namespace_is_qualified() -> None:
    found = errors(NAMESPACE, obj(NAMESPACE, spec={"finalizers": ["mine", "example.com/mine"]}))
    message = "name is neither a standard finalizer name nor is it fully qualified"
    assert found == [f'spec.finalizers: Invalid value: "mine": {message}']
