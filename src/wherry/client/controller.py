"""What a controller is: a kind, what wakes it, and two pure functions. `reconcile` is the loop that runs them all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from wherry.client.actions import Action
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref
from wherry.objects.errors import ApiError

Seen = TypeVar("Seen")

Wakes = Callable[[Obj, Lister], Iterable[Ref]]
"""A changed object -> the objects to look at because of it. Called with the new state and with the old one."""


def _none(seen: object) -> float:
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Controller(Generic[Seen]):
    """`observe` copies out of the lister all that `plan` may look at; `plan` yields what brings the world nearer to the
    wish, and nothing when they match. Ordered work yields only its next step: its write wakes the next pass.

    `kind` is a GroupKind, or "*" for a controller that looks at every object (the garbage collector).
    """

    name: str
    kind: str
    observe: Callable[[Obj, Lister, datetime], Seen | None]  # None: nothing to decide here
    plan: Callable[[Seen], Iterator[Action]]
    rest: Callable[[Seen], float] = _none  # seconds until the next look at the same object, however often it is woken
    failed: Callable[[Seen, ApiError], Iterator[Action]] | None = None  # what to tell of a plan that the server refused
    owns: Sequence[str] = ()  # a change to one of these kinds wakes its controller of `kind`
    watches: Mapping[str, Wakes] = field(default_factory=dict)  # any other kind ("*": all) -> whom it wakes
