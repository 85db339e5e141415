"""Rollouts on a model cluster: their steps, their bounds, what they write down."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.model import Model, deployment, image
from wherry.client.actions import status_of
from wherry.controllers.deployment import DEPLOYMENT
from wherry.controllers.deployment_sizes import fenceposts
from wherry.controllers.replicaset import REPLICASET
from wherry.objects import Obj
from wherry.objects.conditions import condition_of
from wherry.objects.errors import Forbidden
from wherry.objects.pods import active, ready

BOTH = (DEPLOYMENT, REPLICASET)
REVISION = "deployment.kubernetes.io/revision"


def running(**spec: Any) -> Model:
    model = Model(deployment(**spec))
    model.work(BOTH)
    return model


def web(model: Model) -> Obj:
    return model.get("Deployment.apps", "web")


def sizes(model: Model) -> list[int]:
    """From the oldest revision to the newest."""
    found = sorted(model.list("ReplicaSet.apps"), key=lambda each: int(each["metadata"]["annotations"][REVISION]))
    return [each["spec"]["replicas"] for each in found]


def progressing(model: Model) -> tuple[str, str, str]:
    condition = condition_of(web(model), "Progressing")
    assert condition is not None
    return condition["status"], condition["reason"], condition["message"]


def test_a_first_rollout_ends_with_all_available() -> None:
    model = running(replicas=3)
    name = model.list("ReplicaSet.apps")[0]["metadata"]["name"]
    status = status_of(web(model))
    assert {key: value for key, value in status.items() if key != "conditions"} == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    assert progressing(model) == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    assert ("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in model.events
    assert web(model)["metadata"]["annotations"][REVISION] == "1"


def test_the_replicaset_carries_hash_labels_and_the_deployments_annotations() -> None:
    model = Model(deployment())
    model.edit("Deployment.apps", "web", {"metadata": {"annotations": {"kubernetes.io/change-cause": "first"}}})
    model.work(BOTH)
    replicaset = model.list("ReplicaSet.apps")[0]
    mark = replicaset["metadata"]["labels"]["pod-template-hash"]
    assert replicaset["metadata"]["name"] == f"web-{mark}"
    assert replicaset["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": mark}
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in model.list("Pod")} == {mark}
    assert replicaset["metadata"]["annotations"] == {
        "kubernetes.io/change-cause": "first",
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }


def test_undo_takes_the_old_replicaset_up_again_as_a_new_revision() -> None:
    model = running()
    model.edit("Deployment.apps", "web", image("app:2"))
    model.work(BOTH)
    model.edit("Deployment.apps", "web", image("app:1"))
    model.work(BOTH)
    annotations = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each["metadata"]["annotations"]
        for each in model.list("ReplicaSet.apps")
    }
    assert annotations["app:1"][REVISION] == "3"
    assert annotations["app:1"]["deployment.kubernetes.io/revision-history"] == "1"
    assert annotations["app:2"][REVISION] == "2"
    assert web(model)["metadata"]["annotations"][REVISION] == "3"


def test_old_revisions_beyond_the_limit_are_deleted_oldest_first() -> None:
    model = running(replicas=1, revisionHistoryLimit=2)
    for number in range(2, 7):
        model.edit("Deployment.apps", "web", image(f"app:{number}"))
        model.work(BOTH)
    left = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in model.list("ReplicaSet.apps")}
    assert left == {"app:4", "app:5", "app:6"}


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    model = running()
    model.edit("Deployment.apps", "web", {"spec": {"paused": True}})
    model.edit("Deployment.apps", "web", image("app:2"))
    model.edit("Deployment.apps", "web", {"spec": {"replicas": 5}})
    model.work(BOTH)
    assert sizes(model) == [5]
    assert progressing(model)[:2] == ("Unknown", "DeploymentPaused")
    model.edit("Deployment.apps", "web", {"spec": {"paused": False}})
    model.work(BOTH)
    assert sizes(model) == [0, 5]
    assert progressing(model)[1] == "NewReplicaSetAvailable"


def test_recreate_waits_until_the_last_old_pod_has_ended() -> None:
    model = running(strategy={"type": "Recreate"})
    model.edit("Deployment.apps", "web", image("app:2"))
    model.settle(BOTH)
    assert sizes(model) == [0]
    *first, last = model.leaving()
    for pod in first:
        model.remove(pod)
    model.settle(BOTH)
    assert sizes(model) == [0]
    model.remove(last)
    assert {ref.name for ref in model.woken_by(DEPLOYMENT, last)} == {"web"}
    model.settle(BOTH)
    assert sizes(model) == [0, 3]


def test_a_rollout_without_progress_times_out_and_says_so() -> None:
    model = running()
    model.edit("Deployment.apps", "web", image("app:broken"))
    model.settle(BOTH)
    assert progressing(model)[0] == "True"
    assert 600 < model.wanted[-1] <= 601
    model.later(601)
    model.settle(BOTH)
    assert progressing(model)[:2] == ("False", "ProgressDeadlineExceeded")
    assert progressing(model)[2].endswith("has timed out progressing.")


def test_unhealthy_old_replicas_do_not_block_the_next_rollout() -> None:
    model = running(replicas=4)
    model.edit("Deployment.apps", "web", image("app:broken"))
    model.settle(BOTH)
    assert sizes(model) == [3, 2]
    model.edit("Deployment.apps", "web", image("app:3"))
    model.settle(BOTH)
    assert sizes(model) == [3, 0, 2]
    model.work(BOTH)
    assert sizes(model) == [0, 0, 4]


def test_scaling_in_mid_rollout_keeps_the_proportions() -> None:
    model = running(replicas=10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    model.edit("Deployment.apps", "web", image("app:broken"))
    model.settle(BOTH)
    assert sizes(model) == [8, 5]
    model.edit("Deployment.apps", "web", {"spec": {"replicas": 20}})
    model.round((DEPLOYMENT,))
    assert sizes(model) == [14, 9]


def test_a_taken_name_makes_another_hash() -> None:
    model = Model(deployment())
    other = Model(deployment())
    other.settle((DEPLOYMENT,))
    squatter = {**other.list("ReplicaSet.apps")[0]}
    meta = {"name": squatter["metadata"]["name"], "namespace": "default", "labels": {"else": "where"}}
    model.put({**squatter, "metadata": meta, "spec": {**squatter["spec"], "replicas": 0}})
    model.settle((DEPLOYMENT,))
    assert status_of(web(model))["collisionCount"] == 1
    assert len(model.list("ReplicaSet.apps")) == 2


def test_min_ready_seconds_are_waited_for() -> None:
    model = running(replicas=2, minReadySeconds=30)
    assert status_of(web(model)).get("availableReplicas", 0) == 0
    assert 30 in model.wanted
    model.later(30)
    model.work(BOTH)
    assert status_of(web(model))["availableReplicas"] == 2


def test_a_replicaset_says_min_ready_seconds_only_where_its_deployment_does() -> None:
    model = running(replicas=2)
    assert "minReadySeconds" not in model.list("ReplicaSet.apps")[0]["spec"]
    model.edit("Deployment.apps", "web", {"spec": {"minReadySeconds": 30}})
    model.work(BOTH)
    assert model.list("ReplicaSet.apps")[0]["spec"]["minReadySeconds"] == 30
    model.edit("Deployment.apps", "web", {"spec": {"minReadySeconds": None}})
    model.work(BOTH)
    assert "minReadySeconds" not in model.list("ReplicaSet.apps")[0]["spec"]


def test_a_refused_pod_is_told_on_replicaset_and_deployment() -> None:
    model = Model(deployment())
    model.round((DEPLOYMENT,))
    replicaset = model.list("ReplicaSet.apps")[0]
    seen = REPLICASET.observe(replicaset, model.mirror, model.now)
    assert seen is not None
    assert REPLICASET.failed is not None
    for action in REPLICASET.failed(seen, Forbidden("exceeded quota")):
        model.carry_out(action)
    model.settle((DEPLOYMENT,))
    condition = condition_of(web(model), "ReplicaFailure")
    assert condition is not None
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "exceeded quota")
    assert ("FailedCreate", "Error creating: exceeded quota") in model.events
    model.work(BOTH)
    assert condition_of(web(model), "ReplicaFailure") is None


@pytest.mark.parametrize(
    ("wish", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (3, 0, "10%", (0, 1)),
        (2, 1, 5, (1, 2)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_percentages_round_in_favour_of_availability(
    wish: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    assert fenceposts(deployment(wish, strategy={"rollingUpdate": limits})) == expected


amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))


@settings(max_examples=60, deadline=None)
@given(replicas=st.integers(1, 7), surge=amounts, unavailable=amounts, data=st.data())
def test_a_rollout_ends_and_stays_within_its_bounds(
    replicas: int, surge: int | str, unavailable: int | str, data: st.DataObject
) -> None:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    model = running(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": limits})
    more, less = fenceposts(web(model))

    def within_bounds() -> None:
        pods = [pod for pod in model.list("Pod") if active(pod)]
        assert len(pods) <= replicas + more
        assert sum(map(ready, pods)) >= replicas - less

    moves = ("deployment", "replicaset", "start", "end", "release")
    releases = 1
    model.edit("Deployment.apps", "web", image("app:2"))
    for move in data.draw(st.lists(st.sampled_from(moves), max_size=40)):
        if move == "release" and releases < 4:
            releases += 1
            model.edit("Deployment.apps", "web", image(f"app:{releases + 1}"))
        elif move == "start" and model.starting():
            model.start(data.draw(st.sampled_from(model.starting())))
        elif move == "end" and model.leaving():
            model.remove(data.draw(st.sampled_from(model.leaving())))
        elif move in ("deployment", "replicaset"):
            model.round((DEPLOYMENT if move == "deployment" else REPLICASET,))
        within_bounds()
    model.work(BOTH)
    within_bounds()
    assert sizes(model)[-1] == replicas
    assert not any(sizes(model)[:-1])
    assert progressing(model)[1] == "NewReplicaSetAvailable"
