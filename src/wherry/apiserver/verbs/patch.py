"""PATCH in its four forms; server-side apply also creates."""

from collections.abc import Sequence
from typing import Any

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.create import insert
from wherry.apiserver.verbs.prepare import bad_options, changed, decoded, fresh
from wherry.apiserver.verbs.registry import Registry, key_of, parse_revision, stale
from wherry.apiserver.verbs.update import check_name, check_uid, modify
from wherry.kinds.schema.check import check
from wherry.objects import Obj, copied, json_patch, merge_patch, strategic_patch
from wherry.objects import apply as server_side
from wherry.objects.errors import (
    ApiError,
    BadRequest,
    Cause,
    Conflict,
    Invalid,
    RequestEntityTooLarge,
    Unnamed,
    UnsupportedMediaType,
)
from wherry.objects.field_errors import forbidden, required
from wherry.store import Record

JSON, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
MOST_OPERATIONS = 10_000


async def patch(registry: Registry, target: Target, form: str, body: Any, options: WriteOptions) -> Record:
    """Change an object by a patch of media type `form`. Raises UnsupportedMediaType for one that is not known."""
    if form == APPLY:
        return (await apply(registry, target, body, options))[0]
    if options.force:
        raise bad_options("PatchOptions", [forbidden("force", "may not be specified for non-apply patch")])
    _check_body(target, form, body)
    patched_revision = _metadata(body).get("resourceVersion")

    def change(old: Obj) -> Obj:
        new: Obj = copied(_patched(registry, target, form, body, old))
        read = _read(registry, target, new, options)
        check_name(target, read["metadata"])
        if form == JSON and read["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            raise stale(target)
        return changed(registry, target, read, old, options)

    expect = parse_revision(patched_revision) if patched_revision else None
    return await modify(registry, target, change, options, expect=expect)


async def apply(registry: Registry, target: Target, body: Any, options: WriteOptions) -> tuple[Record, bool]:
    """Server-side apply: the record and whether it was created."""
    if not options.manager:
        raise bad_options("PatchOptions", [required("fieldManager", "is required for apply patch")])
    if not isinstance(body, dict):
        raise BadRequest("the body of an apply patch is an object")
    if _metadata(body).get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    applied = _configuration(registry, target, body, options)
    meta = applied["metadata"]
    if registry.store.get(key_of(target)) is None:
        if target.subresource:
            raise target.missing()
        if meta.get("uid"):
            raise Conflict(f'{target.kind.resource} "{target.name}": uid mismatch: it does not exist')
        obj = _applied(registry, target, None, applied, options)
        entries = obj["metadata"].get("managedFields")
        fresh(registry, target, obj, options)
        obj["metadata"]["managedFields"] = entries
        return await insert(registry, target, obj, options), True
    wanted = meta.get("resourceVersion")

    def change(old: Obj) -> Obj:
        new = _applied(registry, target, old, applied, options)
        if new == old:
            return old
        new = copied(new)
        check_uid(target, new["metadata"].get("uid"), old)
        return changed(registry, target, new, old, options, owned=True)

    record = await modify(registry, target, change, options, expect=parse_revision(wanted) if wanted else None)
    return record, False


def _applied(registry: Registry, target: Target, live: Obj | None, applied: Obj, options: WriteOptions) -> Obj:
    by = registry.writing(target.kind, options.manager, target.subresource)
    try:
        return server_side.apply(live, applied, by, force=options.force)
    except server_side.ApplyConflict as error:
        raise Conflict(
            str(error),
            causes=[Cause("FieldManagerConflict", message, path) for message, path in error.causes],
        ) from error
    except server_side.ApplyInvalid as error:
        raise Unnamed(str(error)) from error


def _configuration(registry: Registry, target: Target, body: Obj, options: WriteOptions) -> Obj:
    """What is applied, held against its type: unlike other writes an apply knows no field that it may drop."""
    kind = target.kind
    group, _, version = str(body.get("apiVersion") or "").rpartition("/")
    said = f"{group}/{version}, Kind={body.get('kind') or ''}"
    if (body.get("apiVersion"), body.get("kind")) != (kind.api_version, kind.kind):
        raise BadRequest(f"invalid object type: {said}")
    meta = _metadata(body)
    where = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {said}"
    problems = check(body, registry.type_of(kind))
    if problems.error or problems.unknown:
        every = [f".{path}: field not declared in schema" for path in problems.unknown]
        text = problems.error or (every[0] if len(every) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in every))
        raise Unnamed(f"failed to create typed patch object ({where}): {text}")
    applied = decoded(registry, target, body, options)
    applied["metadata"].setdefault("name", target.name)
    check_name(target, applied["metadata"])
    return applied


def _metadata(body: Any) -> Obj:
    """The metadata in a patch; {} where there is none, or something that decoding will refuse."""
    meta = body.get("metadata") if isinstance(body, dict) else None
    return meta if isinstance(meta, dict) else {}


def _read(registry: Registry, target: Target, new: Obj, options: WriteOptions) -> Obj:
    """What a patch made, decoded; a patch that makes something else is invalid."""
    try:
        return decoded(registry, target, new, options)
    except BadRequest as error:
        said = error.message.partition(f"cannot be handled as a {target.kind.kind}: ")[2]
        if not said:
            raise
        message = f"Invalid value: the patched object: {said}"
        raise Invalid(
            f' "" is invalid: patch: {message}', causes=[Cause("FieldValueInvalid", message, "patch")]
        ) from error


def _check_body(target: Target, form: str, body: Any) -> None:
    if form == JSON:
        if not isinstance(body, list):
            raise BadRequest("a JSON patch is a list of operations")
        if len(body) > MOST_OPERATIONS:
            raise RequestEntityTooLarge(
                f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(body)}"
            )
    elif form not in (MERGE, STRATEGIC) or (form == STRATEGIC and target.kind.extra.get("custom")):
        supported = ", ".join((JSON, MERGE, STRATEGIC, APPLY))
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - accepted media types include: {supported}"
        )
    elif not isinstance(body, dict):
        raise BadRequest("a merge patch is an object")


def _patched(registry: Registry, target: Target, form: str, body: Any, old: Obj) -> Obj:
    try:
        if form == JSON:
            operations: Sequence[Any] = body
            new: Obj = json_patch.apply(old, operations)
        elif form == MERGE:
            new = merge_patch.apply(old, body)
        else:
            new = strategic_patch.apply(old, body, registry.type_of(target.kind))
    except json_patch.PatchTooLarge as error:
        raise RequestEntityTooLarge(str(error)) from error
    except json_patch.PatchFailed as error:
        raise Invalid(f"the server rejected our request due to an error in our request: {error}") from error
    except strategic_patch.StrategicPatchFailed as error:
        refusal: type[ApiError] = BadRequest if error.code == 400 else Invalid
        raise refusal(str(error)) from error
    if not isinstance(new, dict):
        raise BadRequest("the patch leaves no object")
    return new
