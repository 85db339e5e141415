"""The two runtimes, each with a busybox image.

The real one has its own containerd, bridge and subnet, and removes them.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.images import BUSYBOX, busybox_archive
from tests.support.runtime import FakeRuntime, Program
from wherry.node.containerd import Containerd
from wherry.node.containerd_process import ContainerdProcess
from wherry.node.content import import_archive
from wherry.node.runtime import Container, ContainerSpec, PodEvent, Resources, Runtime, SandboxSpec
from wherry.process import run

SAYS_AND_ENDS = ("sh", "-c", "echo out; exit 3")
WAITS = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while true; do sleep 0.01; done")
IGNORES_TERM = ("sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.01; done")
EATS_MEMORY = ("sh", "-c", "tail /dev/zero")
SLEEPS = ("sleep", "60")
FAILS_WITH_WORDS = ("sh", "-c", "echo yes; exit 4")
PROGRAMS = {
    SAYS_AND_ENDS: Program(exits=3, output=b"out\n"),
    WAITS: Program(output=b"ready\n", on_term=7),
    IGNORES_TERM: Program(output=b"ready\n", on_term=None),
    EATS_MEMORY: Program(exits=137, oom=True),
    SLEEPS: Program(),
    FAILS_WITH_WORDS: Program(exits=4, output=b"yes\n"),
}


CGROUP = f"/wherry-test-{os.getpid()}"


@dataclass
class World:
    """A runtime to try, and shorthands for pods on it."""

    runtime: Runtime
    image: str
    directory: Path
    containerd: Containerd | None = None

    def sandbox(self, uid: str = "uid-1") -> SandboxSpec:
        logs = str(self.directory / "logs" / uid)
        return SandboxSpec(
            name="pod", namespace="space", uid=uid, hostname="pod", log_directory=logs, cgroup_parent=CGROUP
        )

    def container(self, command: tuple[str, ...], *, name: str = "main", memory: int = 0) -> ContainerSpec:
        return ContainerSpec(
            name=name,
            image=self.image,
            user_image="busybox",
            command=command,
            log_path=f"{name}/0.log",
            resources=Resources(memory_limit=memory),
        )

    async def start(self, command: tuple[str, ...], *, uid: str = "uid-1", memory: int = 0) -> str:
        """A pod with one started container; the container's id."""
        sandbox = self.sandbox(uid)
        sandbox_id = await self.runtime.run_sandbox(sandbox)
        container = self.container(command, memory=memory)
        (self.directory / "logs" / uid / "main").mkdir(parents=True, exist_ok=True)
        container_id = await self.runtime.create_container(sandbox_id, container, sandbox)
        await self.runtime.start_container(container_id)
        return container_id

    async def log(self, uid: str = "uid-1") -> str:
        """What the pod's one container has logged, as it stands in the file."""
        path = Path((await self.only(uid)).log_path)
        return await asyncio.to_thread(lambda: path.read_text() if path.exists() else "")

    async def only(self, uid: str = "uid-1") -> Container:
        (container,) = await self.runtime.containers(pod_uid=uid)
        return container


async def until(events: AsyncIterator[PodEvent], *whats: str, uid: str = "uid-1") -> None:
    """Returns when all these have been told of that pod, in whatever order."""
    missing = set(whats)
    async with asyncio.timeout(20):
        async for event in events:
            if event.uid == uid:
                missing.discard(event.what)
            if not missing:
                return


async def soon(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nothing tells of."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[World]:
    bridge = f"wct{os.getpid() % 1_000_000}"
    ipam = {
        "type": "host-local",
        "dataDir": str(tmp_path / "ipam"),
        "ranges": [[{"subnet": f"10.213.{os.getpid() % 250}.0/24"}]],
    }
    cni = {"type": "bridge", "bridge": bridge, "isGateway": True, "ipam": ipam}
    conf = tmp_path / "cni"
    conf.mkdir()
    (conf / "10.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": bridge, "plugins": [cni]}))
    containerd = Containerd(ContainerdProcess(tmp_path / "root", tmp_path / "state", conf))
    try:
        await containerd.start()
        await containerd.provide()
        await import_archive(containerd.socket, busybox_archive())
        async with containerd.runtime() as runtime:
            image = await runtime.image(BUSYBOX)
            assert image is not None
            yield World(runtime, image.id, tmp_path, containerd)
    finally:
        await containerd.remove()
        await run("ip", "link", "delete", bridge, check=False)
        for group in Path("/sys/fs/cgroup").glob(f"**{CGROUP}"):  # noqa: ASYNC240 - after all else has ended
            group.rmdir()


@pytest.fixture
def fake(tmp_path: Path) -> World:
    runtime = FakeRuntime()
    runtime.programs.update(PROGRAMS)
    return World(runtime, runtime.add_image(BUSYBOX).id, tmp_path)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.root)])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found
