"""Scheduler: who gets which node, and what those are told that get none."""

from typing import Any

import pytest

from tests.support.model import Model, node, pod
from wherry.client.actions import Emit, Post, SetStatus
from wherry.controllers.scheduler import SCHEDULER
from wherry.objects import Obj, Ref
from wherry.objects.conditions import condition_of


def asking(name: str, cpu: str = "100m", **spec: Any) -> Obj:
    container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": cpu}}}
    return pod(name, {}, **{"containers": [container], **spec})


def affine(*expressions: Obj) -> Obj:
    required = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def verdict(model: Model, name: str) -> str:
    condition = condition_of(model.get("Pod", name), "PodScheduled")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition.get("observedGeneration") == model.get("Pod", name)["metadata"].get("generation")
    return str(condition["message"])


def test_one_look_binds_all_that_wait() -> None:
    model = Model(node(), *(asking(f"p{number:02}", "10m") for number in range(50)))
    actions = model.look(SCHEDULER, model.get("Pod", "p07"))
    assert [type(action) for action in actions] == [Post, Emit] * 50
    assert {each["spec"]["nodeName"] for each in model.list("Pod")} == {"node"}
    assert ("Scheduled", "Successfully assigned default/p07 to node") in model.events


def test_what_does_not_fit_is_told_once_and_bound_when_there_is_room() -> None:
    model = Model(node(), asking("a", "1500m"), asking("b", "1"))
    model.settle((SCHEDULER,))
    assert verdict(model, "b") == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    assert [reason for reason, _ in model.events] == ["Scheduled", "FailedScheduling"]
    first = model.get("Pod", "a")
    model.remove(first)
    assert Ref("Pod", "default", "b") in model.woken_by(SCHEDULER, first)
    model.settle((SCHEDULER,))
    assert model.get("Pod", "b")["spec"]["nodeName"] == "node"


def test_a_pod_larger_than_any_node_is_not_helped_by_preemption() -> None:
    model = Model(node(), asking("huge", "64"))
    model.settle((SCHEDULER,))
    assert verdict(model, "huge").endswith(
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


def test_without_nodes_it_says_so_and_a_node_wakes_it() -> None:
    model = Model(asking("a"))
    model.settle((SCHEDULER,))
    assert verdict(model, "a") == "no nodes available to schedule pods"
    assert model.woken_by(SCHEDULER, model.put(node())) == {Ref("Pod", "default", "a")}


TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("spec", "of_node", "why"),
    [
        ({}, {"unschedulable": True}, "1 node(s) were unschedulable"),
        ({}, {"taints": [TAINT]}, "1 node(s) had untolerated taint(s)"),
        ({"tolerations": [{"key": "dedicated", "value": "web"}]}, {"taints": [TAINT]}, "untolerated taint(s)"),
        ({"nodeSelector": {"disk": "ssd"}}, {}, "1 node(s) didn't match Pod's node affinity/selector"),
        ({"affinity": affine({"key": "zone", "operator": "Exists"})}, {}, "node affinity/selector"),
    ],
)
def test_a_node_refuses_for_upstreams_reasons(spec: Obj, of_node: Obj, why: str) -> None:
    model = Model(node(**of_node), asking("a", **spec))
    model.settle((SCHEDULER,))
    assert why in verdict(model, "a")


@pytest.mark.parametrize(
    ("spec", "of_node"),
    [
        ({"tolerations": [{"operator": "Exists"}]}, {"taints": [TAINT], "unschedulable": True}),
        ({"tolerations": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]}, {"taints": [TAINT]}),
        ({}, {"taints": [{**TAINT, "effect": "PreferNoSchedule"}]}),
        ({"nodeSelector": {"kubernetes.io/hostname": "node"}}, {}),
        ({"affinity": affine({"key": "zone", "operator": "NotIn", "values": ["far"]})}, {}),
    ],
)
def test_a_node_takes_what_it_may(spec: Obj, of_node: Obj) -> None:
    model = Model(node(**of_node), asking("a", **spec))
    model.settle((SCHEDULER,))
    assert model.get("Pod", "a")["spec"]["nodeName"] == "node"


def test_host_ports_are_given_once() -> None:
    def listening(name: str) -> Obj:
        ports = [{"containerPort": 80, "hostPort": 80}]
        return pod(name, {}, containers=[{"name": "app", "image": "app", "ports": ports}])

    model = Model(node(), listening("a"), listening("b"))
    model.settle((SCHEDULER,))
    assert "1 node(s) didn't have free ports for the requested pod ports" in verdict(model, "b")


def test_the_number_of_pods_is_bounded() -> None:
    full = node()
    full["status"] = {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "1"}}
    model = Model(full, asking("a"), asking("b"))
    model.settle((SCHEDULER,))
    assert "1 Too many pods" in verdict(model, "b")


def test_higher_priority_goes_first_and_the_emptier_node_is_taken() -> None:
    model = Model(node("one"), node("two"), asking("low", "1500m"), asking("high", "1500m", priority=10))
    model.settle((SCHEDULER,))
    assert model.get("Pod", "high")["spec"]["nodeName"] == "one"
    assert model.get("Pod", "low")["spec"]["nodeName"] == "two"


def test_pods_of_other_schedulers_and_gated_ones_are_left_alone() -> None:
    model = Model(node(), asking("a", schedulerName="mine"), asking("b", schedulingGates=[{"name": "wait"}]))
    for each in model.list("Pod"):
        assert SCHEDULER.observe(each, model.mirror, model.now) is None


def test_a_refusal_is_not_written_again() -> None:
    model = Model(node(), asking("huge", "64"))
    model.settle((SCHEDULER,))
    assert not any(isinstance(each, SetStatus | Emit) for each in model.look(SCHEDULER, model.get("Pod", "huge")))
