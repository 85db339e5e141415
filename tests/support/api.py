"""A small Kubernetes API in memory, for actors' flow tests: a mirror that its writes reach at once, and no rules but
those that actors rely on (revisions, conflicts, graceful deletion of pods)."""

import copy
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from wherry.client.client import Listed, Patch, WatchEvent
from wherry.client.mirror import Mirror
from wherry.clock import Clock
from wherry.objects import Obj, Ref, kind_of, merge_patch, ref_of
from wherry.objects.errors import AlreadyExists, Conflict, NotFound
from wherry.objects.times import format_time


class FakeApi:
    """`Client` over a Mirror. `tokens` counts what was asked at a ServiceAccount."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.mirror = Mirror()
        self.writes: list[tuple[str, str]] = []
        self.tokens = 0
        self._revision = 0
        self._uids = 0

    def _store(self, new: Obj | None, old: Obj | None) -> Obj:
        self._revision += 1
        if new is not None:
            new["metadata"]["resourceVersion"] = str(self._revision)
        self.mirror.apply(self._revision, new, old)
        last = new or old
        assert last is not None
        return last

    async def get(self, kind: str, namespace: str, name: str, *, subresource: str = "") -> Obj:
        found = self.mirror.get(kind, namespace, name)
        if found is None:
            raise NotFound(f"{kind} {name} not found")
        return copy.deepcopy(found)

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Listed:
        return Listed(str(self._revision), self.mirror.list(kind, namespace))

    async def watch(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> AsyncIterator[WatchEvent]:
        raise NotImplementedError
        yield

    async def create(self, obj: Obj) -> Obj:
        new = copy.deepcopy(obj)
        ref = ref_of(new)
        if self.mirror.get(*ref) is not None:
            raise AlreadyExists(str(ref))
        self._uids += 1
        new["metadata"].setdefault("uid", f"uid-{self._uids}")
        new["metadata"].setdefault("generation", 1)
        new["metadata"]["creationTimestamp"] = format_time(self.clock.now())
        self.writes.append(("create", str(ref)))
        return self._store(new, None)

    async def post(self, kind: str, namespace: str, name: str, subresource: str, body: Obj) -> Obj:
        self.tokens += 1
        expires = self.clock.now() + timedelta(seconds=body["spec"]["expirationSeconds"])
        status = {"token": f"token-{self.tokens}", "expirationTimestamp": format_time(expires)}
        return {**body, "status": status}

    async def update(self, obj: Obj, *, subresource: str = "") -> Obj:
        ref = ref_of(obj)
        old = self.mirror.get(*ref)
        if old is None:
            raise NotFound(str(ref))
        wanted = obj["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise Conflict(str(ref))
        new = {**copy.deepcopy(old), "status": copy.deepcopy(obj.get("status"))} if subresource else copy.deepcopy(obj)
        self.writes.append((f"update {subresource}".strip(), str(ref)))
        return self._store(new, old)

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Obj | Sequence[Obj],
        *,
        form: Patch = Patch.MERGE,
        subresource: str = "",
    ) -> Obj:
        old = await self.get(kind, namespace, name)
        new = merge_patch.apply(copy.deepcopy(old), patch)
        self.writes.append(("patch", str(Ref(kind, namespace, name))))
        assert isinstance(new, dict)
        return self._store(new, self.mirror.get(kind, namespace, name))

    async def apply(self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        raise NotImplementedError

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        propagation: str = "",
    ) -> None:
        old = self.mirror.get(kind, namespace, name)
        if old is None:
            raise NotFound(name)
        if uid and old["metadata"]["uid"] != uid:
            raise Conflict(name)
        grace = (old.get("spec") or {}).get("terminationGracePeriodSeconds", 30) if kind == "Pod" else 0
        grace = grace if grace_seconds is None else grace_seconds
        self.writes.append((f"delete {grace}", name))
        if grace == 0 or (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            self._store(None, old)
            return
        new = copy.deepcopy(old)
        new["metadata"]["deletionTimestamp"] = format_time(self.clock.now() + timedelta(seconds=grace))
        new["metadata"]["deletionGracePeriodSeconds"] = grace
        self._store(new, old)

    # What tests ask

    def pod(self, name: str) -> Obj | None:
        return self.mirror.get("Pod", "default", name)

    def change(self, obj: Obj, **parts: object) -> Obj:
        """Replace parts of a stored object, as another actor would."""
        old = self.mirror.get(kind_of(obj), obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        assert old is not None
        return self._store({**copy.deepcopy(old), **copy.deepcopy(parts)}, old)
