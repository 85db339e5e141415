"""Pods on a node, from their binding to their end, with a fake runtime and time that jumps."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.runtime import Program
from tests.unit.node.conftest import TestNode, pod
from wherry.kinds import schema
from wherry.kinds.core.pod import POD
from wherry.kinds.schema.check import check
from wherry.objects import Obj
from wherry.objects.conditions import is_true

CRASHES = ("crash",)


def container(name: str = "app", **more: Any) -> Obj:
    return {"name": name, "image": "app:1", **more}


def only(node: TestNode) -> Obj:
    """The state of the pod's container, once there is one."""
    status: Obj = (node.status().get("containerStatuses") or [{}])[0]
    return status


def waiting(node: TestNode) -> str:
    return str((only(node).get("state") or {}).get("waiting", {}).get("reason", ""))


async def test_a_pod_becomes_ready_and_is_deleted(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready)
        status = node.status()
        assert status["phase"] == "Running"
        assert status["containerStatuses"][0]["restartCount"] == 0
        assert status["podIP"].startswith("10.88.0.")
        assert node.cgroups.made == {"uid-1"}
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: node.api.pod("web") is None)
        await node.until(lambda: not node.cgroups.made)
    order = node.called("withdraw", "stop_container", "stop_sandbox", "remove_sandbox")
    assert order == ["withdraw", "stop_container", "remove_sandbox"]
    assert [reason for _, reason, _ in node.events] == ["Pulled", "Created", "Started", "Killing"]
    assert not list(node.settings.pods.iterdir())
    assert not list(node.settings.logs.iterdir())


async def test_a_status_is_what_the_api_keeps_of_it_and_written_only_when_it_says_something_new(node: TestNode) -> None:
    """One that the API stores otherwise than it was written would be written again at every look, for ever."""
    type_ = schema.load().definition("io.k8s.api.core.v1.Pod")
    async with node.running():
        await node.api.create(pod(containers=[container(), container("b")]))
        await node.until(node.ready)
        stored = node.api.pod("web")
        assert stored is not None
        kept = check(stored, type_).obj
        POD.default(kept)
        assert kept["status"] == stored["status"]
        written = [write for write in node.api.writes if write[0] == "update status"]
        node.api.change(stored, metadata={**stored["metadata"], "labels": {"new": "label"}})
        await node.clock.sleep(60)
    assert [write for write in node.api.writes if write[0] == "update status"] == written
    assert len(written) <= 3


async def test_back_off_doubles_from_ten_seconds_to_five_minutes(node: TestNode) -> None:
    node.runtime.programs[CRASHES] = Program(exits=1)
    starts: list[float] = []

    def started(times: int) -> bool:
        found = node.called("start_container")
        if len(found) > len(starts):
            starts.append(node.clock.monotonic())
        return len(found) >= times

    async with node.running():
        await node.api.create(pod(containers=[container(command=[*CRASHES])]))
        for count in range(1, 9):
            await node.until(lambda count=count: started(count), seconds=400)
        await node.until(lambda: waiting(node) == "CrashLoopBackOff")
        message = only(node)["state"]["waiting"]["message"]
    pauses = [round(later - sooner) for sooner, later in itertools.pairwise(starts)]
    assert [pause for pause in pauses if pause > 1] == pytest.approx([10, 20, 40, 80, 160, 300], abs=3)
    assert message.startswith("back-off 5m0s restarting failed container=app pod=web_default(")
    assert len(node.said("BackOff")) == 7


async def test_logs_and_messages_of_forgotten_containers_are_removed(node: TestNode) -> None:
    node.runtime.programs[CRASHES] = Program(exits=1, output=b"words\n")
    async with node.running():
        await node.api.create(pod(containers=[container(command=[*CRASHES])]))
        await node.until(lambda: only(node).get("restartCount") == 3)
        await node.until(lambda: len(node.called("remove_container")) == 2)
        home = next(node.settings.logs.iterdir()) / "app"
        assert sorted(path.name for path in home.iterdir()) == ["2.log", "3.log"]
        messages = node.settings.pod_dir("uid-1") / "containers" / "app"
        assert sorted(path.name for path in messages.iterdir()) == ["2", "3"]


async def test_a_refused_pull_is_tried_again_with_back_off(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod(containers=[{"name": "app", "image": "registry.test/app:2"}]))
        await node.until(lambda: waiting(node) == "ErrImagePull")
        await node.until(lambda: waiting(node) == "ImagePullBackOff")
        assert only(node)["state"]["waiting"]["message"].startswith('Back-off pulling image "registry.test/app:2": ')
        await node.until(lambda: len(node.called("pull")) == 3)
        assert 30 <= node.clock.monotonic() < 40
        node.runtime.offer_image("registry.test/app:2")
        await node.until(node.ready)


async def test_a_token_is_renewed_at_four_fifths_of_its_life(node: TestNode) -> None:
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}}
    volumes = [{"name": "token", "projected": {"sources": [source]}}]
    mounted = container(volumeMounts=[{"name": "token", "mountPath": "/token"}])
    file = node.settings.pod_dir("uid-1") / "volumes" / "token" / "token"
    async with node.running():
        await node.api.create(pod(containers=[mounted], volumes=volumes))
        await node.until(node.ready)
        assert file.read_text() == "token-1"
        begun = node.clock.monotonic()
        await node.until(lambda: file.read_text() == "token-2", seconds=900)
        assert node.clock.monotonic() - begun == pytest.approx(800, abs=3)


async def test_a_changed_config_map_reaches_the_volume(node: TestNode) -> None:
    volumes = [{"name": "config", "configMap": {"name": "config"}}]
    source: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "default"}}
    file = node.settings.pod_dir("uid-1") / "volumes" / "config" / "key"
    async with node.running():
        await node.api.create(pod(volumes=volumes))
        await node.until(lambda: node.said("FailedMount"))
        await node.api.create({**source, "data": {"key": "old"}})
        await node.until(node.ready)
        assert file.read_text() == "old"
        node.api.change(source, data={"key": "new"})
        await node.until(lambda: file.read_text() == "new")


async def test_a_pod_is_not_initialized_while_its_init_container_runs(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod(initContainers=[container("first")]))

        def state() -> object:
            found = node.api.pod("web")
            statuses = ((found or {}).get("status") or {}).get("initContainerStatuses") or [{"state": {}}]
            return found if "running" in statuses[0]["state"] else None

        await node.until(state)
        await node.clock.sleep(5)
        found = node.api.pod("web")
        assert found is not None
        (first,) = found["status"]["initContainerStatuses"]
        assert (first["started"], first["ready"]) == (True, False)
        assert not is_true(found, "Initialized")


async def test_sidecars_start_before_and_end_after_the_main_container(node: TestNode) -> None:
    inits = [container("first", restartPolicy="Always"), container("second", restartPolicy="Always")]
    async with node.running():
        await node.api.create(pod(initContainers=inits))
        await node.until(node.ready)
        created = [call[1] for call in node.runtime.calls if call[0] == "create_container"]
        assert created == ["first", "second", "app"]
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: node.api.pod("web") is None)
    assert node.said("Killing") == [f"Stopping container {name}" for name in ("app", "second", "first")]


async def test_a_pod_that_ignores_its_signal_is_killed_when_its_grace_is_over(node: TestNode) -> None:
    node.runtime.programs[("stubborn",)] = Program(on_term=None)
    async with node.running():
        await node.api.create(pod(containers=[container(command=["stubborn"])], terminationGracePeriodSeconds=20))
        await node.until(node.ready)
        begun = node.clock.monotonic()
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: node.api.pod("web") is None)
    assert node.clock.monotonic() - begun == pytest.approx(20, abs=2)


async def test_a_shorter_grace_takes_the_place_of_a_longer_one(node: TestNode) -> None:
    node.runtime.programs[("stubborn",)] = Program(on_term=None)
    async with node.running():
        await node.api.create(pod(containers=[container(command=["stubborn"])], terminationGracePeriodSeconds=600))
        await node.until(node.ready)
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: "stop_container" in node.called("stop_container"))
        begun = node.clock.monotonic()
        await node.api.delete("Pod", "default", "web", grace_seconds=1)
        await node.until(lambda: node.api.pod("web") is None)
    assert node.clock.monotonic() - begun < 10


@pytest.mark.parametrize("drain", [0.0, 3.0, 100.0])
async def test_the_signal_comes_after_the_routing_has_let_go(node: TestNode, drain: float) -> None:
    node.routing.drain = drain
    async with node.running():
        await node.api.create(pod(terminationGracePeriodSeconds=20))
        await node.until(node.ready)
        begun = node.clock.monotonic()
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: "stop_container" in node.called("stop_container"))
        waited = node.clock.monotonic() - begun
    assert waited == pytest.approx(min(drain, 10), abs=1), "half of the grace at most"


async def test_an_engine_that_comes_back_changes_nothing_of_a_pod_that_runs(node: TestNode) -> None:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 5}
    async with node.running():
        await node.api.create(pod(containers=[container(readinessProbe=probe, livenessProbe=probe)]))
        await node.until(node.ready)
    before, writes, calls = node.status(), len(node.api.writes), len(node.runtime.calls)
    async with node.running():
        await node.clock.sleep(30)
    assert node.status() == before
    assert node.api.writes[writes:] == []
    changed = {"create_container", "start_container", "stop_container", "run_sandbox", "stop_sandbox"}
    assert not changed & {call[0] for call in node.runtime.calls[calls:]}


async def test_what_vanished_while_the_engine_was_away_is_ended(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready)
    await node.api.delete("Pod", "default", "web", grace_seconds=0)
    async with node.running():
        await node.until(lambda: node.called("remove_sandbox") == ["remove_sandbox"])
        await node.until(lambda: not node.cgroups.made)
    assert await node.runtime.sandboxes() == []
    assert not list(node.settings.pods.iterdir())


async def test_a_container_that_ended_while_the_engine_was_away_is_restarted(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready)
    (one,) = await node.runtime.containers()
    node.runtime.finish(one.id, 9)
    async with node.running():
        await node.until(lambda: only(node).get("restartCount") == 1 and node.ready())
    assert only(node)["lastState"]["terminated"]["exitCode"] == 9


async def test_a_dead_sandbox_is_replaced_with_all_its_containers(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready)
        (old,) = await node.runtime.sandboxes()
        node.runtime.kill_sandbox(old.id)
        await node.until(lambda: only(node).get("restartCount") == 1 and node.ready())
        assert node.said("SandboxChanged")
        found: Sequence[Any] = await node.runtime.sandboxes()
    assert [sandbox.attempt for sandbox in found if sandbox.ready] == [1]


async def test_a_runtime_that_fails_is_tried_again(node: TestNode) -> None:
    node.runtime.fail("run_sandbox", "UNKNOWN", "no network", times=2)
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready, seconds=10)
    assert node.said("FailedCreatePodSandBox") == ["Failed to create pod sandbox: no network"] * 2


async def test_what_failed_while_the_runtime_was_away_is_tried_as_soon_as_it_is_back(node: TestNode) -> None:
    node.runtime.fail("image", "UNAVAILABLE", "connection refused")
    async with node.running():
        await node.api.create(pod())
        await node.until(lambda: waiting(node) == "ImageInspectError")
        node.runtime.disconnect()
        await node.until(node.ready, seconds=2)


async def test_hooks_that_fail_are_told_without_their_output(node: TestNode) -> None:
    hook: Obj = {"lifecycle": {"postStart": {"exec": {"command": ["secret"]}}}}
    node.runtime.programs[("secret",)] = Program(exits=4, output=b"the password\n")
    async with node.running():
        await node.api.create(pod(containers=[container(**hook)]))
        await node.until(lambda: node.said("FailedPostStartHook"))
        await node.until(lambda: waiting(node) in ("PostStartHookError", "CrashLoopBackOff"))
    assert not [message for _, _, message in node.events if "password" in message]


async def test_a_deadline_ends_a_pod(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod(activeDeadlineSeconds=60))
        await node.until(node.ready)
        await node.until(lambda: node.status().get("phase") == "Failed", seconds=120)
    assert node.status()["reason"] == "DeadlineExceeded"
    assert node.said("DeadlineExceeded") == ["Pod was active on the node longer than the specified deadline"]
    assert node.called("stop_container") == ["stop_container"]


async def test_a_pod_beyond_what_the_node_has_is_rejected(node: TestNode, tmp_path: Path) -> None:
    async with node.running():
        await node.api.create(pod(containers=[container(resources={"requests": {"cpu": "5"}})]))
        await node.until(lambda: node.status().get("phase") == "Failed")
    assert node.status()["reason"] == "OutOfcpu"
    assert node.called("run_sandbox") == []
