"""What of a pod at a scheduling gate may change: it may be kept to fewer nodes, never let onto more."""

from collections.abc import Sequence
from copy import deepcopy

import pytest

from tests.unit.kinds.objects import obj, pod_spec, update_errors
from wherry.kinds.core.label_keys import REQUIRED
from wherry.kinds.core.pod import POD
from wherry.objects import Obj

IN_ZONE: Obj = {"key": "zone", "operator": "In", "values": ["a"]}
ON_DISK: Obj = {"key": "disk", "operator": "Exists"}


def gated(*terms: Sequence[Obj], **labels: str) -> Obj:
    chosen = [{"matchExpressions": list(term)} for term in terms]
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": chosen}}}
    gates = [{"name": "example.com/wait"}]
    return deepcopy(obj(POD, spec=pod_spec(schedulingGates=gates, nodeSelector=labels, affinity=affinity)))


@pytest.mark.parametrize(
    "new",
    [gated([IN_ZONE], disk="ssd", cpu="fast"), gated([IN_ZONE, ON_DISK], disk="ssd")],
    ids=["another label", "another expression"],
)
def test_it_may_be_narrowed(new: Obj) -> None:
    assert update_errors(POD, new, gated([IN_ZONE], disk="ssd")) == []


@pytest.mark.parametrize(
    ("new", "path"),
    [
        (gated([IN_ZONE]), "spec.nodeSelector"),
        (gated([IN_ZONE], disk="hdd"), "spec.nodeSelector"),
        (gated([ON_DISK], disk="ssd"), f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]"),
        (gated([IN_ZONE], [ON_DISK], disk="ssd"), f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"),
    ],
    ids=["label gone", "label changed", "expression changed", "another term"],
)
def test_it_may_not_be_widened(new: Obj, path: str) -> None:
    (error,) = update_errors(POD, new, gated([IN_ZONE], disk="ssd"))
    assert error.startswith(f"{path}: Invalid value: ")
    assert "only additions" in error or "no additions" in error


def test_an_open_pod_keeps_its_node_selector() -> None:
    old = obj(POD, spec=pod_spec(nodeSelector={"disk": "ssd"}))
    new = obj(POD, spec=pod_spec(nodeSelector={"disk": "ssd", "cpu": "fast"}))
    (error,) = update_errors(POD, new, old)
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")
