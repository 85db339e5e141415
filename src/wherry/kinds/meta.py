"""What holds of the metadata of every kind."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.kind import Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import forbidden, invalid, required, too_long

_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
_STANDARD_FINALIZERS = ("kubernetes", _ORPHAN, _FOREGROUND)
_MANAGER_LIMIT = 128
_SUBRESOURCE_LIMIT = 256
_KEPT = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def validate_meta(kind: Kind, obj: Obj) -> Errors:
    """Every error of an object's metadata. The name has been generated before, where it is to be."""
    meta = obj.get("metadata") or {}
    yield from _names(kind, meta)
    yield from checks.nonnegative("metadata.generation", meta.get("generation"))
    yield from checks.labels("metadata.labels", meta.get("labels"))
    yield from checks.annotations("metadata.annotations", meta.get("annotations"))
    yield from _owners(meta)
    yield from _finalizers(meta)
    if not kind.extra:  # custom objects may have any
        yield from _qualified_finalizers(meta)
    yield from _managed_fields(meta)


def validate_meta_update(new: Obj, old: Obj) -> Errors:
    """What an update must leave alone."""
    after, before = new.get("metadata") or {}, old.get("metadata") or {}
    if before.get("deletionTimestamp"):
        added = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            shown = ", ".join(f'"{one}"' for one in added)
            message = "no new finalizers can be added if the object is being deleted, found new finalizers []string"
            yield forbidden("metadata.finalizers", f"{message}{{{shown}}}")
    if not after.get("resourceVersion"):
        yield invalid("metadata.resourceVersion", "", "must be specified for an update")
    if (after.get("generation") or 0) < (before.get("generation") or 0):
        yield invalid("metadata.generation", after.get("generation") or 0, "must not be decremented")
    for field in _KEPT:
        yield from checks.immutable(f"metadata.{field}", after.get(field), before.get(field))


def _names(kind: Kind, meta: Obj) -> Errors:
    check = kind.validate_name or names.dns1123_subdomain
    prefix, name, namespace = meta.get("generateName"), meta.get("name"), meta.get("namespace")
    if prefix:
        wrong = check(prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix)
        if wrong:
            yield invalid("metadata.generateName", prefix, wrong)
    if name:
        yield from checks.named("metadata.name", name, check)
    else:
        yield required("metadata.name", "name or generateName is required")
    if kind.namespaced:
        yield from checks.required_name("metadata.namespace", namespace, names.dns1123_label)
    elif namespace:
        yield forbidden("metadata.namespace", "not allowed on this type")


def _owners(meta: Obj) -> Errors:
    path, controller = "metadata.ownerReferences", ""
    references = meta.get("ownerReferences") or ()
    for index, owner in enumerate(references):
        if owner in references[:index]:
            continue  # said twice, meant once
        if not owner.get("apiVersion", "").rpartition("/")[2]:
            yield invalid(f"{path}.apiVersion", owner.get("apiVersion", ""), "version must not be empty")
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                yield invalid(f"{path}.{field}", "", "must not be empty")
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            yield invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                message = 'Only one reference can have Controller set to true. Found "true" in references for'
                yield invalid(path, references, f"{message} {controller} and {this}")
            controller = controller or this


def _finalizers(meta: Obj) -> Errors:
    path, finalizers = "metadata.finalizers", meta.get("finalizers") or []
    for finalizer in finalizers:
        yield from checks.named(path, finalizer, names.qualified_name)
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        yield invalid(path, finalizers, f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set")


def _qualified_finalizers(meta: Obj) -> Errors:
    for index, finalizer in enumerate(meta.get("finalizers") or ()):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            message = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"metadata.finalizers[{index}]", finalizer, message)


def _managed_fields(meta: Obj) -> Errors:
    for index, entry in enumerate(meta.get("managedFields") or ()):
        path = f"metadata.managedFields[{index}]"
        if entry.get("operation") not in ("Apply", "Update"):
            yield invalid(f"{path}.operation", entry.get("operation", ""), "must be `Apply` or `Update`")
        if entry.get("fieldsType", "FieldsV1") not in ("", "FieldsV1"):
            yield invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`")
        if len(entry.get("manager", "").encode()) > _MANAGER_LIMIT:
            yield too_long(f"{path}.manager", _MANAGER_LIMIT)
        if len(entry.get("subresource", "").encode()) > _SUBRESOURCE_LIMIT:
            yield too_long(f"{path}.subresource", _SUBRESOURCE_LIMIT)
