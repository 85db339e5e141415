"""Printer columns that many kinds share, and how cells spell what is absent, a time ago, a list cut short."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from wherry.kinds.kind import Cell, Column
from wherry.objects import Obj, durations, selectors, times

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


def since(moment: str | None, now: datetime) -> str:
    """How long ago, as people read it; a moment that is not known is said so."""
    return durations.human(now - times.parse(moment)) if moment else UNKNOWN


def _age(obj: Obj, now: datetime) -> Cell:
    return since(obj["metadata"].get("creationTimestamp"), now)


AGE = Column(name="Age", cell_at=_age, description="How long ago the server created the object.")


def path(dotted: str, absent: Cell = "") -> Callable[[Obj], Cell]:
    """A cell with the value at a dotted path."""

    def cell(obj: Obj) -> Cell:
        value: Any = obj
        for key in dotted.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return absent if value in (None, "") else value

    return cell


def first_few(items: Iterable[str], most: int = 3) -> str:
    """The first items of a list, and how many more there are."""
    every = list(items)
    text = ",".join(every[:most])
    return f"{text} + {len(every) - most} more..." if len(every) > most else text


def _template_containers(obj: Obj) -> Sequence[Obj]:
    found: Sequence[Obj] = obj["spec"].get("template", {}).get("spec", {}).get("containers") or ()
    return found


def _container_names(obj: Obj) -> Cell:
    return ",".join(container.get("name", "") for container in _template_containers(obj))


def _images(obj: Obj) -> Cell:
    return ",".join(container.get("image", "") for container in _template_containers(obj))


def _selector(obj: Obj) -> Cell:
    return selectors.format_label_selector(obj["spec"].get("selector"))


WORKLOAD: Sequence[Column] = (
    Column(name="Containers", cell=_container_names, wide=True, description="Names of the template's containers."),
    Column(name="Images", cell=_images, wide=True, description="Images of the template's containers."),
    Column(name="Selector", cell=_selector, wide=True, description="Which pods the object takes for its own."),
)
"""What every kind with a pod template shows with `-o wide`."""
