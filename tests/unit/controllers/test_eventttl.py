"""Events are forgotten after an hour of silence."""

from tests.support.model import Model
from wherry.client.actions import Again, Delete
from wherry.controllers.eventttl import EVENTTTL
from wherry.objects import Obj


def event(**fields: object) -> Obj:
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "default"}, **fields}


def test_an_event_goes_an_hour_after_it_last_happened() -> None:
    model = Model(event(lastTimestamp="2026-01-01T00:10:00Z"))
    model.later(3600)
    assert model.look(EVENTTTL, model.get("Event", "e")) == [Again(600)]
    model.later(600)
    (action,) = model.look(EVENTTTL, model.get("Event", "e"))
    assert isinstance(action, Delete)
    assert model.list("Event") == ()


def test_a_series_that_goes_on_is_kept() -> None:
    model = Model(event(series={"count": 2, "lastObservedTime": "2026-01-01T00:59:00.000000Z"}))
    model.later(3600)
    assert model.look(EVENTTTL, model.get("Event", "e")) == [Again(3540)]
