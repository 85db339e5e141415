"""Garbage: what goes with its owners, what stays, and in which order."""

from typing import Any

from tests.support.model import Model
from wherry.client.actions import Delete
from wherry.controllers.garbage import GARBAGE
from wherry.objects import Obj, Ref

GONE = "2026-01-01T00:00:00Z"


def configmap(name: str, *owners: Obj, **meta: Any) -> Obj:
    refs = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": o["metadata"]["name"], "uid": o["metadata"]["uid"]}
        for o in owners
    ]
    meta = {"name": name, "namespace": "default", **({"ownerReferences": refs} if refs else {}), **meta}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


def names(model: Model) -> list[str]:
    return [each["metadata"]["name"] for each in model.list("ConfigMap")]


def test_objects_without_owners_are_not_looked_at() -> None:
    model = Model(configmap("plain"))
    assert GARBAGE.observe(model.get("ConfigMap", "plain"), model.mirror, model.now) is None


def test_a_lost_owner_takes_all_its_dependents_along_in_one_look() -> None:
    model = Model()
    owner = model.put(configmap("owner"))
    for number in range(3):
        model.put(configmap(f"child-{number}", owner))
    model.remove(owner)
    assert model.woken_by(GARBAGE, owner) >= {Ref("ConfigMap", "default", "child-0")}
    actions = model.look(GARBAGE, model.get("ConfigMap", "child-0"))
    assert [type(action) for action in actions] == [Delete] * 3
    assert names(model) == []


def test_generations_go_one_after_another() -> None:
    model = Model()
    owner = model.put(configmap("owner"))
    child = model.put(configmap("child", owner))
    model.put(configmap("grandchild", child))
    model.remove(owner)
    model.settle((GARBAGE,))
    assert names(model) == []


def test_one_owner_left_keeps_it_and_the_lost_one_is_forgotten() -> None:
    model = Model()
    first, second = model.put(configmap("first")), model.put(configmap("second"))
    model.put(configmap("child", first, second))
    model.remove(first)
    model.settle((GARBAGE,))
    (ref,) = model.get("ConfigMap", "child")["metadata"]["ownerReferences"]
    assert ref["name"] == "second"


def test_owners_of_a_kind_that_is_not_served_are_believed() -> None:
    child = configmap("child")
    child["metadata"]["ownerReferences"] = [{"apiVersion": "x.io/v1", "kind": "Far", "name": "far", "uid": "u"}]
    model = Model(child)
    model.settle((GARBAGE,))
    assert names(model) == ["child"]


def test_foreground_deletion_waits_for_dependents_that_block() -> None:
    model = Model()
    owner = model.put(configmap("owner"))
    child = configmap("child", owner, finalizers=["example.com/slow"])
    child["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = True
    model.put(child)
    meta = {**owner["metadata"], "deletionTimestamp": GONE, "finalizers": ["foregroundDeletion"]}
    model.put({**owner, "metadata": meta})
    model.settle((GARBAGE,))
    waiting = model.get("ConfigMap", "child")
    assert waiting["metadata"]["deletionTimestamp"]
    assert names(model) == ["child", "owner"]
    model.remove(waiting)
    assert model.woken_by(GARBAGE, waiting) >= {Ref("ConfigMap", "default", "owner")}
    model.settle((GARBAGE,))
    assert names(model) == []


def test_orphaning_frees_the_dependents_before_the_owner_goes() -> None:
    model = Model()
    owner = model.put(configmap("owner"))
    model.put(configmap("child", owner))
    model.put({**owner, "metadata": {**owner["metadata"], "deletionTimestamp": GONE, "finalizers": ["orphan"]}})
    model.settle((GARBAGE,))
    assert names(model) == ["child"]
    assert model.get("ConfigMap", "child")["metadata"]["ownerReferences"] == []


def test_an_owner_in_another_namespace_is_none() -> None:
    model = Model()
    elsewhere = configmap("owner")
    elsewhere["metadata"]["namespace"] = "other"
    model.put(configmap("child", model.put(elsewhere)))
    model.settle((GARBAGE,))
    assert names(model) == ["owner"]


def test_what_is_at_cluster_level_is_not_deleted_for_an_owner_within_a_namespace() -> None:
    model = Model()
    owner = model.put(configmap("owner"))
    refs = configmap("x", owner)["metadata"]["ownerReferences"]
    meta = {"name": "node", "ownerReferences": refs}
    model.put({"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {}})
    model.settle((GARBAGE,))
    model.remove(owner)
    model.settle((GARBAGE,))
    assert len(model.list("Node")) == 1
