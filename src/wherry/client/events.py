"""Events: what happened to which object, for people. Repeats are counted in one Event, as upstream does.

Recording never waits: a bounded queue is written out by `run`; what does not fit is dropped, as Events are no promises.
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.objects import Obj
from wherry.objects.errors import ApiError, NotFound
from wherry.objects.times import format_time

log = logging.getLogger("wherry.events")

WAITING = 1000  # Events that are not written yet
REMEMBERED = 4096  # Events whose repeats are counted
_MESSAGE = 1024  # characters of a message, the API's own limit


@dataclass(frozen=True)
class _Happened:
    about: Obj
    type: str
    reason: str
    message: str
    field_path: str
    component: str
    at: str


@dataclass
class EventRecorder:
    """Records as one component, on one host. `run` ends only by cancellation."""

    client: Client
    clock: Clock
    component: str
    host: str = ""
    _queue: asyncio.Queue[_Happened] = field(default_factory=lambda: asyncio.Queue(WAITING))
    _known: "OrderedDict[tuple[str, ...], tuple[str, str, int]]" = field(default_factory=OrderedDict)
    _last_number: int = 0

    def record(
        self, about: Obj, type: str, reason: str, message: str, *, field_path: str = "", component: str = ""
    ) -> None:
        """`type` Normal or Warning, `reason` CamelCase, `message` a sentence, `field_path` the part it is about.

        `component` is who says so, where one recorder writes for several.
        """
        moment = format_time(self.clock.now())
        who = component or self.component
        happened = _Happened(about, type, reason, message[:_MESSAGE], field_path, who, moment)
        try:
            self._queue.put_nowait(happened)
        except asyncio.QueueFull:
            log.warning("too many events: dropped %s: %s", reason, message)

    async def run(self) -> None:
        while True:
            happened = await self._queue.get()
            try:
                await self._write(happened)
            except ApiError as error:
                log.info("event %s: %s", happened.reason, error.message)

    async def _write(self, happened: _Happened) -> None:
        key = self._key(happened)
        known = self._known.get(key)
        if known is not None:
            namespace, name, count = known
            try:
                patch = {"count": count + 1, "lastTimestamp": happened.at}
                await self.client.patch("Event", namespace, name, patch)
            except NotFound:
                del self._known[key]
            else:
                self._remember(key, (namespace, name, count + 1))
                return
        event = self._event(happened)
        await self.client.create(event)
        self._remember(key, (event["metadata"]["namespace"], event["metadata"]["name"], 1))

    def _key(self, happened: _Happened) -> tuple[str, ...]:
        meta = happened.about["metadata"]
        subject = (happened.about.get("kind", ""), meta.get("namespace", ""), meta["name"], meta.get("uid", ""))
        return (*subject, happened.field_path, happened.type, happened.reason, happened.message)

    def _remember(self, key: tuple[str, ...], value: tuple[str, str, int]) -> None:
        self._known[key] = value
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _event(self, happened: _Happened) -> Obj:
        about, meta = happened.about, happened.about["metadata"]
        reference = {
            "kind": about.get("kind", ""),
            "namespace": meta.get("namespace", ""),
            "name": meta["name"],
            "uid": meta.get("uid", ""),
            "apiVersion": about.get("apiVersion", ""),
            "resourceVersion": meta.get("resourceVersion", ""),
            "fieldPath": happened.field_path,
        }
        source = {"component": happened.component, "host": self.host}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{meta['name']}.{self._number():x}",
                "namespace": meta.get("namespace") or "default",
            },
            "involvedObject": {key: value for key, value in reference.items() if value},
            "reason": happened.reason,
            "message": happened.message,
            "source": {key: value for key, value in source.items() if value},
            "firstTimestamp": happened.at,
            "lastTimestamp": happened.at,
            "count": 1,
            "type": happened.type,
            "reportingComponent": happened.component,
            "reportingInstance": self.host,
        }

    def _number(self) -> int:
        """Nanoseconds, never twice: they make the Event's name unique."""
        number = int(self.clock.now().timestamp() * 1e6) * 1000
        self._last_number = max(number, self._last_number + 1)
        return self._last_number
