"""What a kind is: one value that the rest of the server derives its behaviour from.

Order of the hooks on a write, and what each may touch (the rule is upstream's `rest.RESTCreateStrategy`):

1. `default(obj)` fills omitted fields, in place. Runs on every create and update, and on nothing stored.
2. `prepare(obj)` sets or resets what the server owns, in place, on create (status is dropped before by the verbs).
   `prepare_update(new, old)` the same on update.
3. admission (not here) may change the object with what it knows of others.
4. `validate(obj)` yields every error of the whole object; `validate_update(new, old)` yields what may not change.
   A write to /status asks `validate_status(new, old)` alone, one to a subresource of `parts` that part's own.
   The schema's own checks (types, required, unknown fields) have passed before any hook runs.
5. `warn(new, old)` yields what is allowed and most likely a mistake; `old` is None for a new object.

Hooks get an object that is theirs to edit; they do not keep it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from wherry.objects import Obj
from wherry.objects.field_errors import FieldError

Cell = str | int | bool | None
Finished = Callable[[Obj], tuple[str, str] | None]


class Durability(Enum):
    """How safely a write of this kind must land before it is acknowledged."""

    DURABLE = "durable"  # fsynced: survives power loss
    LAZY = "lazy"  # in the log of the store, not fsynced: may be lost with the power (Events)
    MEMORY = "memory"  # never on disk (Leases)


def _no_cell(_: Obj) -> Cell:
    return None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One printer column of `kubectl get`; `wide` ones show with `-o wide` only (priority 1).

    A cell that tells a time ago has `cell_at` in place of `cell`: kinds are pure and read no clock, so whoever prints
    the table says what time it is. Print with `value`, which asks the right one.
    """

    name: str
    cell: Callable[[Obj], Cell] = _no_cell
    cell_at: Callable[[Obj, datetime], Cell] | None = None
    type: str = "string"
    format: str = ""
    wide: bool = False
    description: str = ""

    def value(self, obj: Obj, now: datetime) -> Cell:
        """The cell of `obj` as it reads at `now`."""
        return self.cell(obj) if self.cell_at is None else self.cell_at(obj, now)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where `autoscaling/v1 Scale` finds its three facts in the object (dotted paths)."""

    replicas: str = "spec.replicas"
    status_replicas: str = "status.replicas"
    selector: str = "spec.selector"  # a LabelSelector, or a map for ReplicationController


def _nothing(_: Obj) -> None: ...


def _nothing_on_update(_new: Obj, _old: Obj) -> None: ...


def _no_errors(_: Obj) -> Iterator[FieldError]:
    return iter(())


def _no_update_errors(_new: Obj, _old: Obj) -> Iterator[FieldError]:
    return iter(())


def _no_warnings(_new: Obj, _old: Obj | None) -> Iterator[str]:
    return iter(())


def _not_finished(_: Obj) -> None:
    return None


@dataclass(frozen=True)
class Part:
    """A subresource whose writes are writes of the object that change one part of it (`ephemeralcontainers`).

    `take(new, old)` keeps of `new` only that part and gives it the rest of `old`, in place; `validate(new, old)` holds
    in place of the kind's own checks.
    """

    take: Callable[[Obj, Obj], None]
    validate: Callable[[Obj, Obj], Iterator[FieldError]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind at one version, as the API serves it."""

    group: str
    version: str
    kind: str
    plural: str
    schema: str  # a definition's name, as `io.k8s.api.apps.v1.Deployment`; see `kinds.schema`
    singular: str = ""  # "" means the kind in lower case
    namespaced: bool = True
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    status: bool = False  # has the status subresource
    scale: Scale | None = None
    subresources: Sequence[str] = ()  # others by name: "log", "exec", "eviction", "binding", "token", ...
    selectable: Sequence[str] = ()  # field selectors beside metadata.name and metadata.namespace
    selectable_values: Mapping[str, Callable[[Obj], str]] = field(
        default_factory=dict
    )  # others than the text at the path
    default: Callable[[Obj], None] = _nothing
    prepare: Callable[[Obj], None] = _nothing
    prepare_update: Callable[[Obj, Obj], None] = _nothing_on_update
    validate: Callable[[Obj], Iterator[FieldError]] = _no_errors
    validate_create: Callable[[Obj], Iterator[FieldError]] = _no_errors  # what only a new object may not have
    validate_update: Callable[[Obj, Obj], Iterator[FieldError]] = _no_update_errors
    validate_status: Callable[[Obj, Obj], Iterator[FieldError]] = _no_update_errors  # of a write to /status
    warn: Callable[[Obj, Obj | None], Iterator[str]] = _no_warnings
    deprecated: str = ""  # what every answer about it warns of
    status_keeps: Sequence[str] = ()  # parts of metadata that a write to /status cannot change
    parts: Mapping[str, Part] = field(default_factory=dict)  # of `subresources`, by name
    validate_name: Callable[[str], str | None] | None = None  # None: a DNS-1123 subdomain
    columns: Sequence[Column] = ()  # after Name, which every table starts with
    name_column: bool = True  # False: `columns` are all there are, and have the name themselves (Events)
    finished: Finished = _not_finished  # reason and message of an object that has ended; tables mark its row
    create_on_update: bool = False  # PUT to a missing object creates it
    durability: Durability = Durability.DURABLE
    generation: bool = True  # metadata.generation counts changes of the desired state
    generation_metadata: Sequence[str] = ()  # parts of metadata that count too (a Deployment's annotations)
    grace_seconds: Callable[[Obj], int] | None = None  # default grace of a graceful deletion (pods)
    delete_returns_object: bool = False  # DELETE answers the object instead of a Status
    verbs: Sequence[str] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    extra: Mapping[str, Any] = field(default_factory=dict)  # a custom kind's own schema and switches

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def id(self) -> str:
        """The GroupKind in Kubernetes' spelling: `Pod`, `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def resource(self) -> str:
        """The GroupResource in Kubernetes' spelling: `pods`, `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def field_value(self, obj: Obj, path: str) -> str:
        """What a field selector compares: the value at a path of `selectable`, or of metadata, as text; "" if unset."""
        if path in self.selectable_values:
            return self.selectable_values[path](obj)
        value: Any = obj
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)
