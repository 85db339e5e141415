"""Scheduling by company: affinity, anti-affinity and spread between pods, and preferences among nodes."""

from typing import Any

import pytest

from tests.support.model import Model, node, pod
from wherry.controllers.scheduler import SCHEDULER
from wherry.objects import Obj, Ref
from wherry.objects.conditions import condition_of

HOST = "kubernetes.io/hostname"
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def in_zone(name: str, zone: str, **spec: Any) -> Obj:
    made = node(name, **spec)
    made["metadata"]["labels"]["zone"] = zone
    return made


def term(key: str = HOST, app: str = "db", **more: Any) -> Obj:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def required(side: str, *terms: Obj) -> Obj:
    return {side: {REQUIRED: list(terms)}}


def spread(**more: Any) -> Obj:
    selector = {"matchLabels": {"app": "web"}}
    return {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": selector,
        **more,
    }


def placed(model: Model, *names: str) -> list[str]:
    model.settle((SCHEDULER,))
    return [model.get("Pod", name)["spec"].get("nodeName", "") for name in names]


def reason(model: Model, name: str) -> str:
    condition = condition_of(model.get("Pod", name), "PodScheduled")
    assert condition is not None
    return str(condition["message"]).partition(". ")[0]


def test_affinity_brings_a_pod_to_the_zone_of_another() -> None:
    nodes = (in_zone("one", "a"), in_zone("two", "b"), in_zone("three", "b"))
    model = Model(*nodes, pod("db", {"app": "db"}, nodeName="three"))
    model.put(pod("web", {}, affinity=required("podAffinity", term("zone"))))
    assert placed(model, "web")[0] in ("two", "three")


def test_affinity_without_anybody_to_join_waits_and_is_woken_by_who_comes() -> None:
    model = Model(node(), pod("web", {}, affinity=required("podAffinity", term())))
    assert placed(model, "web") == [""]
    assert reason(model, "web") == "0/1 nodes are available: 1 node(s) didn't match pod affinity rules"
    before = model.put(pod("db", {"app": "db"}))
    model.edit("Pod", "db", {"spec": {"nodeName": "node"}})
    assert Ref("Pod", "default", "web") in model.woken_by(SCHEDULER, before)
    assert placed(model, "web") == ["node"]


def test_the_first_of_those_that_want_to_be_together_may_start() -> None:
    together = required("podAffinity", term("zone"))
    model = Model(in_zone("one", "a"), in_zone("two", "b"))
    for name in ("x", "y", "z"):
        model.put(pod(name, {"app": "db"}, affinity=together))
    assert set(placed(model, "x", "y", "z")) in ({"one"}, {"two"})


def test_anti_affinity_parts_replicas_and_leaves_over_who_has_no_node_left() -> None:
    apart = required("podAntiAffinity", term())
    model = Model(node("one"), node("two"), *(pod(name, {"app": "db"}, affinity=apart) for name in ("x", "y", "z")))
    assert sorted(placed(model, "x", "y", "z")) == ["", "one", "two"]
    assert reason(model, "z") == "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules"


def test_anti_affinity_holds_for_those_that_come_later_without_any() -> None:
    loner = pod("db", {"app": "db"}, nodeName="node", affinity=required("podAntiAffinity", term(app="web")))
    model = Model(node(), loner, pod("web", {"app": "web"}))
    assert placed(model, "web") == [""]
    assert reason(model, "web").endswith("1 node(s) didn't satisfy existing pods anti-affinity rules")


def test_a_term_speaks_of_its_own_namespace_unless_it_selects_others() -> None:
    elsewhere = pod("db", {"app": "db"}, nodeName="node")
    elsewhere["metadata"]["namespace"] = "data"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data", "labels": {"tier": "data"}}}
    own, others = term(), term(namespaceSelector={"matchLabels": {"tier": "data"}})
    model = Model(node(), space, elsewhere)
    model.put(pod("a", {}, affinity=required("podAffinity", own)))
    model.put(pod("b", {}, affinity=required("podAffinity", others)))
    assert placed(model, "a", "b") == ["", "node"]


def test_match_label_keys_narrow_a_term_to_the_pods_own_revision() -> None:
    apart = required("podAntiAffinity", term(app="web", matchLabelKeys=["pod-template-hash"]))
    model = Model(node(), pod("old", {"app": "web", "pod-template-hash": "1"}, nodeName="node"))
    model.put(pod("new", {"app": "web", "pod-template-hash": "2"}, affinity=apart))
    assert placed(model, "new") == ["node"]


def test_spread_fills_zones_evenly_and_stops_at_the_skew() -> None:
    zones = (in_zone("one", "a"), in_zone("two", "b", unschedulable=True))
    model = Model(*zones)
    for name in ("x", "y"):
        model.put(pod(name, {"app": "web"}, topologySpreadConstraints=[spread()]))
    assert placed(model, "x", "y") == ["one", ""]
    assert reason(model, "y") == (
        "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable"
    )
    model.put(in_zone("two", "b"))
    assert placed(model, "x", "y") == ["one", "two"]


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (spread(minDomains=2), "1 node(s) didn't match pod topology spread constraints"),
        (spread(topologyKey="rack"), "1 node(s) didn't match pod topology spread constraints (missing required label)"),
    ],
)
def test_spread_needs_its_label_and_its_domains(constraint: Obj, expected: str) -> None:
    model = Model(in_zone("one", "a"), pod("x", {"app": "web"}, nodeName="one"))
    model.put(pod("y", {"app": "web"}, topologySpreadConstraints=[constraint]))
    assert placed(model, "y") == [""]
    assert reason(model, "y") == f"0/1 nodes are available: {expected}"


def test_one_node_takes_all_replicas_of_a_spread_workload() -> None:
    model = Model(in_zone("one", "a"))
    names = [f"p{number}" for number in range(8)]
    for name in names:
        model.put(pod(name, {"app": "web"}, topologySpreadConstraints=[spread(), spread(topologyKey=HOST)]))
    assert set(placed(model, *names)) == {"one"}


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        ({"nodeAffinity": {PREFERRED: [{"weight": 1, "preference": {"matchExpressions": []}}]}}, "one"),
        ({"podAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": term("zone")}]}}, "two"),
        ({"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": term("zone")}]}}, "one"),
        (
            {
                "nodeAffinity": {
                    PREFERRED: [
                        {
                            "weight": 5,
                            "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]},
                        }
                    ]
                }
            },
            "two",
        ),
    ],
)
def test_preferences_choose_among_nodes_that_fit(affinity: Obj, expected: str) -> None:
    model = Model(in_zone("one", "a"), in_zone("two", "b"), pod("db", {"app": "db"}, nodeName="two"))
    model.put(pod("web", {}, affinity=affinity))
    assert placed(model, "web") == [expected]


def test_a_node_that_prefers_not_to_be_used_is_taken_last() -> None:
    taint = {"key": "spare", "effect": "PreferNoSchedule"}
    model = Model(node("a", taints=[taint]), node("b"), pod("web", {}))
    assert placed(model, "web") == ["b"]
