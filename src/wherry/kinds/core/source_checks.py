"""What holds of where a container's environment and files come from: fields, resources, ConfigMaps, Secrets."""

import re
from collections.abc import Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.defaults import items
from wherry.objects import Obj, names, quantities
from wherry.objects.field_errors import forbidden, invalid, required

_METADATA_FIELDS = ("metadata.name", "metadata.namespace", "metadata.uid")
_VARIABLE_FIELDS = (
    *_METADATA_FIELDS,
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_FILE_FIELDS = ("metadata.annotations", "metadata.labels", *_METADATA_FIELDS)
_RESOURCES = tuple(
    f"{part}.{name}" for part in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_SUBSCRIPT = re.compile(r"(metadata\.(?:annotations|labels))\['(.*)'\]")
_MEMORY_DIVISORS = frozenset(["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"])
_COUNTED = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
_VARIABLE_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")


def variable(path: str, given: Obj) -> Errors:
    """`valueFrom` of an environment variable."""
    source = given["valueFrom"]
    present = [name for name in _VARIABLE_SOURCES if source.get(name) is not None]
    for name in present:
        at, ref = f"{path}.{name}", source[name]
        if name == "fieldRef":
            yield from _field(at, ref, _VARIABLE_FIELDS)
        elif name == "resourceFieldRef":
            yield from _resource(at, ref, in_volume=False)
        else:
            yield from checks.named(f"{at}.name", ref.get("name", ""), names.dns1123_subdomain)
            yield from checks.required_name(f"{at}.key", ref.get("key"), names.config_key)
    if not present:
        choice = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield invalid(path, "", f"must specify one of: {choice}")
    elif given.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(present) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def environment(path: str, index: int, source: Obj) -> Errors:
    """One item of `envFrom`."""
    at = f"{path}[{index}]"
    if source.get("prefix"):
        yield from checks.named(f"{at}.prefix", source["prefix"], names.env_name)
    present = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
    for name in present:
        yield from checks.required_name(f"{at}.{name}.name", source[name].get("name"), names.dns1123_subdomain)
    if not present:
        yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif len(present) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def downward_file(path: str, file: Obj) -> Errors:
    """A file that tells the pod of itself."""
    if not file.get("path"):
        yield required(f"{path}.path")
    yield from local_path(f"{path}.path", file.get("path", ""))
    if file.get("fieldRef") is not None:
        yield from _field(f"{path}.fieldRef", file["fieldRef"], _FILE_FIELDS)
        if file.get("resourceFieldRef") is not None:
            yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif file.get("resourceFieldRef") is not None:
        yield from _resource(f"{path}.resourceFieldRef", file["resourceFieldRef"], in_volume=True)
    else:
        yield required(path, "one of fieldRef and resourceFieldRef is required")
    yield from checks.file_mode(f"{path}.mode", file.get("mode"))


def key_files(path: str, source: Obj) -> Errors:
    """Which keys of a ConfigMap or Secret become which files."""
    for index, item in enumerate(items(source, "items")):
        at = f"{path}.items[{index}]"
        for field in ("key", "path"):
            if not item.get(field):
                yield required(f"{at}.{field}")
        yield from local_path(f"{at}.path", item.get("path", ""))
        yield from checks.file_mode(f"{at}.mode", item.get("mode"))


def relative_path(path: str, value: str) -> Errors:
    """A path that stays below where it starts."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    yield from no_steps_back(path, value)


def no_steps_back(path: str, value: str) -> Errors:
    if ".." in value.split("/"):
        yield invalid(path, value, "must not contain '..'")


def local_path(path: str, value: str) -> Errors:
    """A relative path whose first part is not one that the node keeps for itself."""
    yield from relative_path(path, value)
    if value.startswith("..") and not value.startswith("../"):
        yield invalid(path, value, "must not start with '..'")


def only_one(path: str, present: Sequence[str]) -> Errors:
    """One kind of source, of those that are given."""
    for name in present[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")


def _field(path: str, ref: Obj, allowed: Sequence[str]) -> Errors:
    if not ref.get("apiVersion"):
        yield required(f"{path}.apiVersion")
        return
    field = ref.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    if ref["apiVersion"] != "v1":
        message = f"error converting fieldPath: unsupported pod version: {ref['apiVersion']}"
        yield invalid(f"{path}.fieldPath", field, message)
        return
    subscript = _SUBSCRIPT.fullmatch(field)
    if subscript:
        key = subscript[2].lower() if subscript[1].endswith("annotations") else subscript[2]
        yield from checks.named(path, key, names.qualified_name)
    elif field not in (*_VARIABLE_FIELDS, *_FILE_FIELDS):
        message = f"error converting fieldPath: field label not supported: {field}"
        yield invalid(f"{path}.fieldPath", field, message)
    else:
        yield from checks.supported(f"{path}.fieldPath", field, allowed)


def _resource(path: str, ref: Obj, *, in_volume: bool) -> Errors:
    resource = ref.get("resource") or ""
    pages = resource.startswith(("limits.hugepages-", "requests.hugepages-"))
    if in_volume and not ref.get("containerName"):
        yield required(f"{path}.containerName")
    elif not resource:
        yield required(f"{path}.resource")
    elif not pages:
        yield from checks.supported(f"{path}.resource", resource, _RESOURCES)
    yield from _divisor(path, resource, ref)


def _divisor(path: str, resource: str, ref: Obj) -> Errors:
    divisor = quantities.parse(ref.get("divisor") or "0")
    if not divisor.nano:
        return
    part, _, name = resource.partition(".")
    if part not in ("limits", "requests"):
        return
    if name == "cpu":
        if str(divisor) not in ("1m", "1"):
            yield invalid(
                f"{path}.divisor", resource, "only divisor's values 1m and 1 are supported with the cpu resource"
            )
    elif name in _COUNTED or name.startswith("hugepages-"):
        if str(divisor) in _MEMORY_DIVISORS:
            return
        what = _COUNTED.get(name, "hugepages")
        values = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"
        message = f"only divisor's values {values} are supported with the {what} resource"
        yield invalid(f"{path}.divisor", resource, message)
