"""The node's actor: a worker for each pod that the API has bound here, or that the runtime still has.

Start it when the mirror holds a full list: pods that only the runtime knows are then taken for deleted ones, and ended.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wherry.client.client import Client
from wherry.client.mirror import Mirror
from wherry.clock import Clock
from wherry.node.admission import Needs, admit, needs_of
from wherry.node.dns_settings import Resolver, parse_resolv_conf
from wherry.node.execute import Node, Record
from wherry.node.images import Images
from wherry.node.pod_worker import PodWorker
from wherry.node.ports import PodCgroups, Routing
from wherry.node.runtime import IMAGES, Runtime, RuntimeFailure, Sandbox
from wherry.node.seen import GRACE
from wherry.node.settings import NodeSettings
from wherry.node.tokens import Tokens
from wherry.node.turns import Turns
from wherry.node.volume_sources import sources
from wherry.node.volumes import Volumes
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.pods import finished

log = logging.getLogger("wherry.node")

_RETRY_SECONDS = 1.0


@dataclass
class PodWorkers:
    """All pods bound to this node. `run` ends only by cancellation, and leaves the pods running."""

    client: Client
    mirror: Mirror
    runtime: Runtime
    routing: Routing
    cgroups: PodCgroups
    clock: Clock
    record: Record
    settings: NodeSettings
    images_changed: Callable[[], None] = lambda: None
    _workers: dict[str, PodWorker] = field(default_factory=dict)  # by uid
    _needs: dict[str, Needs] = field(default_factory=dict)  # by uid
    _uses: dict[Ref, set[str]] = field(default_factory=lambda: defaultdict(set))  # source -> uids of pods

    async def run(self) -> None:
        """Adopt what runs, then look after every pod."""
        async with asyncio.TaskGroup() as self._tasks:
            self._node = Node(
                client=self.client,
                lister=self.mirror,
                runtime=self.runtime,
                routing=self.routing,
                clock=self.clock,
                record=self.record,
                settings=self.settings,
                resolver=await asyncio.to_thread(self._resolver),
                images=Images(self.runtime, self.mirror, self.clock, self._tasks, pulls=self.settings.pulls),
                volumes=Volumes(self.settings, self.mirror, Tokens(self.client, self.clock)),
                cgroups=self.cgroups,
                starts=Turns(self.settings.starts),
            )
            known = await self._sandboxes()
            self.mirror.on_change(["Pod"], self._pod_changed)
            kinds = ["ConfigMap", "Secret", "PersistentVolumeClaim"]
            self.mirror.on_change(kinds, self._source_changed)
            for pod in self.mirror.list("Pod"):
                if pod["spec"].get("nodeName") == self.settings.name:
                    self._work(pod, known.pop(pod["metadata"]["uid"], ()))
            for left in known.values():
                self._work(_orphan(left[0]), left, gone=True)
            await self._follow()

    async def _follow(self) -> None:
        """The runtime's events, for ever."""
        while True:
            try:
                async for event in self.runtime.events():
                    if not event.uid or event.what == IMAGES:
                        self.images_changed()
                    if not event.uid:
                        for each in list(self._workers.values()):
                            each.runtime_returned()
                    elif event.uid in self._workers:
                        self._workers[event.uid].runtime_changed()
            except RuntimeFailure as error:
                log.warning("runtime events: %s", error)
            await self.clock.sleep(_RETRY_SECONDS)

    async def _sandboxes(self) -> dict[str, list[Sandbox]]:
        while True:
            try:
                every = await self.runtime.sandboxes()
                break
            except RuntimeFailure as error:
                log.warning("runtime: %s", error)
                await self.clock.sleep(_RETRY_SECONDS)
        found: dict[str, list[Sandbox]] = defaultdict(list)
        for sandbox in every:
            found[sandbox.uid].append(sandbox)
        return found

    def _work(self, pod: Obj, sandboxes: Iterable[Sandbox] = (), *, gone: bool = False) -> PodWorker:
        uid = pod["metadata"]["uid"]
        held = tuple(sandboxes)
        needs = self._needs[uid] = needs_of(pod)
        rejected = None if gone or held else admit(pod, needs, self._others(uid), self.settings)
        if held:
            self._node.cgroups.hold(pod)
        worker = self._workers[uid] = PodWorker(self._node, pod, held, rejected)
        if rejected is not None:
            self.record({"apiVersion": "v1", "kind": "Pod", **pod}, "Warning", rejected.reason, rejected.message)
        if gone:
            worker.pod_changed(None)
        elif pod["metadata"].get("deletionTimestamp"):
            worker.pod_changed(pod)
        for ref in sources(pod):
            self._uses[ref].add(uid)
        self._tasks.create_task(self._run(worker), name=f"pod {pod['metadata']['name']}")
        return worker

    def _others(self, uid: str) -> list[Needs]:
        """Of the pods that are here and have not ended."""
        return [
            self._needs[other]
            for other, worker in self._workers.items()
            if other != uid and not (worker.memory.gone or worker.memory.rejected or finished(worker.memory.pod))
        ]

    async def _run(self, worker: PodWorker) -> None:
        uid = worker.memory.uid
        try:
            await worker.run()
        finally:
            self._workers.pop(uid, None)
            self._needs.pop(uid, None)
            for ref in sources(worker.memory.pod):
                self._uses[ref].discard(uid)
                if not self._uses[ref]:
                    del self._uses[ref]

    def _pod_changed(self, new: Obj | None, old: Obj | None) -> None:
        pod = new or old
        if pod is None or pod["spec"].get("nodeName") != self.settings.name:
            return
        worker = self._workers.get(pod["metadata"]["uid"])
        if new is not None and old is not None and old["metadata"]["uid"] != new["metadata"]["uid"]:
            before = self._workers.get(old["metadata"]["uid"])
            if before is not None:
                before.pod_changed(None)
        if worker is not None:
            worker.pod_changed(new)
        elif new is not None:
            self._work(new)

    def _source_changed(self, new: Obj | None, old: Obj | None) -> None:
        obj = new or old
        if obj is None:
            return
        for uid in self._uses.get(ref_of(obj), ()):
            if uid in self._workers:
                self._workers[uid].sources_changed()

    def _resolver(self) -> Resolver:
        try:
            return parse_resolv_conf(self.settings.resolv_conf.read_text(errors="replace"))
        except OSError:
            return Resolver()


def _orphan(sandbox: Sandbox) -> Obj:
    """What a sandbox tells of its pod: enough to end it."""
    grace = sandbox.annotations.get(GRACE, "")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": sandbox.name, "namespace": sandbox.namespace, "uid": sandbox.uid},
        "spec": {
            "containers": [],
            "terminationGracePeriodSeconds": float(grace) if grace.replace(".", "", 1).isdigit() else 0,
        },
    }
