"""Whatever users, nodes and the clock do to a deployment: left alone, it comes to rest as its spec says."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.model import Model, deployment, image
from wherry.client.actions import status_of
from wherry.controllers.deployment import DEPLOYMENT, REVISION
from wherry.controllers.replicaset import REPLICASET
from wherry.objects import Obj
from wherry.objects.conditions import condition_of
from wherry.objects.pods import ready

BOTH = (DEPLOYMENT, REPLICASET)
MOVES = ("deployment", "replicaset", "start", "end", "fail", "vanish", "later", "scale", "release", "pause", "resume")

amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))
rolling = st.builds(
    lambda surge, unavailable: {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    },
    amounts,
    amounts,
)
strategies = st.one_of(st.just({"type": "Recreate"}), rolling)


@dataclass
class History:
    """What has been wished for so far."""

    model: Model
    data: st.DataObject
    replicas: int
    tag: str = "app:1"

    def move(self, name: str) -> None:
        model, data = self.model, self.data
        match name:
            case "deployment" | "replicaset":
                model.round((DEPLOYMENT if name == "deployment" else REPLICASET,))
            case "later":
                model.later(data.draw(st.sampled_from([1, 700])))
            case "scale":
                self.replicas = data.draw(st.integers(0, 6))
                self.edit({"replicas": self.replicas})
            case "release":
                self.tag = f"app:{data.draw(st.integers(1, 4))}"
                model.edit("Deployment.apps", "web", image(self.tag))
            case "pause" | "resume":
                self.edit({"paused": name == "pause"})
            case _:
                self._to_a_pod(name)

    def edit(self, spec: Obj) -> None:
        self.model.edit("Deployment.apps", "web", {"spec": spec})

    def _to_a_pod(self, name: str) -> None:
        model = self.model
        pods = {"start": model.starting(), "end": model.leaving(), "vanish": model.list("Pod")}.get(name)
        chosen = [pod for pod in model.list("Pod") if ready(pod)] if pods is None else pods
        if not chosen:
            return
        pod = self.data.draw(st.sampled_from(list(chosen)))
        if name == "start":
            model.start(pod)
        elif name == "fail":
            model.put({**pod, "status": {**pod["status"], "phase": "Failed", "conditions": []}})
        else:
            model.remove(pod)


def tag_of(replicaset: Obj) -> str:
    return str(replicaset["spec"]["template"]["spec"]["containers"][0]["image"])


def revision_of(obj: Obj) -> int:
    return int(obj["metadata"]["annotations"][REVISION])


@settings(max_examples=80, deadline=None)
@given(
    replicas=st.integers(0, 6), strategy=strategies, moves=st.lists(st.sampled_from(MOVES), max_size=50), data=st.data()
)
def test_every_history_ends_as_the_spec_says(
    replicas: int, strategy: Any, moves: list[str], data: st.DataObject
) -> None:
    model = Model(deployment(replicas, strategy=strategy, revisionHistoryLimit=100))
    model.work(BOTH)
    history = History(model, data, replicas)
    for name in moves:
        history.move(name)
    history.edit({"paused": False})
    model.work(BOTH)

    by_tag = {tag_of(each): each for each in model.list("ReplicaSet.apps")}
    assert len(by_tag) == len(model.list("ReplicaSet.apps")), "a template that comes back gets its ReplicaSet back"
    current = by_tag.pop(history.tag)
    assert current["spec"]["replicas"] == history.replicas
    assert not any(each["spec"]["replicas"] for each in by_tag.values())

    web = model.get("Deployment.apps", "web")
    assert revision_of(web) == revision_of(current) > max(map(revision_of, by_tag.values()), default=0)
    for count in ("replicas", "updatedReplicas", "availableReplicas"):
        assert status_of(web).get(count, 0) == history.replicas
    progressing = condition_of(web, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "NewReplicaSetAvailable"
