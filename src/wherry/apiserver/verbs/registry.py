"""What the verbs work on: the store, the served kinds with their types, the admission chain, the clock.

`Registry` also holds the three things every verb does alike: a record's object, the error a store's refusal means, and
the revision as text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.entropy import Entropy
from wherry.clock import Clock
from wherry.kinds.kind import Durability, Kind
from wherry.kinds.schema import Table
from wherry.objects import Obj
from wherry.objects.errors import Conflict, Unnamed
from wherry.objects.fieldsets import from_paths
from wherry.objects.managed_fields import Write
from wherry.objects.schema import Type
from wherry.objects.times import format_time
from wherry.store import Key, Record, Store, Sync

SYNC: Mapping[Durability, Sync] = {
    Durability.DURABLE: Sync.FULL,
    Durability.LAZY: Sync.LAZY,
    Durability.MEMORY: Sync.MEMORY,
}


class Admission(Protocol):
    """Checks and changes that need other objects. Each step may raise an ApiError."""

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        """Change `obj` with what is known of others (before validation), or refuse it."""
        ...

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None:
        """The write has been stored or has failed: keep or give back what `admit` reserved."""
        ...

    def deleted(self, target: Target, obj: Obj) -> None:
        """The object is gone: give back what it held."""
        ...


@dataclass
class Registry:
    """Everything a verb needs. Kinds can be added while it runs (custom resources)."""

    store: Store
    table: Table
    clock: Clock
    admission: Sequence[Admission] = ()
    kinds: dict[str, Kind] = field(default_factory=dict)
    entropy: Entropy = field(default_factory=Entropy)
    _types: dict[str, Type] = field(default_factory=dict)

    def serve(self, kinds: Iterable[Kind]) -> None:
        for kind in kinds:
            self.kinds[kind.id] = kind

    def type_of(self, kind: Kind) -> Type:
        known = self._types.get(kind.id)
        if known is None:
            known = self._types[kind.id] = kind.extra.get("type") or self.table.definition(kind.schema)
        return known

    def now(self) -> str:
        return _second(int(self.clock.now().timestamp()))

    def writing(self, kind: Kind, manager: str, subresource: str) -> Write:
        """A write that is made now, for managedFields."""
        untaken = SPEC if subresource == "status" else STATUS_FIELDS if kind.status else None
        return Write(manager, self.now(), kind.api_version, self.type_of(kind), subresource, untaken)

    def find(self, target: Target) -> Record:
        """The stored record; raises NotFound."""
        record = self.store.get(key_of(target))
        if record is None:
            raise target.missing()
        return record


@lru_cache(8)
def _second(timestamp: int) -> str:
    return format_time(datetime.fromtimestamp(timestamp, UTC))


def key_of(target: Target) -> Key:
    return Key(target.kind.resource, target.namespace, target.name)


def object_of(record: Record) -> Obj:
    """The record's object, decoded once and shared: never edit it."""
    if record.memo is None:
        record.memo = orjson.loads(record.value)
    known: Obj = record.memo
    return known


def copy_of(record: Record) -> Obj:
    """A copy that may be edited; decoding the bytes is the quickest deep copy there is."""
    copy: Obj = orjson.loads(record.value)
    return copy


def seal(obj: Obj) -> Any:
    """How the store turns an object into bytes once its revision is known."""

    def sealed(revision: int) -> tuple[bytes, Obj]:
        meta = obj["metadata"]
        if meta.get("resourceVersion") not in (None, str(revision)):
            whole = {**obj, "metadata": {**meta, "resourceVersion": str(revision)}}
        else:
            meta["resourceVersion"] = str(revision)
            whole = obj
        return orjson.dumps(whole), whole

    return sealed


def stale(target: Target) -> Conflict:
    """The error for a write that was based on an older state."""
    return Conflict(
        f'Operation cannot be fulfilled on {target.kind.resource} "{target.name}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        name=target.name,
        group=target.kind.group,
        kind=target.kind.plural,
    )


def parse_revision(text: str) -> int:
    """A resourceVersion that a client sent as a precondition."""
    try:
        return int(text)
    except ValueError as error:
        raise Unnamed(f'strconv.ParseUint: parsing "{text}": invalid syntax') from error


STATUS_FIELDS = from_paths("status")
"""What a write to the object itself may not own where status is a subresource of its own."""

SPEC = from_paths("spec")
"""What a write to /status may not own."""
