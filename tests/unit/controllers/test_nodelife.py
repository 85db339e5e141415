"""Pods of a node that is gone: given time, then failed and removed."""

from tests.support.model import Model, node, pod
from wherry.client.actions import Delete
from wherry.controllers.nodelife import NODELIFE
from wherry.objects import Ref
from wherry.objects.conditions import condition_of

KEY = Ref("Pod", "default", "a")


def lonely() -> Model:
    """A running pod whose node has just been deleted."""
    model = Model(node(), pod("a", {}, nodeName="node"))
    model.start(model.get("Pod", "a"))
    assert model.round((NODELIFE,)) == 0
    gone = model.list("Node")[0]
    model.remove(gone)
    assert model.woken_by(NODELIFE, gone) == {KEY}
    model.settle((NODELIFE,))
    return model


def test_a_pod_whose_node_stays_away_fails_and_goes() -> None:
    model = lonely()
    condition = condition_of(model.get("Pod", "a"), "DisruptionTarget")
    assert condition is not None
    assert (condition["reason"], condition["message"]) == ("DeletionByPodGC", "PodGC: node no longer exists")
    assert model.wanted[-1] == 40
    model.later(40)
    *_, last = model.look(NODELIFE, model.get("Pod", "a"))
    assert isinstance(last, Delete)
    assert (last.ref, last.grace_seconds) == (KEY, 0)
    assert model.get("Pod", "a")["status"]["phase"] == "Failed"


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    model = lonely()
    model.later(30)
    assert model.woken_by(NODELIFE, model.put(node())) == {KEY}
    model.settle((NODELIFE,))
    model.later(30)
    assert model.round((NODELIFE,)) == 0
    assert condition_of(model.get("Pod", "a"), "DisruptionTarget") is None


def test_pods_without_a_node_are_the_schedulers() -> None:
    model = Model(pod("a", {}))
    assert NODELIFE.observe(model.get("Pod", "a"), model.mirror, model.now) is None
