"""The mirror's indexes after changes of each sort: they find what is there, and nothing that is gone."""

from typing import Any

from wherry.client.mirror import Mirror
from wherry.objects import Obj, Ref


def pod(name: str, *, uid: str = "", owners: tuple[str, ...] = (), **meta: Any) -> Obj:
    references = [{"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": f"uid-{owner}"} for owner in owners]
    whole = {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "ownerReferences": references, **meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": whole}


def filled(*objects: Obj) -> Mirror:
    mirror = Mirror()
    for number, obj in enumerate(objects, 1):
        mirror.apply(number, obj, None)
    return mirror


def test_a_change_that_no_index_is_about_replaces_the_object() -> None:
    mirror = filled(pod("a"), pod("b", owners=("a",)))
    newer = pod("b", owners=("a",), labels={"x": "y"})
    mirror.apply(3, newer, None)
    assert mirror.get("Pod", "shop", "b") is newer
    assert mirror.by_uid("uid-b") is newer
    assert mirror.dependents("uid-a") == (newer,)
    assert mirror.list("Pod", "shop") == (pod("a"), newer)
    assert mirror.revision == 3


def test_a_new_owner_and_a_lost_one_are_noticed() -> None:
    mirror = filled(pod("a"), pod("b", owners=("a",)))
    mirror.apply(3, pod("b", owners=("c",)), None)
    assert mirror.dependents("uid-a") == ()
    assert [each["metadata"]["name"] for each in mirror.dependents("uid-c")] == ["b"]
    mirror.apply(4, pod("b"), None)
    assert mirror.dependents("uid-c") == ()


def test_another_object_of_the_same_name_takes_its_place() -> None:
    mirror = filled(pod("a"))
    mirror.apply(2, pod("a", uid="another"), None)
    assert mirror.by_uid("uid-a") is None
    assert mirror.by_uid("another") == pod("a", uid="another")
    mirror.apply(3, None, pod("a", uid="another"))
    assert mirror.by_uid("another") is None
    assert mirror.contents("shop") == ()
    assert mirror.list("Pod") == ()


def test_listeners_hear_of_the_state_before() -> None:
    mirror = filled(pod("a"))
    heard: list[tuple[Obj | None, Obj | None]] = []
    mirror.on_change(["Pod"], lambda new, old: heard.append((new, old)))
    mirror.apply(2, pod("a", labels={}), None)
    mirror.apply(3, None, pod("a", labels={}))
    assert heard == [(pod("a", labels={}), pod("a")), (None, pod("a", labels={}))]
    assert mirror.get(*Ref("Pod", "shop", "a")) is None
