"""The road that every object takes before it is stored: decode, default, prepare, admit, validate, own."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from wherry.apiserver.verbs.context import SYSTEM, Target, WriteOptions
from wherry.apiserver.verbs.registry import Registry
from wherry.kinds.kind import Kind
from wherry.kinds.meta import validate_meta, validate_meta_update
from wherry.kinds.schema.check import check
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, Cause, Invalid
from wherry.objects.field_errors import FieldError
from wherry.objects.managed_fields import update_managers

LONGEST_BASE = 58  # of a generateName: five more make a DNS label's 63


def decoded(registry: Registry, target: Target, obj: object, options: WriteOptions) -> Obj:
    """Hold what a client sent against its kind's type. Raises BadRequest; unknown fields warn or refuse as asked."""
    kind = target.kind
    if not isinstance(obj, dict):
        raise BadRequest(
            f"couldn't get version/kind; json parse error: the body is not an object but {type(obj).__name__}"
        )
    said_version, said_kind = obj.get("apiVersion", kind.api_version), obj.get("kind", kind.kind)
    if (said_version, said_kind) != (kind.api_version, kind.kind):
        raise BadRequest(
            f"the API version in the data ({said_version}, Kind={said_kind}) does not match the expected API version "
            f"({kind.api_version}, Kind={kind.kind})"
        )
    problems = check(obj, registry.type_of(kind))
    if problems.error:
        raise BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problems.error}'
        )
    unknown = problems.strict_errors
    if unknown and options.field_validation == "Strict":
        raise BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(unknown)}"
        )
    if unknown and options.field_validation == "Warn":
        options.warnings.extend(unknown)
    read = problems.obj if problems.obj is not obj else dict(obj)
    read["apiVersion"], read["kind"] = kind.api_version, kind.kind
    meta = read["metadata"] = dict(read.get("metadata") or {})
    if len(meta.get("ownerReferences") or ()) > 1:
        drop_twins(meta, options)
    if target.namespace:
        if meta.get("namespace") not in (None, "", target.namespace):
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        meta["namespace"] = target.namespace
    elif not kind.namespaced and meta.pop("namespace", None):
        raise BadRequest(f"namespace is not allowed on this type: {kind.kind} is cluster-scoped")
    return read


def fresh(registry: Registry, target: Target, obj: Obj, options: WriteOptions) -> Obj:
    """A decoded object made ready to be created, in place: everything but its revision. Raises Invalid."""
    kind, meta = target.kind, obj["metadata"]
    base = meta.get("generateName")
    called = meta.get("name") or base or ""  # what refusals say: a name that was made up would be another each time
    if not meta.get("name") and base:
        meta["name"] = base[:LONGEST_BASE] + registry.entropy.suffix()
    for field in ("resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        meta.pop(field, None)
    meta["uid"] = registry.entropy.uid()
    meta["creationTimestamp"] = registry.now()
    if kind.generation:
        meta["generation"] = 1
    if kind.status and kind.kind != "Node":  # a node registers with its status
        obj.pop("status", None)
    kind.default(obj)
    own(registry, kind, None, obj, options, "")  # before the server adds its own: that is nobody's
    kind.prepare(obj)
    named = Target(kind, target.namespace, called)
    with admitted(registry, named, obj, None, options):
        refuse(kind, meta.get("name", ""), [*validate_meta(kind, obj), *kind.validate(obj), *kind.validate_create(obj)])
    warn(kind, obj, None, options)
    return obj


def changed(
    registry: Registry, target: Target, new: Obj, old: Obj, options: WriteOptions, *, owned: bool = False
) -> Obj:
    """A decoded new state made ready to replace `old`, in place. Raises Invalid. `owned`: managedFields are done."""
    kind = target.kind
    keep_server_fields(kind, new, old, target.subresource)
    kind.default(new)
    if not owned:
        own(registry, kind, old, new, options, target.subresource)
    if not target.subresource:
        kind.prepare_update(new, old)
    with admitted(registry, target, new, old, options):
        errors = [*validate_meta(kind, new), *validate_meta_update(new, old), *_wrong(target, new, old)]
        refuse(kind, target.name, errors)
    if kind.generation and target.subresource != "status" and desired(kind, new) != desired(kind, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    if not target.subresource:
        warn(kind, new, old, options)
    return new


def warn(kind: Kind, new: Obj, old: Obj | None, options: WriteOptions) -> None:
    """Say what is most likely a mistake; not to the actors of this process, who would not read it."""
    if options.user is not SYSTEM:
        options.warnings.extend(kind.warn(new, old))


@contextmanager
def admitted(registry: Registry, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> Iterator[None]:
    """Ask admission; what it reserved is given back where it, or what follows, refuses the write."""
    try:
        for step in registry.admission:
            step.admit(target, obj, old, options)
        yield
    except ApiError:
        for step in registry.admission:
            step.settled(target, obj, old, stored=False)
        raise


def _wrong(target: Target, new: Obj, old: Obj) -> Iterator[FieldError]:
    """What the kind has against a change, by what may change at this subresource."""
    kind = target.kind
    if target.subresource == "status":
        yield from kind.validate_status(new, old)
    elif target.subresource:
        yield from kind.parts[target.subresource].validate(new, old)
    else:
        yield from kind.validate(new)
        yield from kind.validate_update(new, old)


def keep_server_fields(kind: Kind, new: Obj, old: Obj, subresource: str) -> None:
    """What this write may not change comes from the stored object."""
    meta, before = new["metadata"], old["metadata"]
    for field in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    meta["uid"] = meta.get("uid") or before["uid"]
    meta.setdefault("name", before["name"])
    meta["resourceVersion"] = before["resourceVersion"]
    if subresource == "status":
        kept = {key: value for key, value in old.items() if key not in ("metadata", "status")}
        for key in [key for key in new if key not in ("metadata", "status")]:
            del new[key]
        new.update(kept)
        for field in kind.status_keeps:
            if field in before:
                meta[field] = before[field]
            else:
                meta.pop(field, None)
    elif subresource:
        kind.parts[subresource].take(new, old)
    elif kind.status:
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)


def desired(kind: Kind, obj: Obj) -> Obj:
    """The part of an object whose changes `generation` counts."""
    out = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    if kind.generation_metadata:
        out["metadata"] = [obj["metadata"].get(field) for field in kind.generation_metadata]
    return out


def drop_twins(meta: Obj, options: WriteOptions) -> None:
    """Say an owner once that was said several times, and warn of it."""
    kept: list[Obj] = []
    twins: list[str] = []
    for owner in meta["ownerReferences"]:
        if owner in kept:
            twins.append(str(owner.get("uid", "")))
        else:
            kept.append(owner)
    if twins:
        meta["ownerReferences"] = kept
        options.warnings.append(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and "
            "may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
            + ", ".join(dict.fromkeys(twins))
        )


def own(registry: Registry, kind: Kind, old: Obj | None, new: Obj, options: WriteOptions, subresource: str) -> None:
    """Note in managedFields who wrote what."""
    entries = update_managers(old, new, registry.writing(kind, options.manager, subresource))
    if entries:
        new["metadata"]["managedFields"] = entries
    else:
        new["metadata"].pop("managedFields", None)


def refuse(kind: Kind, name: str, errors: Iterable[FieldError]) -> None:
    """Raise Invalid with all the errors there are, worded as upstream does."""
    found = list(errors)
    if found:
        raise invalid_object(kind.group, kind.kind, name, found)


def bad_options(kind: str, errors: Sequence[FieldError]) -> Invalid:
    """The error for options of a call (`CreateOptions`, `DeleteOptions`) that contradict each other."""
    return invalid_object("meta.k8s.io", kind, "", errors)


def invalid_object(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> Invalid:
    texts = list(dict.fromkeys(str(error) for error in errors))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return Invalid(
        f'{f"{kind}.{group}" if group else kind} "{name}" is invalid: {said}',
        causes=[Cause(error.reason, error.message, error.path) for error in errors],
        name=name,
        group=group,
        kind=kind,
    )
