"""What kubectl shows of a pod."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import obj, pod_spec
from wherry.kinds.core.pod import POD
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(found: Obj) -> list[Any]:
    return [column.value(found, NOW) for column in POD.columns if not column.wide]


def container_status(**more: Any) -> Obj:
    return {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}, **more}


RESTARTED = {"terminated": {"finishedAt": "2026-01-01T11:50:00Z"}}


BACKOFF = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Pending"}, ["0/1", "Pending", "0"]),
        ({"phase": "Running", "containerStatuses": [container_status()]}, ["1/1", "Running", "0"]),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    container_status(ready=False, state=BACKOFF, restartCount=3, lastState=RESTARTED)
                ],
            },
            ["0/1", "CrashLoopBackOff", "3 (10m ago)"],
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [container_status(ready=False, state={"terminated": {"reason": "Completed"}})],
            },
            ["0/1", "Completed", "0"],
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [container_status(ready=False, state={"terminated": {"exitCode": 2}})],
            },
            ["0/1", "ExitCode:2", "0"],
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [container_status(name="i", ready=False)]},
            ["0/1", "Init:0/0", "0"],
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            ["0/1", "SchedulingGated", "0"],
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/1", "Evicted", "0"]),
    ],
)
def test_one_word_says_how_the_containers_are(status: Obj, expected: list[str]) -> None:
    found = obj(POD, metadata={"creationTimestamp": "2026-01-01T11:00:00Z"}, spec=pod_spec(), status=status)
    assert row(found) == [*expected, "60m"]


def test_a_pod_that_is_told_to_go_is_terminating() -> None:
    status = {"phase": "Running", "containerStatuses": [container_status()]}
    found = obj(POD, metadata={"deletionTimestamp": "2026-01-01T12:00:00Z"}, spec=pod_spec(), status=status)
    assert row(found)[1] == "Terminating"


def test_sidecars_count_as_containers() -> None:
    sidecar = {"name": "log", "image": "x", "restartPolicy": "Always"}
    started = container_status(name="log", started=True, restartCount=2)
    status = {"phase": "Running", "initContainerStatuses": [started], "containerStatuses": [container_status()]}
    found = obj(POD, spec=pod_spec(initContainers=[sidecar]), status=status)
    assert row(found)[:3] == ["2/2", "Running", "2"]


def test_wide_columns_say_where_the_pod_is() -> None:
    status = {"podIPs": [{"ip": "10.1.0.5"}], "conditions": [{"type": "example.com/ok", "status": "True"}]}
    gates = [{"conditionType": "example.com/ok"}, {"conditionType": "example.com/other"}]
    found = obj(POD, spec=pod_spec(nodeName="n1", readinessGates=gates), status=status)
    wide = [column.value(found, NOW) for column in POD.columns if column.wide]
    assert wide == ["10.1.0.5", "n1", "<none>", "1/2"]
