"""A whole node in memory: a fake runtime, a small API, and time that jumps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import FakeApi
from tests.support.clock import JumpingClock, until
from tests.support.runtime import FakeRuntime
from wherry.node.settings import NodeSettings
from wherry.node.worker import PodWorkers
from wherry.objects import Obj


def pod(name: str = "web", **spec: Any) -> Obj:
    """A pod bound to the node, with one container unless told otherwise, defaulted as the API does."""
    containers = spec.pop("containers", [{"name": "app", "image": "app:1"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": "node",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": containers,
            **spec,
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


@dataclass
class FakeRouting:
    """`Routing` that takes `drain` seconds for each pod, within the limit."""

    clock: JumpingClock
    runtime: FakeRuntime
    drain: float = 0.0

    async def withdraw(self, pod: Obj, limit_seconds: float) -> None:
        self.runtime.calls.append(("withdraw", pod["metadata"]["name"]))
        await self.clock.sleep(min(self.drain, limit_seconds))


@dataclass
class FakeCgroups:
    """`PodCgroups`: the uids of the pods that have one."""

    made: set[str] = field(default_factory=set)

    def hold(self, pod: Obj) -> None:
        self.made.add(pod["metadata"]["uid"])

    async def make(self, pod: Obj) -> None:
        self.hold(pod)

    async def remove(self, pod: Obj) -> None:
        self.made.discard(pod["metadata"]["uid"])


@dataclass
class TestNode:
    __test__ = False

    root: Path
    clock: JumpingClock = field(default_factory=JumpingClock)

    def __post_init__(self) -> None:
        self.api = FakeApi(self.clock)
        self.runtime = FakeRuntime(self.clock)
        self.runtime.add_image("app:1")
        self.routing = FakeRouting(self.clock, self.runtime)
        self.cgroups = FakeCgroups()
        self.events: list[tuple[str, str, str]] = []
        self.settings = NodeSettings(
            name="node",
            address="10.0.0.1",
            pods=self.root / "pods",
            logs=self.root / "logs",
            cluster_dns="10.96.0.10",
            cpu_milli=4000,
            memory_bytes=8 << 30,
        )

    def _record(self, about: Obj, type: str, reason: str, message: str, *, field_path: str = "") -> None:
        self.events.append((type, reason, message))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The engine runs within; after it, it has been killed: nothing of the runtime is touched."""
        workers = PodWorkers(
            client=self.api,
            mirror=self.api.mirror,
            runtime=self.runtime,
            routing=self.routing,
            cgroups=self.cgroups,
            clock=self.clock,
            record=self._record,
            settings=self.settings,
        )
        task = asyncio.create_task(workers.run())
        try:
            yield
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.api.mirror._listeners.clear()

    async def until(self, holds: Any, *, seconds: float = 600.0) -> None:
        await until(self.clock, holds, seconds=seconds)

    def status(self, name: str = "web") -> Obj:
        found = self.api.pod(name)
        return (found or {}).get("status") or {}

    def condition(self, kind: str, name: str = "web") -> str:
        found = [one["status"] for one in self.status(name).get("conditions") or () if one["type"] == kind]
        return found[0] if found else ""

    def ready(self, name: str = "web") -> bool:
        return self.condition("Ready", name) == "True"

    def said(self, reason: str) -> list[str]:
        return [message for _, what, message in self.events if what == reason]

    def called(self, *methods: str) -> list[str]:
        return [call[0] for call in self.runtime.calls if call[0] in methods]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[TestNode]:
    made = TestNode(tmp_path)
    async with made.clock.running():
        async with asyncio.timeout(20):
            yield made
