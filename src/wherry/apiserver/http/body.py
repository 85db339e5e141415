"""Request bodies and query parameters -> values. Bounded: bytes, nesting, aliases."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import yaml
from aiohttp import web

from wherry.apiserver.http import protobuf
from wherry.apiserver.verbs.context import DeleteOptions, ListOptions, User, WriteOptions
from wherry.apiserver.verbs.prepare import bad_options
from wherry.kinds.checks import supported
from wherry.kinds.kind import Kind
from wherry.objects.errors import BadRequest, RequestEntityTooLarge, Timeout, Unnamed, UnsupportedMediaType
from wherry.objects.field_errors import FieldError, forbidden, invalid, too_long
from wherry.objects.selectors import parse_fields, parse_labels

LARGEST = 3 * 2**20
PATIENCE = 60.0  # seconds for all of a body
LONGEST_MANAGER = 128
MOST_TWINS = 100  # more duplicate fields than these are not reported
YAML_TYPES = frozenset(("application/yaml", "application/apply-patch+yaml", "text/yaml"))
TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T"))


def _plain_yaml(raw: bytes) -> Any:
    """YAML without aliases: nobody needs them in an API request, and they expand without bound."""
    for event in yaml.parse(raw, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted in API requests")
    return yaml.load(raw, yaml.CSafeLoader)


async def read(request: web.BaseRequest) -> bytes:
    """The body, at most 3 MiB."""
    if (request.content_length or 0) > LARGEST:
        raise RequestEntityTooLarge(f"Request entity too large: limit is {LARGEST}")
    if not request.body_exists:
        return b""
    if request.content.is_eof():  # it came with the head, as most do
        return _bounded(request.content.read_nowait())
    parts, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.content.iter_any():
                size += len(part)
                if size > LARGEST:
                    raise RequestEntityTooLarge(f"Request entity too large: limit is {LARGEST}")
                parts.append(part)
    except TimeoutError as error:
        raise Timeout(f"Timeout: the body of the request did not arrive within {PATIENCE:g} seconds") from error
    return b"".join(parts)


def _bounded(raw: bytes) -> bytes:
    if len(raw) > LARGEST:
        raise RequestEntityTooLarge(f"Request entity too large: limit is {LARGEST}")
    return raw


def parse(raw: bytes, content_type: str) -> Any:
    """The body as JSON data. Raises BadRequest and UnsupportedMediaType."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind in YAML_TYPES:
            try:
                return orjson.loads(raw)
            except orjson.JSONDecodeError:
                return _plain_yaml(raw)
        if kind in ("", "application/json") or kind.endswith("+json"):
            return orjson.loads(raw)
        if kind == protobuf.CONTENT_TYPE:
            return protobuf.decode(raw)
    except (protobuf.Malformed, orjson.JSONDecodeError, yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body of the request cannot be read: {error}") from error
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format ({kind}) - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )


def check_duplicates(raw: bytes, sent: Any, kind: Kind, options: WriteOptions) -> None:
    """Fields that a JSON body says twice, of which only the last counts: warn of them, or refuse, as asked."""
    if options.field_validation == "Ignore" or len(_packed(raw)) == len(_packed(orjson.dumps(sent))):
        return  # nothing got lost in the reading
    try:
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except ValueError:
        return  # YAML
    twins = [f'duplicate field "{path}"' for path in _twins(pairs, "")][:MOST_TWINS]
    if twins and options.field_validation == "Strict":
        raise BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(twins)}"
        )
    options.warnings.extend(twins)


class _Pairs(list[Any]):
    """A JSON object as it was written, twins and all."""


def _packed(raw: bytes) -> bytes:
    return raw.translate(None, b" \t\r\n")


def _twins(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            at = f"{path}.{key}".removeprefix(".")
            yield from _twins(item, at)
            if key in seen:
                yield at
            seen.add(key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _twins(item, f"{path}[{index}]")


def write_options(query: Mapping[str, str], user: User, agent: str, kind: str = "CreateOptions") -> WriteOptions:
    """The options of a write; `kind` is what errors call them."""
    dry, validation, manager = query.get("dryRun", ""), query.get("fieldValidation", ""), query.get("fieldManager", "")
    errors = [
        *(supported("dryRun", [dry], ("All",)) if dry not in ("", "All") else ()),
        *supported("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")),
        *_manager(manager),
    ]
    if errors:
        raise bad_options(kind, errors)
    return WriteOptions(
        user=user,
        manager=manager or agent.partition("/")[0] or "unknown",
        dry_run=bool(dry),
        field_validation=validation or "Warn",
        force=query.get("force", "") in TRUE,
    )


def _manager(name: str) -> Iterator[FieldError]:
    if len(name) > LONGEST_MANAGER:
        yield too_long("fieldManager", LONGEST_MANAGER)
    for index, letter in enumerate(name):
        if not letter.isprintable():
            yield invalid("fieldManager", name, f"invalid character U+{ord(letter):04X} (at position {index})")


def list_options(query: Mapping[str, str]) -> ListOptions:
    """The options of a list, a watch or the deletion of a collection. Raises BadRequest and Invalid."""
    initial = query.get("sendInitialEvents", "")
    options = ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(_number(query, "limit"), 0),
        continuation=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        timeout=float(_number(query, "timeoutSeconds")) or None,
        bookmarks=query.get("allowWatchBookmarks", "") in TRUE,
        initial_events=(initial in TRUE) if initial else None,
    )
    watching = query.get("watch", "") in TRUE
    if options.match or options.initial_events is not None or watching:
        errors = [*(_watch_errors(options) if watching else _list_errors(options))]
        if errors:
            raise bad_options("ListOptions", errors)
    if watching:
        _check_watch(options)
    elif options.resource_version and not options.resource_version.isdecimal():
        raise BadRequest(f"invalid resource version: {_no_revision(options.resource_version)}")
    return options


def _no_revision(text: str) -> str:
    return f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'


def _list_errors(options: ListOptions) -> Iterator[FieldError]:
    """As `ValidateListOptions` of k8s.io/apimachinery's metainternalversion."""
    path, match = "resourceVersionMatch", options.match
    if match:
        if not options.resource_version:
            yield forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided")
        if options.continuation:
            yield forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
        if match not in ("Exact", "NotOlderThan"):
            yield from supported(path, match, ("Exact", "NotOlderThan", ""))
        if match == "Exact" and options.resource_version == "0":
            yield forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if options.initial_events is not None:
        yield forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _watch_errors(options: ListOptions) -> Iterator[FieldError]:
    path = "resourceVersionMatch"
    if options.continuation:
        yield forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
    if options.initial_events is None:
        if options.match:
            yield forbidden(path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    elif options.match != "NotOlderThan":
        yield forbidden(path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        if options.match:
            yield from supported(path, options.match, ("NotOlderThan",))


def _check_watch(options: ListOptions) -> None:
    """What would end a watch that has begun is refused before it begins."""
    text = options.resource_version
    if text and not text.isdecimal():
        raise Unnamed(_no_revision(text))
    try:
        parse_labels(options.labels)
        parse_fields(options.fields)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def delete_options(query: Mapping[str, str], body: Any, user: User) -> DeleteOptions:
    said = body if isinstance(body, dict) else {}
    if said.get("kind", "DeleteOptions") != "DeleteOptions":
        raise Unnamed(
            f'no kind "{said["kind"]}" is registered for version "{said.get("apiVersion", "")}": want DeleteOptions'
        )
    conditions = said.get("preconditions") or {}
    grace = said.get("gracePeriodSeconds")
    if not isinstance(conditions, dict) or type(grace) not in (int, type(None)):
        raise BadRequest("DeleteOptions: preconditions is an object, gracePeriodSeconds an integer")
    if "gracePeriodSeconds" in query:
        grace = _number(query, "gracePeriodSeconds")
    orphan = said.get("orphanDependents")
    propagation = query.get("propagationPolicy") or said.get("propagationPolicy") or ""
    if orphan is not None and propagation:
        both = "orphanDependents and deletionPropagation cannot be both set"
        raise bad_options("DeleteOptions", [invalid("propagationPolicy", propagation, both)])
    if orphan:
        propagation = "Orphan"
    dry = said.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if dry not in ([], ["All"]):
        raise bad_options("DeleteOptions", [*supported("dryRun", dry, ("All",))])
    return DeleteOptions(
        user=user,
        grace_seconds=grace,
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
        propagation=propagation,
        dry_run=bool(dry),
    )


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "")
    try:
        return int(text) if text else 0
    except ValueError as error:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
