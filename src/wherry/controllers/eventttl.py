"""Event: forget one when nothing has been added to it for an hour."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wherry.client.actions import Action, Again, Delete
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.objects import Obj, ref_of
from wherry.objects.times import parse

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Observed:
    event: Obj
    left: float  # seconds


def observe(event: Obj, lister: Lister, now: datetime) -> Observed | None:
    if event["metadata"].get("deletionTimestamp"):
        return None
    return Observed(event, (_last(event) + LIFETIME - now).total_seconds())


def _last(event: Obj) -> datetime:
    """The last time that it happened."""
    times = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"]["creationTimestamp"],
    )
    return max(parse(each) for each in times if each)


def plan(seen: Observed) -> Iterator[Action]:
    if seen.left > 0:
        yield Again(seen.left)
    else:
        yield Delete(ref_of(seen.event), seen.event["metadata"]["uid"])


EVENTTTL = Controller(name="eventttl", kind="Event", observe=observe, plan=plan)
