"""The controllers by their loops on the real verbs and store; a stand-in for the node readies and ends pods."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.model import deployment, image, node
from wherry.apiserver.admission.namespaces import NamespaceLifecycle
from wherry.apiserver.admission.pods import PodAdmission
from wherry.apiserver.local import LocalClient, feed_mirror
from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs.context import SYSTEM, Target, WriteOptions
from wherry.apiserver.verbs.registry import Registry
from wherry.client.mirror import Mirror
from wherry.client.reconcile import Loop
from wherry.clock import SystemClock
from wherry.controllers import controllers
from wherry.kinds import schema
from wherry.kinds.catalog import KINDS
from wherry.objects import Obj
from wherry.objects.errors import Conflict, Forbidden, NotFound
from wherry.objects.times import format_time
from wherry.store import Store

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
SECONDS = 20.0  # at most, for anything that is waited for


class Quota:
    """Admission that lets no pod in while it is set."""

    used_up = False

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        if self.used_up and target.kind.id == "Pod" and old is None:
            raise Forbidden("exceeded quota")

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None: ...

    def deleted(self, target: Target, obj: Obj) -> None: ...


@dataclass
class Cluster:
    client: LocalClient
    mirror: Mirror
    quota: Quota
    events: list[tuple[str, str]] = field(default_factory=list)

    async def until(self, true: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        self.mirror.on_change(["*"], lambda new, old: changed.set())
        async with asyncio.timeout(SECONDS):
            while not true():
                await changed.wait()
                changed.clear()

    def web(self) -> Obj:
        return self.mirror.get("Deployment.apps", "default", "web") or {}

    def rolled_out(self, replicas: int) -> bool:
        found = self.web()
        status = found.get("status") or {}
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        return counts == [replicas] * 3 and status["observedGeneration"] == found["metadata"]["generation"]

    async def patch(self, patch: Obj) -> None:
        await self.client.patch("Deployment.apps", "default", "web", patch)


async def be_the_node(client: LocalClient, mirror: Mirror) -> None:
    """Each bound pod becomes ready at once, each deleted one ends at once."""
    woken: asyncio.Queue[Obj] = asyncio.Queue()
    mirror.on_change(["Pod"], lambda new, old: woken.put_nowait(new) if new else None)
    while True:
        pod = await woken.get()
        meta = pod["metadata"]
        try:
            if meta.get("deletionTimestamp"):
                await client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"], grace_seconds=0)
            elif pod["spec"].get("nodeName") and pod["status"].get("phase") == "Pending":
                now = format_time(client.registry.clock.now())
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
                status = {
                    "phase": "Running",
                    "podIP": "10.0.0.1",
                    "podIPs": [{"ip": "10.0.0.1"}],
                    "conditions": [ready],
                }
                await client.update({**pod, "status": status}, subresource="status")
        except (Conflict, NotFound):
            continue


@asynccontextmanager
async def cluster(state: Path) -> AsyncIterator[Cluster]:
    clock, store, quota = SystemClock(), await Store.open(state / "db"), Quota()
    registry = Registry(store, schema.load(), clock, (NamespaceLifecycle(store), PodAdmission(store), quota))
    registry.serve(KINDS)
    client = LocalClient(
        registry,
        Tokens(ec.generate_private_key(ec.SECP256R1()), "test", clock),
        WriteOptions(user=SYSTEM, manager="test"),
    )
    made = Cluster(client, Mirror(), quota)

    def record(about: Obj, type_: str, reason: str, message: str) -> None:
        made.events.append((reason, message))

    running = [feed_mirror(registry, made.mirror), be_the_node(client, made.mirror)]
    running += [Loop(each, made.mirror, client, clock, record).run() for each in controllers("PEM")]
    tasks = [asyncio.create_task(each) for each in running]
    try:
        await client.create(NAMESPACE)
        await client.create(node())
        yield made
        assert not [task for task in tasks if task.done()], "a loop has ended"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()


async def test_a_deployment_is_rolled_out_scaled_and_deleted(tmp_path: Path) -> None:
    async with cluster(tmp_path) as it:
        await it.client.create(deployment(3))
        await it.until(lambda: it.rolled_out(3))
        assert it.web()["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
        assert it.web()["metadata"]["generation"] == 1, "numbering the revision is no change of what is desired"
        await it.patch({"spec": {"replicas": 10}})
        await it.until(lambda: it.rolled_out(10))
        await it.patch(image("app:2"))
        await it.until(lambda: it.rolled_out(10))
        assert sorted(each["spec"]["replicas"] for each in it.mirror.list("ReplicaSet.apps")) == [0, 10]
        await it.client.delete("Deployment.apps", "default", "web")
        await it.until(lambda: not it.mirror.list("ReplicaSet.apps") and not it.mirror.list("Pod"))
        assert not [message for reason, message in it.events if reason.startswith("Failed")]


async def test_foreground_deletion_ends_with_the_owner(tmp_path: Path) -> None:
    async with cluster(tmp_path) as it:
        await it.client.create(deployment(2))
        await it.until(lambda: it.rolled_out(2))
        await it.client.delete("Deployment.apps", "default", "web", propagation="Foreground")
        await it.until(lambda: not it.web())
        assert it.mirror.list("ReplicaSet.apps") == it.mirror.list("Pod") == ()


async def test_a_refusal_is_told_and_forgotten_when_it_ends(tmp_path: Path) -> None:
    async with cluster(tmp_path) as it:
        it.quota.used_up = True
        await it.client.create(deployment(2))

        def failure() -> list[str]:
            conditions = (it.web().get("status") or {}).get("conditions") or ()
            return [each["message"] for each in conditions if each["type"] == "ReplicaFailure"]

        await it.until(lambda: failure() == ["exceeded quota"])
        assert ("FailedCreate", "Error creating: exceeded quota") in it.events
        assert not [message for reason, message in it.events if reason == "SuccessfulCreate"]
        it.quota.used_up = False
        await it.until(lambda: it.rolled_out(2) and not failure())


async def test_a_namespace_is_emptied_and_goes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as it:
        await it.client.create({**NAMESPACE, "metadata": {"name": "other"}})
        doomed = deployment(3)
        doomed["metadata"]["namespace"] = "other"
        await it.client.create(doomed)
        await it.until(lambda: len(it.mirror.list("Pod", "other")) == 3)
        await it.client.delete("Namespace", "", "other")
        await it.until(lambda: it.mirror.get("Namespace", "", "other") is None)
        assert it.mirror.contents("other") == ()
        assert not [message for reason, message in it.events if reason == "FailedCreate"]
