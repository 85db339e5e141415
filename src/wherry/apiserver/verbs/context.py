"""Who asks for what: the values that every verb gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wherry.kinds.kind import Kind
from wherry.objects.errors import NotFound

MASTERS = "system:masters"


@dataclass(frozen=True)
class User:
    """An authenticated user. `extra` carries what a token says of itself (the pod that it is bound to)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SYSTEM = User("system:wherry", (MASTERS, "system:authenticated"))
"""The actors of this process."""


@dataclass(frozen=True)
class Target:
    """What a call is about: a kind, and as far as it goes a namespace, a name, a subresource."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def missing(self, name: str = "") -> NotFound:
        """The error for an object that is not there."""
        name = name or self.name
        return NotFound(
            f'{self.kind.resource} "{name}" not found', name=name, group=self.kind.group, kind=self.kind.plural
        )


@dataclass(frozen=True)
class WriteOptions:
    """`metav1.CreateOptions`, `UpdateOptions` and `PatchOptions` as far as they say the same."""

    user: User = SYSTEM
    manager: str = "wherry"
    dry_run: bool = False
    field_validation: str = "Ignore"  # Strict, Warn, Ignore
    force: bool = False
    warnings: list[str] = field(default_factory=list)  # filled by the verb, sent as Warning headers


@dataclass(frozen=True)
class DeleteOptions:
    """`metav1.DeleteOptions`. `grace_seconds` None: the kind's own."""

    user: User = SYSTEM
    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""  # Background, Foreground, Orphan; "": the default, Background
    dry_run: bool = False


@dataclass(frozen=True)
class ListOptions:
    """`metav1.ListOptions`, selectors still as text."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    continuation: str = ""
    resource_version: str = ""
    match: str = ""  # resourceVersionMatch: Exact, NotOlderThan
    timeout: float | None = None
    bookmarks: bool = False
    initial_events: bool | None = None  # sendInitialEvents


@dataclass(frozen=True)
class Preconditions:
    """What must hold of the stored object before it is changed or deleted."""

    uid: str = ""
    resource_version: str = ""


EVERY_VERB: Sequence[str] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
