"""The current state in memory, as readers on the event loop see it: records by key, listed in order of their names."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from wherry.store.records import Change, Key, Record


class _Shelf:
    """One resource's records in one namespace. The sorted listing is made when asked for, and kept until a change."""

    __slots__ = ("listing", "names", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.names: list[str] = []
        self.listing: tuple[Record, ...] | None = None

    def put(self, record: Record) -> None:
        name = record.key.name
        if name not in self.records:
            insort(self.names, name)
        self.records[name] = record
        self.listing = None

    def remove(self, name: str) -> None:
        del self.records[name]
        del self.names[bisect_left(self.names, name)]
        self.listing = None

    def list(self) -> tuple[Record, ...]:
        if self.listing is None:
            self.listing = tuple(map(self.records.__getitem__, self.names))
        return self.listing


class _Resource:
    """One resource's records. `changed` is the revision of its latest change."""

    __slots__ = ("changed", "listing", "shelves")

    def __init__(self) -> None:
        self.shelves: dict[str, _Shelf] = {}
        self.listing: tuple[Record, ...] | None = None
        self.changed = 0

    def list(self, namespace: str) -> tuple[Record, ...]:
        if namespace:
            shelf = self.shelves.get(namespace)
            return shelf.list() if shelf else ()
        if self.listing is None:
            self.listing = tuple(r for name in sorted(self.shelves) for r in self.shelves[name].list())
        return self.listing


class Snapshot:
    """All current records. A listing once handed out never changes."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._resources: dict[str, _Resource] = {}
        for record in sorted(records, key=lambda r: r.key):  # in order, so that each name is appended, not inserted
            self._put(record)

    def get(self, key: Key) -> Record | None:
        resource = self._resources.get(key.resource)
        shelf = resource.shelves.get(key.namespace) if resource else None
        return shelf.records.get(key.name) if shelf else None

    def scan(self, resource: str, namespace: str = "") -> Sequence[Record]:
        """Sorted by namespace, then name. Namespace "" means all."""
        held = self._resources.get(resource)
        return held.list(namespace) if held else ()

    def changed(self, resource: str) -> int:
        """The revision of the latest change of this resource that this process saw; 0 for none."""
        held = self._resources.get(resource)
        return held.changed if held else 0

    def resources(self) -> Sequence[str]:
        """The resources that have records."""
        return sorted(name for name, held in self._resources.items() if held.shelves)

    def apply(self, change: Change) -> None:
        if change.deleted:
            self._remove(change.record.key)
        else:
            self._put(change.record)
        self._resources[change.record.key.resource].changed = change.revision

    def _put(self, record: Record) -> None:
        key = record.key
        resource = self._resources.get(key.resource)
        if resource is None:
            resource = self._resources[key.resource] = _Resource()
        shelf = resource.shelves.get(key.namespace)
        if shelf is None:
            shelf = resource.shelves[key.namespace] = _Shelf()
        shelf.put(record)
        resource.listing = None

    def _remove(self, key: Key) -> None:
        resource = self._resources[key.resource]
        shelf = resource.shelves[key.namespace]
        shelf.remove(key.name)
        if not shelf.records:
            del resource.shelves[key.namespace]
        resource.listing = None


def undone(records: Iterable[Record], newer: Iterable[Change]) -> Sequence[Record]:
    """What the listing was before these changes, given newest first."""
    state = {record.key: record for record in records}
    for change in newer:
        if change.old is None:
            del state[change.record.key]
        else:
            state[change.record.key] = change.old
    return tuple(state[key] for key in sorted(state))
