"""Events: what actors tell people about objects. Recorded without waiting, told again by counting, bounded."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.objects import Obj
from wherry.objects.errors import ApiError
from wherry.objects.times import format_time

log = logging.getLogger("wherry.events")

MOST_WAITING, MOST_KNOWN = 1000, 4096
LONGEST_MESSAGE = 1024


@dataclass
class EventRecorder:
    """One component's events. `record` never waits; `run` sends them, in order."""

    client: Client
    clock: Clock
    component: str
    host: str = ""
    _waiting: "asyncio.Queue[tuple[Obj, str, str, str]]" = field(
        default_factory=lambda: asyncio.Queue(maxsize=MOST_WAITING)
    )
    _known: "OrderedDict[str, int]" = field(default_factory=OrderedDict)

    def record(self, about: Obj, type_: str, reason: str, message: str) -> None:
        """`type_` Normal or Warning, `reason` CamelCase, `message` a sentence."""
        try:
            self._waiting.put_nowait((about, type_, reason, message[:LONGEST_MESSAGE]))
        except asyncio.QueueFull:
            log.warning("too many events at once: dropped %s about %s", reason, about["metadata"].get("name"))

    async def run(self) -> None:
        while True:
            about, type_, reason, message = await self._waiting.get()
            try:
                await self._send(about, type_, reason, message)
            except ApiError as error:
                log.info("event %s about %s: %s", reason, about["metadata"].get("name"), error.message)

    async def _send(self, about: Obj, type_: str, reason: str, message: str) -> None:
        """A new Event, or one more of the same: its count and its last time."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        same = "|".join((meta.get("uid", ""), type_, reason, message, self.component))
        name = f"{meta['name']}.{hashlib.sha256(same.encode()).hexdigest()[:16]}"
        now = format_time(self.clock.now())
        count = self._known.pop(name, 0) + 1
        self._known[name] = count
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        if count > 1:
            try:
                await self.client.patch("Event", namespace, name, {"count": count, "lastTimestamp": now})
                return
            except ApiError:
                self._known[name] = count = 1  # it has been deleted since
        await self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": meta["name"],
                    "namespace": meta.get("namespace", ""),
                    "uid": meta.get("uid", ""),
                    "resourceVersion": meta.get("resourceVersion", ""),
                    **({"fieldPath": about["fieldPath"]} if "fieldPath" in about else {}),
                },
                "type": type_,
                "reason": reason,
                "message": message,
                "source": {"component": self.component, **({"host": self.host} if self.host else {})},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": count,
                "reportingComponent": self.component,
                "reportingInstance": self.host,
            }
        )
