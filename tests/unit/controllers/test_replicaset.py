"""ReplicaSet: which pods it makes, takes, lets go and deletes first."""

from typing import Any

from tests.support.model import Model, pod
from wherry.client.actions import Create, Delete, status_of
from wherry.controllers.replicaset import REPLICASET
from wherry.objects import Obj
from wherry.objects.owners import controlled_by, controller_of


def replicaset(replicas: int = 3, **spec: Any) -> Obj:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


def web(model: Model) -> Obj:
    return model.get("ReplicaSet.apps", "web")


def test_all_missing_pods_are_made_at_once_under_names_of_their_own() -> None:
    model = Model(replicaset(50))
    actions = model.look(REPLICASET, web(model))
    names = {action.obj["metadata"]["name"] for action in actions if isinstance(action, Create)}
    assert len(names) == 50
    assert all(name.startswith("web-") and len(name) == 9 for name in names)
    assert {message for _, message in model.events} == {f"Created pod: {name}" for name in names}
    assert not any(isinstance(each, Create) for each in model.look(REPLICASET, web(model)))


def test_a_matching_pod_without_controller_is_adopted() -> None:
    model = Model(replicaset(1), pod("stray", {"app": "web"}))
    stray = model.get("Pod", "stray")
    assert {ref.name for ref in model.woken_by(REPLICASET, stray)} == {"web"}
    model.work((REPLICASET,))
    assert [each["metadata"]["name"] for each in model.list("Pod")] == ["stray"]
    assert controlled_by(model.get("Pod", "stray"), web(model))


def test_a_pod_whose_labels_no_longer_match_is_released_and_replaced() -> None:
    model = Model(replicaset(1))
    model.work((REPLICASET,))
    name = model.list("Pod")[0]["metadata"]["name"]
    model.edit("Pod", name, {"metadata": {"labels": {"app": "debug"}}})
    model.work((REPLICASET,))
    assert controller_of(model.get("Pod", name)) is None
    assert len(model.list("Pod")) == 2


def test_ended_and_leaving_pods_do_not_count() -> None:
    model = Model(replicaset(2))
    model.work((REPLICASET,))
    first, second = model.list("Pod")
    model.put({**first, "status": {"phase": "Failed"}})
    model.put({**second, "metadata": {**second["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    made = [each for each in model.look(REPLICASET, web(model)) if isinstance(each, Create)]
    assert len(made) == 2


def test_scaling_in_takes_the_pods_that_do_not_serve_first() -> None:
    model = Model(replicaset(3))
    model.round((REPLICASET,))
    serving, cheap, starting = model.list("Pod")
    model.start(serving)
    model.start(cheap)
    cost = {"controller.kubernetes.io/pod-deletion-cost": "-1"}
    model.edit("Pod", cheap["metadata"]["name"], {"metadata": {"annotations": cost}})
    model.edit("ReplicaSet.apps", "web", {"spec": {"replicas": 1}})
    actions = model.look(REPLICASET, web(model))
    deleted = [action.ref.name for action in actions if isinstance(action, Delete)]
    assert deleted == [starting["metadata"]["name"], cheap["metadata"]["name"]]
    assert ("SuccessfulDelete", f"Deleted pod: {deleted[0]}") in model.events


def test_the_status_counts_its_pods() -> None:
    model = Model(replicaset(2))
    model.work((REPLICASET,))
    assert status_of(web(model)) == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }


def test_one_that_is_being_deleted_makes_no_pods() -> None:
    doomed = replicaset(2)
    doomed["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
    model = Model(doomed)
    model.work((REPLICASET,))
    assert model.list("Pod") == ()
