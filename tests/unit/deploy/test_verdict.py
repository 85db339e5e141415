"""A rollout's verdict from its objects."""

from datetime import timedelta

import pytest

from tests.unit.deploy import objects as o
from wherry.deploy.pods import step
from wherry.deploy.verdict import Seen, State, Verdict, judge, stuck
from wherry.objects import Obj, copied
from wherry.objects.times import parse

OLD_TEMPLATE: Obj = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:0"}]},
}


def seen(workload: Obj, *pods: Obj, events: tuple[Obj, ...] = (), patience: float = 0) -> Seen:
    return Seen(
        workload=workload,
        now=parse(o.NOW),
        pods=pods,
        replicasets=(o.replicaset("old", OLD_TEMPLATE), o.replicaset("new")),
        events=events,
        patience=timedelta(seconds=patience),
    )


def reason(verdict: Verdict) -> str:
    return verdict.trouble.reason if verdict.trouble else verdict.state.value


def test_a_rollout_is_done_when_all_replicas_are_new_and_available() -> None:
    verdict = judge(seen(o.done(2), o.ready_pod("a"), o.ready_pod("b")))
    assert (verdict.state, verdict.wanted, verdict.ready, verdict.old) == (State.DONE, 2, 2, 0)


def test_it_waits_until_the_controller_has_seen_the_spec() -> None:
    workload = o.done()
    workload["metadata"]["generation"] = 2
    assert judge(seen(workload, o.ready_pod())).state is State.WAITING


def test_it_is_under_way_while_old_replicas_are_left() -> None:
    workload = o.deployment(1, replicas=2, updatedReplicas=1, availableReplicas=2)
    verdict = judge(seen(workload, o.ready_pod("a"), o.ready_pod("b", of="old"), o.ready_pod("c", "old", deleted=True)))
    assert (verdict.state, verdict.ready, verdict.old, verdict.stopping) == (State.UNDER_WAY, 1, 1, 1)


def test_nothing_wanted_is_done_at_once() -> None:
    assert judge(seen(o.done(0))).state is State.DONE


def test_a_replica_that_nobody_probes_is_watched_for_a_moment() -> None:
    assert judge(seen(o.done(), o.ready_pod(started="2026-01-01T00:00:57Z"))).settled
    assert not judge(seen(o.done(), o.ready_pod(started="2026-01-01T00:00:58Z"))).settled
    probed = copied(o.ready_pod(started="2026-01-01T00:00:59Z"))
    probed["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 80}}
    assert judge(seen(o.done(), probed)).settled


@pytest.mark.parametrize(
    "why",
    ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"],
)
def test_waiting_for_what_does_not_heal_is_failure_at_once(why: str) -> None:
    verdict = judge(seen(o.deployment(), o.pod(o.waiting(why, "no such thing"))))
    assert verdict.state is State.FAILED
    assert verdict.trouble is not None
    assert (verdict.trouble.reason, verdict.trouble.message) == (why, "web: no such thing")
    assert verdict.trouble.hint


def test_starting_is_no_failure() -> None:
    for state in (o.waiting("ContainerCreating"), o.waiting("PodInitializing"), {"running": {"startedAt": o.NOW}}):
        assert judge(seen(o.deployment(), o.pod(state))).state is State.UNDER_WAY


def test_one_crash_is_forgiven_and_the_second_is_not() -> None:
    once = o.pod({"running": {"startedAt": o.NOW}}, restarts=1, last=o.ended(1))
    assert judge(seen(o.deployment(), once)).state is State.UNDER_WAY
    twice = o.pod({"terminated": o.ended(1)}, restarts=1, last=o.ended(1))
    found = judge(seen(o.deployment(), twice)).trouble
    assert found is not None
    assert (found.reason, found.container, found.previous) == ("CrashLoopBackOff", "web", False)


def test_the_log_of_a_crashed_container_is_the_previous_one_while_it_waits() -> None:
    found = judge(seen(o.deployment(), o.pod(o.waiting("CrashLoopBackOff"), restarts=1, last=o.ended(7)))).trouble
    assert found is not None
    assert (found.message, found.previous) == ("web: ended with code 7", True)


def test_a_ready_replica_that_has_crashed_before_is_no_failure() -> None:
    recovered = o.pod({"running": {"startedAt": o.NOW}}, restarts=5, last=o.ended(1), conditions=(o.READY,))
    assert judge(seen(o.deployment(), recovered)).state is State.UNDER_WAY


def test_too_little_memory_is_called_that() -> None:
    killed = o.pod(o.waiting("CrashLoopBackOff"), restarts=1, last=o.ended(137, "OOMKilled"))
    found = judge(seen(o.deployment(), killed)).trouble
    assert found is not None
    assert "OOMKilled" in found.message
    assert "memory" in found.hint


def test_a_failing_initialization_is_failure_and_one_that_is_done_is_not() -> None:
    failing = o.pod(o.waiting("PodInitializing"), init=o.waiting("CrashLoopBackOff"))
    assert reason(judge(seen(o.deployment(), failing))) == "CrashLoopBackOff"
    through = o.pod(o.waiting("PodInitializing"), init={"terminated": o.ended(0, "Completed")})
    assert judge(seen(o.deployment(), through)).state is State.UNDER_WAY


def test_trouble_of_the_revision_before_is_not_the_new_one_s() -> None:
    broken = o.pod(o.waiting("ImagePullBackOff"), of="old", name="old-1")
    assert judge(seen(o.deployment(), broken, o.pod(o.waiting("ContainerCreating")))).state is State.UNDER_WAY
    assert stuck(seen(o.deployment(), broken)) == []


def test_no_room_is_failure_unless_some_is_being_made() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
        "lastTransitionTime": "2026-01-01T00:00:55Z",
    }
    roomless = o.roomless_pod(condition)
    verdict = judge(seen(o.deployment(), roomless))
    assert reason(verdict) == "Unschedulable"
    assert verdict.pods[0].detail == "0/1 nodes are available: 1 Insufficient cpu."
    leaving = o.ready_pod("other", of="elsewhere", deleted=True)
    assert judge(seen(o.deployment(), roomless, leaving)).state is State.UNDER_WAY
    assert judge(seen(o.deployment(), roomless, patience=60)).state is State.UNDER_WAY


def test_pods_that_may_not_be_created_are_failure() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    verdict = judge(seen(o.deployment(conditions=[refused])))
    assert verdict.trouble is not None
    assert (verdict.trouble.reason, verdict.trouble.message) == ("FailedCreate", "exceeded quota")


def test_a_passed_deadline_is_failure_and_names_a_replica_that_is_not_ready() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow"}
    verdict = judge(seen(o.deployment(conditions=[late]), o.pod({"running": {"startedAt": o.NOW}})))
    assert verdict.trouble is not None
    assert (verdict.trouble.reason, verdict.trouble.pod) == ("ProgressDeadlineExceeded", "web-1")


def test_steps_are_told_with_what_the_node_says() -> None:
    pulling = (o.event("Pulling", 'Pulling image "web:1"'),)
    assert str(step(o.pod(o.waiting("ContainerCreating")), pulling)) == "pulling the image: web:1"
    unhealthy = (
        o.event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        o.event("Unhealthy", "an earlier one", at="2026-01-01T00:00:30Z"),
    )
    said = "running, not ready: Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert str(step(o.pod({"running": {"startedAt": o.NOW}}), unhealthy)) == said
    assert str(step(o.roomless_pod())) == "waiting for a node"
    assert str(step(o.ready_pod())) == "ready"
    assert str(step(o.ready_pod(deleted=True))) == "stopping"
