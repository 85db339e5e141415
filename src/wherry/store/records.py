"""What is stored and what is told of it: the values that pass through the store. No behaviour."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

Seal = Callable[[int], tuple[bytes, Any]]
"""Makes the value and its memo, given the revision they get. Called in the writer thread, and again should the group
have to be tried a second time: it must be quick, thread-safe and without effects."""


class Key(NamedTuple):
    """Which record. All three are opaque here; `namespace` may be ""."""

    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Sync(Enum):
    """How far a write is on its way to the disk when it is acknowledged."""

    FULL = "full"  # survives power loss
    LAZY = "lazy"  # survives the end of the process; power loss may take the latest ones
    MEMORY = "memory"  # gone with the process


@dataclass(slots=True, eq=False)
class Record:
    """One key's state at one revision. Shared by all readers, so only `memo` may ever be set.

    `memo` is the readers' decoded form of `value`; the store never looks at it. None after a restart.
    """

    key: Key
    revision: int
    value: bytes
    memo: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One committed write. For a deletion `record` is the last state, sealed with the deletion's revision."""

    revision: int
    record: Record
    old: Record | None
    deleted: bool
