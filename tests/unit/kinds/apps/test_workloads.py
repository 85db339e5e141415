"""Deployments, ReplicaSets, ControllerRevisions."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import created, errors, obj, update_errors, workload_spec
from wherry.kinds.apps.controllerrevision import CONTROLLERREVISION
from wherry.kinds.apps.deployment import DEPLOYMENT
from wherry.kinds.apps.replicaset import REPLICASET
from wherry.kinds.kind import Kind
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def deployment(**spec: Any) -> Obj:
    return obj(DEPLOYMENT, spec=workload_spec(**spec))


def test_a_bare_deployment_gets_upstreams_defaults() -> None:
    spec = created(DEPLOYMENT, deployment())["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    template = spec["template"]["spec"]
    assert template["dnsPolicy"] == "ClusterFirst"
    assert template["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert "enableServiceLinks" not in template


def test_a_template_does_not_get_what_only_a_pod_gets() -> None:
    found = deployment(replicas=0)
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "1"}}
    assert errors(DEPLOYMENT, found) == []
    assert container["resources"] == {"limits": {"cpu": "1"}}
    assert found["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            {"selector": {"matchLabels": {"app": "x"}}},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "a"}}},
            'spec.strategy.rollingUpdate.maxSurge: Invalid value: "a": a valid percent string must be',
        ),
        (
            {"minReadySeconds": 600},
            "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds",
        ),
    ],
)
def test_a_wrong_deployment_is_told_at_its_field(spec: Obj, error: str) -> None:
    found = errors(DEPLOYMENT, deployment(**spec))
    assert len(found) == 1
    assert found[0].startswith(error)


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICASET], ids=lambda kind: kind.kind)
def test_pods_of_a_template_are_always_restarted_and_selected(kind: Kind) -> None:
    found = obj(kind, spec=workload_spec())
    found["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    del found["spec"]["selector"]
    told = errors(kind, found)
    assert told == [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
    ]


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICASET], ids=lambda kind: kind.kind)
def test_the_selector_does_not_change(kind: Kind) -> None:
    old = obj(kind, spec=workload_spec())
    new = deepcopy(old)
    new["spec"] |= {"replicas": 5}
    assert update_errors(kind, new, old) == []
    new["spec"]["selector"] = {"matchLabels": {"app": "b"}}
    assert update_errors(kind, new, old) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable'
    ]


def test_counts_of_a_status_agree() -> None:
    found = created(REPLICASET, obj(REPLICASET, spec=workload_spec()))
    found["status"] = {"replicas": 1, "readyReplicas": 2, "availableReplicas": 1}
    assert [str(error) for error in REPLICASET.validate_status(found, found)] == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ]


def test_kubectl_shows_counts_and_template() -> None:
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1, "replicas": 3}
    found = created(DEPLOYMENT, deployment(replicas=3))
    found["status"] = status
    row = [column.value(found, NOW) for column in DEPLOYMENT.columns]
    assert row == ["2/3", 3, 1, "<unknown>", "app", "shop/web:1", "app=web"]
    owned = created(REPLICASET, obj(REPLICASET, spec=workload_spec(replicas=3)))
    owned["status"] = status
    assert [column.value(owned, NOW) for column in REPLICASET.columns][:3] == [3, 3, 2]


def test_a_revision_never_changes() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "1", "controller": True}
    old = obj(CONTROLLERREVISION, metadata={"ownerReferences": [owner]}, data={"spec": 1}, revision=4)
    new = {**old, "data": {"spec": 2}}
    assert update_errors(CONTROLLERREVISION, new, old) == ['data: Invalid value: {"spec":2}: field is immutable']
    row = [column.value(old, NOW) for column in CONTROLLERREVISION.columns]
    assert row == ["statefulset.apps/db", 4, "<unknown>"]
