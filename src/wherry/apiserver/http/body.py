"""Request bodies and query parameters -> values. Bounded: bytes, nesting, aliases."""

from collections.abc import Mapping
from typing import Any

import orjson
import yaml
from aiohttp import web

from wherry.apiserver.verbs.context import DeleteOptions, ListOptions, User, WriteOptions
from wherry.objects.errors import BadRequest, Invalid, RequestEntityTooLarge, UnsupportedMediaType

LARGEST = 3 * 2**20
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
    parts, size = [], 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > LARGEST:
            raise RequestEntityTooLarge(f"Request entity too large: limit is {LARGEST}")
        parts.append(part)
    return b"".join(parts)


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
    except (orjson.JSONDecodeError, yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body of the request cannot be read: {error}") from error
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format ({kind}) - accepted media types include: "
        "application/json, application/yaml"
    )


def write_options(query: Mapping[str, str], user: User, agent: str) -> WriteOptions:
    dry = query.get("dryRun", "")
    if dry not in ("", "All"):
        raise Invalid(f'dryRun: Unsupported value: "{dry}": supported values: "All"')
    validation = query.get("fieldValidation", "") or "Warn"
    if validation not in ("Warn", "Strict", "Ignore"):
        raise Invalid(
            f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
        )
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        raise Invalid("fieldManager: Too long: may not be more than 128 bytes")
    return WriteOptions(
        user=user,
        manager=manager or agent.partition("/")[0] or "unknown",
        dry_run=bool(dry),
        field_validation=validation,
        force=query.get("force", "") in TRUE,
    )


def list_options(query: Mapping[str, str]) -> ListOptions:
    initial = query.get("sendInitialEvents", "")
    return ListOptions(
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


def delete_options(query: Mapping[str, str], body: Any, user: User) -> DeleteOptions:
    said = body if isinstance(body, dict) else {}
    conditions = said.get("preconditions") or {}
    grace = said.get("gracePeriodSeconds")
    if "gracePeriodSeconds" in query:
        grace = _number(query, "gracePeriodSeconds")
    orphan = said.get("orphanDependents")
    propagation = query.get("propagationPolicy") or said.get("propagationPolicy") or ""
    if orphan is not None and propagation:
        raise Invalid("propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set")
    if orphan:
        propagation = "Orphan"
    dry = said.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if dry not in ([], ["All"]):
        raise Invalid(f'DeleteOptions "" is invalid: dryRun: Unsupported value: {dry}: supported values: "All"')
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
        raise BadRequest(f'{name}: strconv.ParseInt: parsing "{text}": invalid syntax') from error
