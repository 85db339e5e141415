"""GET of one object and of lists: selectors, pages, lists at a past revision."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from wherry.apiserver.verbs.context import ListOptions, Target
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.kinds.kind import Kind
from wherry.objects import Obj
from wherry.objects.errors import BadRequest, Cause, Expired, Invalid, Timeout
from wherry.objects.selectors import FieldTerm, Selector, matches_fields, parse_fields, parse_labels
from wherry.store import Compacted, Future, Record

ALWAYS_SELECTABLE = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True)
class Page:
    """A list, exact at `revision`; `continuation` fetches the next page."""

    revision: int
    records: Sequence[Record]
    continuation: str = ""
    remaining: int | None = None


@dataclass(frozen=True)
class Filter:
    """A label and a field selector, parsed and checked against the kind."""

    kind: Kind
    labels: Selector
    fields: Sequence[FieldTerm]

    @property
    def everything(self) -> bool:
        return self.labels.everything and not self.fields

    def matches(self, obj: Obj) -> bool:
        if not self.labels.matches(obj["metadata"].get("labels")):
            return False
        return not self.fields or matches_fields(self.fields, lambda path: field_value(self.kind, obj, path))


def field_value(kind: Kind, obj: Obj, path: str) -> str:
    """A selectable field as a selector compares it."""
    special = kind.selectable_values.get(path)
    if special is not None:
        return special(obj)
    value: object = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def filter_of(kind: Kind, labels: str, fields: str) -> Filter:
    """Parse a request's selectors. Raises BadRequest."""
    try:
        selector = parse_labels(labels)
        terms = parse_fields(fields) if fields else ()
    except ValueError as error:
        raise BadRequest(str(error)) from error
    known = {*ALWAYS_SELECTABLE, *kind.selectable, *kind.selectable_values}
    for term in terms:
        if term.field not in known:
            raise BadRequest(f"field label not supported: {term.field}; {kind.kind} has {', '.join(sorted(known))}")
    return Filter(kind, selector, terms)


async def list_page(registry: Registry, target: Target, options: ListOptions) -> Page:
    """The matching records, sorted by namespace and name."""
    wanted = filter_of(target.kind, options.labels, options.fields)
    if options.continuation:
        return _next_page(registry, target, options, wanted)
    revision, exact = await _asked_revision(registry, options)
    if exact:
        try:
            records = registry.store.scan_at(target.kind.resource, target.namespace, revision)
        except Compacted as error:
            raise Expired(f"The resourceVersion for the provided list is too old: {error}") from error
    else:
        revision = registry.store.revision
        records = registry.store.scan(target.kind.resource, target.namespace)
    return _cut(_selected(records, wanted), revision, options.limit, wanted)


def _selected(records: Sequence[Record], wanted: Filter) -> Sequence[Record]:
    if wanted.everything:
        return records
    exact = next(iter(wanted.labels.exact.items()), None)
    if exact is not None:  # most objects fail at the first label: look at it without a call for each
        key, value = exact
        records = [
            record
            for record in records
            if (labels := (record.memo or object_of(record))["metadata"].get("labels")) and labels.get(key) == value
        ]
        if len(wanted.labels.requirements) == 1 and not wanted.fields:
            return records
    matches: Callable[[Obj], bool] = wanted.matches
    return [record for record in records if matches(object_of(record))]


async def _asked_revision(registry: Registry, options: ListOptions) -> tuple[int, bool]:
    """The revision the list must have, and whether exactly."""
    text, match = options.resource_version, options.match
    if match and (match not in ("Exact", "NotOlderThan") or not text or (match == "Exact" and text == "0")):
        raise Invalid(
            "resourceVersionMatch: Forbidden: it needs a resourceVersion, is Exact or NotOlderThan, "
            "and Exact not with 0"
        )
    if text in ("", "0"):
        return 0, False
    revision = revision_of(text)
    await reached(registry, revision)
    return revision, match == "Exact" or (options.limit > 0 and match == "")


def revision_of(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: invalid syntax') from error


async def reached(registry: Registry, revision: int) -> None:
    """Refuse a revision that has not been given out yet; one store has no followers that could be behind."""
    if revision > registry.store.revision:
        raise Timeout(
            f"Too large resource version: {revision}, current: {registry.store.revision}",
            causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
            retryAfterSeconds=1,
        )


def _cut(records: Sequence[Record], revision: int, limit: int, wanted: Filter) -> Page:
    if limit <= 0 or len(records) <= limit:
        return Page(revision, records)
    last = records[limit - 1].key
    token = base64.urlsafe_b64encode(orjson.dumps([revision, last.namespace, last.name])).decode()
    remaining = len(records) - limit if wanted.everything else None
    return Page(revision, records[:limit], token, remaining)


def _next_page(registry: Registry, target: Target, options: ListOptions, wanted: Filter) -> Page:
    if options.resource_version:
        raise BadRequest("specifying resource version is not allowed when using continue")
    try:
        revision, namespace, name = orjson.loads(base64.urlsafe_b64decode(options.continuation))
        after = (str(namespace), str(name))
        revision = int(revision)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("continue key is not valid") from error
    if revision < 0:
        revision = registry.store.revision  # a token of an expired list: go on at the latest
    try:
        records = registry.store.scan_at(target.kind.resource, target.namespace, revision)
    except Compacted as error:
        again = base64.urlsafe_b64encode(orjson.dumps([-1, *after])).decode()
        expired = Expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new "
            "list without the continue parameter, or use the continue token in this response to retrieve the "
            "remainder of the results."
        )
        expired.continuation = again
        raise expired from error
    except Future as error:
        raise BadRequest("continue key is not valid") from error
    rest = [record for record in _selected(records, wanted) if record.key[1:] > after]
    return _cut(rest, revision, options.limit, wanted)
