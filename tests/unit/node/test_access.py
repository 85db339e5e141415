"""Reaching into pods: which container is meant, and what a client hears when it cannot be reached."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.runtime import FakeRuntime, Program
from wherry.apiserver.ports import ExecOptions, LogOptions, PodAccess
from wherry.node.access import NodeAccess
from wherry.node.runtime import ContainerSpec, SandboxSpec
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, NotFound, ServiceUnavailable

POD: Obj = {
    "metadata": {"name": "web", "namespace": "space", "uid": "uid-1"},
    "spec": {"containers": [{"name": "main"}]},
    "status": {"phase": "Pending"},
}


class Node:
    def __init__(self, directory: Path) -> None:
        self.runtime = FakeRuntime()
        self.access: PodAccess = NodeAccess(self.runtime)
        self.sandbox = SandboxSpec(name="web", namespace="space", uid="uid-1", log_directory=str(directory))
        self.image = self.runtime.add_image("busybox").id

    async def run(self, attempt: int = 0, *, says: str = "hello", exits: int | None = None) -> str:
        self.runtime.programs["serve", says] = Program(exits=exits, output=f"{says}\n".encode())
        sandbox = await self.runtime.run_sandbox(self.sandbox)
        spec = ContainerSpec(
            name="main", image=self.image, attempt=attempt, command=("serve", says), log_path=f"main/{attempt}.log"
        )
        container = await self.runtime.create_container(sandbox, spec, self.sandbox)
        await self.runtime.start_container(container)
        return container

    async def logs(self, pod: Obj = POD, *, container: str = "", previous: bool = False, follow: bool = False) -> str:
        options = LogOptions(container, previous=previous, follow=follow)
        return b"".join([chunk async for chunk in self.access.logs(pod, options)]).decode()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_logs_are_of_the_current_container_or_of_the_one_before(node: Node) -> None:
    await node.run(0, says="first", exits=1)
    await node.run(1, says="second", exits=0)
    assert await node.logs() == "second\n"
    assert await node.logs(follow=True) == "second\n"
    assert await node.logs(previous=True) == "first\n"


async def test_a_container_that_waits_for_its_restart_is_its_own_previous_one(node: Node) -> None:
    container = await node.run(0, says="crashed", exits=1)
    with pytest.raises(BadRequest, match='previous terminated container "main" in pod "web" not found'):
        await node.logs(previous=True)
    last = {"name": "main", "lastState": {"terminated": {"containerID": f"containerd://{container}"}}}
    pod = {**POD, "status": {"containerStatuses": [last]}}
    assert await node.logs(pod, previous=True) == await node.logs(pod) == "crashed\n"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({}, "ContainerCreating"),
        ({"reason": "CreateContainerConfigError"}, "CreateContainerConfigError"),
        ({"reason": "ErrImagePull"}, "trying and failing to pull image"),
        ({"reason": "ImagePullBackOff"}, "image can't be pulled"),
    ],
)
async def test_a_waiting_container_has_no_log_yet(node: Node, status: Mapping[str, str], reason: str) -> None:
    pod = {**POD, "status": {"containerStatuses": [{"name": "main", "state": {"waiting": dict(status)}}]}}
    with pytest.raises(BadRequest) as waits:
        await node.logs(pod)
    assert waits.value.message == f'container "main" in pod "web" is waiting to start: {reason}'


async def test_a_log_that_was_removed_is_not_found(node: Node, tmp_path: Path) -> None:
    await node.run(says="gone", exits=0)
    (tmp_path / "main" / "0.log").unlink()
    with pytest.raises(NotFound):
        await node.logs()


async def test_the_container_must_be_named_where_there_are_several(node: Node) -> None:
    pod = {**POD, "spec": {"containers": [{"name": "main"}, {"name": "side"}]}}
    with pytest.raises(BadRequest, match=r"must be specified for pod web, choose one of: \[main side\]"):
        await node.logs(pod)
    with pytest.raises(BadRequest, match="container other is not valid for pod web"):
        await node.logs(pod, container="other")


async def test_running_containers_can_be_reached(node: Node) -> None:
    container = await node.run()
    assert (await node.access.exec(POD, ExecOptions("", ["ls"]))).endswith(f"/exec/{container}")
    assert (await node.access.attach(POD, ExecOptions("main"))).endswith(f"/attach/{container}")
    assert "/portforward/" in await node.access.port_forward(POD, [80])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExecOptions("main", ["ls"]), 'container "main" in pod "web" is not running'),
        (ExecOptions("main"), "you must specify at least one command for the container"),
        (ExecOptions("main", ["ls"], stdout=False, stderr=False), "you must specify at least 1 of stdin"),
    ],
)
async def test_what_cannot_be_executed_is_a_bad_request(node: Node, options: ExecOptions, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        await node.access.exec(POD, options)


async def test_forwarding_needs_a_running_pod(node: Node) -> None:
    with pytest.raises(BadRequest, match=r"pod is not running\. Current status=Pending"):
        await node.access.port_forward(POD, [80])


@pytest.mark.parametrize(("code", "error"), [("UNAVAILABLE", ServiceUnavailable), ("NOT_FOUND", NotFound)])
async def test_a_failing_runtime_is_told_as_a_status(node: Node, code: str, error: type[ApiError]) -> None:
    await node.run()
    node.runtime.fail("exec_url", code)
    with pytest.raises(error):
        await node.access.exec(POD, ExecOptions("main", ["ls"]))
