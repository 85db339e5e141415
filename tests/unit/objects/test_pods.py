"""Pods: requests, quality of service, deletion order, template hashes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.objects import Obj
from wherry.objects.pods import (
    available,
    deletion_order,
    from_template,
    pod_requests,
    qos_class,
    same_template,
    template_hash,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def container(restart: str = "", **resources: dict[str, str]) -> Obj:
    return {"name": "c", "resources": resources, **({"restartPolicy": restart} if restart else {})}


def pod(*containers: Obj, name: str = "p", **spec: Any) -> Obj:
    meta = {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "spec": {"containers": list(containers), **spec}}


def ready(name: str, since: str, restarts: int = 0) -> Obj:
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": since}
    status = {"phase": "Running", "conditions": [condition], "containerStatuses": [{"restartCount": restarts}]}
    return {**pod(container(), name=name, nodeName="node"), "status": status}


def test_requests_are_those_of_the_worst_moment() -> None:
    first = container(requests={"cpu": "2", "memory": "10Mi"})
    sidecar = container("Always", requests={"cpu": "100m"})
    late = container(requests={"cpu": "2"})
    main = container(requests={"cpu": "500m", "memory": "64Mi"})
    whole = pod(main, main, initContainers=[first, sidecar, late], overhead={"memory": "1Mi"})
    assert {name: str(amount) for name, amount in pod_requests(whole).items()} == {"cpu": "2100m", "memory": "129Mi"}


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([container()], "BestEffort"),
        ([container(requests={"cpu": "0"})], "BestEffort"),
        ([container(limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "1000m"})], "Guaranteed"),
        ([container(limits={"cpu": "1"}, requests={"cpu": "1"})], "Burstable"),
        ([container(limits={"cpu": "1", "memory": "1Gi"}), container()], "Burstable"),
        ([container(requests={"cpu": "1"})], "Burstable"),
    ],
)
def test_the_qos_class_follows_from_requests_and_limits(containers: list[Obj], expected: str) -> None:
    assert qos_class(pod(*containers)) == expected


def test_the_least_useful_pod_goes_first() -> None:
    unbound = pod(container(), name="unbound")
    pending = {**pod(container(), name="pending", nodeName="node"), "status": {"phase": "Pending"}}
    unready = {**pod(container(), name="unready", nodeName="node"), "status": {"phase": "Running"}}
    young = ready("young", "2026-01-01T23:59:59Z")
    restarted = ready("restarted", "2026-01-01T01:00:00Z", restarts=4)
    old = ready("old", "2026-01-01T01:00:00Z")
    pods = [old, restarted, young, unready, pending, unbound]
    order = [each["metadata"]["name"] for each in deletion_order(pods, pods, NOW)]
    assert order == ["unbound", "pending", "unready", "young", "restarted", "old"]


def test_a_crowded_node_gives_a_pod_first() -> None:
    apart = ready("a", "2026-01-01T23:59:59Z")
    apart["spec"]["nodeName"] = "other"
    crowd = [ready("b", "2026-01-01T01:00:00Z"), ready("c", "2026-01-01T01:00:00Z")]
    assert deletion_order([apart, *crowd], [apart, *crowd], NOW)[-1] is apart


def test_availability_takes_min_ready_seconds() -> None:
    young = ready("young", "2026-01-01T23:59:50Z")
    assert available(young, 0, NOW)
    assert available(young, 10, NOW)
    assert not available(young, 11, NOW)


def test_a_hash_depends_on_the_template_alone_and_on_collisions() -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}}
    marked = {**template, "metadata": {"labels": {"app": "web", "pod-template-hash": "x"}, "creationTimestamp": None}}
    assert same_template(template, marked)
    assert template_hash(template) == template_hash(marked)
    assert template_hash(template) != template_hash(template, 1)
    assert set(template_hash(template)) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_a_pod_of_a_template_is_owned_and_named_after_its_owner() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "w", "namespace": "n", "uid": "u"}}
    made = from_template({"metadata": {"labels": {"a": "b"}}, "spec": {}}, owner, "seed")
    assert made["metadata"]["generateName"] == "w-"
    assert made["metadata"]["name"] == from_template({"spec": {}}, owner, "seed")["metadata"]["name"]
    assert made["metadata"]["ownerReferences"][0]["controller"]
    assert made["metadata"]["labels"] == {"a": "b"}
