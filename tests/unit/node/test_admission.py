"""Pods that were bound here and do not fit."""

from pathlib import Path

import pytest

from tests.unit.node.conftest import pod
from wherry.node.admission import Needs, admit, needs_of
from wherry.node.settings import NodeSettings
from wherry.objects import Obj

SETTINGS = NodeSettings(
    name="node",
    address="10.0.0.1",
    pods=Path("/pods"),
    logs=Path("/logs"),
    cluster_dns="10.96.0.10",
    cpu_milli=1000,
    memory_bytes=(100 << 20) + 100,  # 100 for pods
    max_pods=3,
)


def asking(cpu: str = "", memory: str = "") -> Obj:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return pod(containers=[{"name": "app", "image": "app:1", "resources": {"requests": requests}}])


@pytest.mark.parametrize(
    ("wanted", "others", "reason"),
    [
        (asking("400m", "40"), [Needs(300, 30), Needs(300, 30)], None),
        (asking("401m"), [Needs(300, 0), Needs(300, 0)], "requested: 401, used: 600, capacity: 1000"),
        (asking(memory="41"), [Needs(0, 30), Needs(0, 30)], "requested: 41, used: 60, capacity: 100"),
        (asking(), [Needs(2000, 200)], None),
        (asking(), [Needs(0, 0)] * 3, "requested: 1, used: 3, capacity: 3"),
    ],
)
def test_a_pod_needs_room_beside_the_others(wanted: Obj, others: list[Needs], reason: str | None) -> None:
    failure = admit(wanted, needs_of(wanted), others, SETTINGS)
    assert (failure is None) if reason is None else (failure is not None and failure.message.endswith(reason))


def test_a_pod_that_has_started_before_is_not_asked_again() -> None:
    running = {**asking("2"), "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}}
    assert admit(running, needs_of(running), [], SETTINGS) is None
