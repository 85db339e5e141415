"""Read-only look-ups that a controller may do while it observes; the mirror answers them from memory.

What is returned is shared by all readers: never edit it, copy what you change.
"""

from collections.abc import Mapping
from typing import Protocol

from wherry.objects import Obj, Ref


class Lister(Protocol):
    def get(self, kind: str, namespace: str, name: str) -> Obj | None: ...

    def list(self, kind: str, namespace: str = "") -> tuple[Obj, ...]:
        """All objects of a kind, of one namespace or (with "") of all, sorted by namespace and name."""
        ...

    def controlled(self, owner: Obj, kind: str) -> tuple[Obj, ...]:
        """The objects of `kind` whose controller is `owner` (by uid), from an index."""
        ...

    def dependents(self, uid: str) -> tuple[Obj, ...]:
        """All objects, of any kind, with an ownerReference to `uid`, from an index."""
        ...

    def by_uid(self, uid: str) -> Obj | None: ...

    def select(self, kind: str, namespace: str, labels: Mapping[str, str]) -> tuple[Obj, ...]:
        """The objects in `namespace` that carry all of `labels`; none for an empty mapping (a Service's rule)."""
        ...

    def kinds(self) -> tuple[str, ...]:
        """The GroupKinds that are served."""
        ...

    def contents(self, namespace: str) -> tuple[Ref, ...]:
        """All objects, of any kind, in a namespace."""
        ...
