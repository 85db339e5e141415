"""ConfigMaps, Secrets, Namespaces, Nodes, Endpoints, Events."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import created, errors, obj, update_errors
from wherry.kinds.core.configmap import CONFIGMAP
from wherry.kinds.core.endpoints import ENDPOINTS
from wherry.kinds.core.event import EVENT
from wherry.kinds.core.namespace import NAMESPACE
from wherry.kinds.core.node import NODE
from wherry.kinds.core.secret import SECRET
from wherry.kinds.kind import Durability, Kind
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(kind: Kind, found: Obj) -> list[Any]:
    return [column.value(found, NOW) for column in kind.columns]


def test_a_configmap_has_valid_keys_and_at_most_a_mebibyte() -> None:
    found = errors(CONFIGMAP, obj(CONFIGMAP, data={"a/b": "x", "c": "x"}, binaryData={"c": "eA=="}))
    assert found[0].startswith('data[a/b]: Invalid value: "a/b": a valid config key must consist of')
    assert found[1:] == ['data[c]: Invalid value: "c": duplicate of key present in binaryData']
    assert errors(CONFIGMAP, obj(CONFIGMAP, data={"a": "x" * 2**20})) == []
    assert errors(CONFIGMAP, obj(CONFIGMAP, data={"a": "x" * 2**20, "b": "y"})) == [
        ": Too long: may not be more than 1048576 bytes"
    ]


@pytest.mark.parametrize("kind", [CONFIGMAP, SECRET], ids=lambda kind: kind.kind)
def test_what_is_immutable_stays_so(kind: Kind) -> None:
    old = obj(kind, data={"a": "eA=="}, immutable=True)
    assert update_errors(kind, obj(kind, data={"a": "eA=="}, immutable=True), old) == []
    message = "Forbidden: field is immutable when `immutable` is set"
    assert update_errors(kind, obj(kind, data={}), old) == [f"immutable: {message}", f"data: {message}"]


def test_string_data_becomes_data() -> None:
    found = created(SECRET, obj(SECRET, data={"a": "eA==", "b": "eA=="}, stringData={"a": "ü"}))
    assert found["data"] == {"a": b64encode("ü".encode()).decode(), "b": "eA=="}
    assert "stringData" not in found
    assert found["type"] == "Opaque"
    assert row(SECRET, found) == ["Opaque", 2, "<unknown>"]


@pytest.mark.parametrize(
    ("type_", "data", "paths"),
    [
        ("kubernetes.io/tls", {"tls.crt": ""}, ["data[tls.key]: Required value"]),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": ""}, ["data[ssh-privatekey]: Required value"]),
        ("kubernetes.io/basic-auth", {}, ["data[username]: Required value", "data[password]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "e30="}, []),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        ("example.com/any", {}, []),
    ],
)
def test_a_known_type_of_secret_has_its_keys(type_: str, data: Obj, paths: list[str]) -> None:
    assert errors(SECRET, obj(SECRET, type=type_, data=data)) == paths


def test_the_type_of_a_secret_does_not_change() -> None:
    assert update_errors(SECRET, obj(SECRET), obj(SECRET, type="x")) == [
        'type: Invalid value: "Opaque": field is immutable'
    ]


def test_a_namespace_is_labelled_active_and_kept_until_it_is_empty() -> None:
    found = created(NAMESPACE, obj(NAMESPACE))
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "web"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert row(NAMESPACE, found) == ["Active", "<unknown>"]
    changed = obj(NAMESPACE, spec={"finalizers": []})
    NAMESPACE.prepare_update(changed, found)
    assert changed["spec"] == {"finalizers": ["kubernetes"]}


def test_a_node_shows_its_state_and_roles() -> None:
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.5"}],
        "nodeInfo": {"kubeletVersion": "v1.34.4"},
    }
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "worker"}
    found = obj(NODE, metadata={"labels": labels}, spec={"unschedulable": True}, status=status)
    shown = row(NODE, found)
    assert shown[:4] == ["Ready,SchedulingDisabled", "control-plane,worker", "<unknown>", "v1.34.4"]
    assert shown[4:] == ["10.0.0.5", "<none>", "<unknown>", "<unknown>", "<unknown>"]
    assert NODE.field_value(found, "spec.unschedulable") == "true"


def test_taints_are_checked_and_pod_ranges_kept() -> None:
    taint = {"key": "a", "effect": "NoSchedule"}
    (found,) = errors(NODE, obj(NODE, spec={"taints": [taint, taint]}))
    assert found.startswith("metadata.taints[1]: Duplicate value: ")
    assert found.endswith(": taints must be unique by key and effect pair")
    old = obj(NODE, spec={"podCIDRs": ["10.1.0.0/24"]})
    assert update_errors(NODE, obj(NODE, spec={}), old) == [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'
    ]


def test_endpoints_are_filled_checked_and_cut_short() -> None:
    addresses = [{"ip": f"10.1.0.{index}"} for index in range(1, 6)]
    found = obj(ENDPOINTS, subsets=[{"addresses": addresses, "ports": [{"port": 80}]}])
    assert errors(ENDPOINTS, found) == []
    assert found["subsets"][0]["ports"][0]["protocol"] == "TCP"
    assert row(ENDPOINTS, found)[0] == "10.1.0.1:80,10.1.0.2:80,10.1.0.3:80 + 2 more..."
    assert row(ENDPOINTS, obj(ENDPOINTS))[0] == "<none>"
    assert errors(ENDPOINTS, obj(ENDPOINTS, subsets=[{}])) == [
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"
    ]


def test_an_event_is_shown_by_when_it_was_last_seen() -> None:
    found = obj(
        EVENT,
        involvedObject={"kind": "Pod", "name": "a", "namespace": "shop"},
        reason="Started",
        type="Normal",
        message=" started\n",
        source={"component": "kubelet", "host": "n1"},
        firstTimestamp="2026-01-01T11:00:00Z",
        lastTimestamp="2026-01-01T11:59:30Z",
        count=3,
    )
    assert errors(EVENT, found) == []
    first, *rest = row(EVENT, found)
    assert first == "30s"
    assert rest == ["Normal", "Started", "pod/a", "", "kubelet, n1", "started", "60m", 3, "web"]
    assert EVENT.field_value(found, "source") == "kubelet"
    assert EVENT.durability is Durability.LAZY


def test_an_event_is_where_its_object_is() -> None:
    found = errors(EVENT, obj(EVENT, involvedObject={"kind": "Pod", "name": "a", "namespace": "other"}))
    assert found == ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']
    told = errors(EVENT, obj(EVENT, involvedObject={"namespace": "shop"}, eventTime="2026-01-01T11:00:00.000000Z"))
    assert [error.split(":")[0] for error in told] == [
        "reportingComponent",
        "reportingComponent",
        "reportingComponent",
        "reportingInstance",
        "action",
        "reason",
    ]
