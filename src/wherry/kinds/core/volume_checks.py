"""What holds of a pod's volumes. Kinds of volumes that only other machines have are checked for their names alone."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import source_checks
from wherry.kinds.defaults import items
from wherry.objects import Obj, names, quantities
from wherry.objects.field_errors import duplicate, forbidden, invalid, required

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_TOKEN_SECONDS = (600, 2**32)


def volumes(path: str, spec: Obj) -> Errors:
    seen: set[str] = set()
    for index, volume in enumerate(items(spec, "volumes")):
        at, name = f"{path}[{index}]", volume.get("name", "")
        wrong = [*_source(at, volume), *checks.required_name(f"{at}.name", name, names.dns1123_label)]
        if name in seen:
            wrong.append(duplicate(f"{at}.name", name))
        yield from wrong
        if not wrong:
            seen.add(name)


def _source(path: str, volume: Obj) -> Errors:
    """Exactly one source."""
    present = [key for key, value in volume.items() if key != "name" and value is not None]
    if not present:
        yield required(path, "must specify a volume type")
        return
    yield from source_checks.only_one(path, present)
    kind = present[0]
    source, at = volume[kind], f"{path}.{kind}"
    match kind:
        case "emptyDir":
            limit = source.get("sizeLimit")
            if limit is not None and quantities.parse(limit).nano < 0:
                yield forbidden(f"{at}.sizeLimit", "SizeLimit field must be a valid resource quantity")
        case "hostPath":
            yield from _host_path(at, source)
        case "secret" | "configMap":
            name = "secretName" if kind == "secret" else "name"
            if not source.get(name):
                yield required(f"{at}.{name}")
            yield from checks.file_mode(f"{at}.defaultMode", source.get("defaultMode"))
            yield from source_checks.key_files(at, source)
        case "downwardAPI":
            yield from checks.file_mode(f"{at}.defaultMode", source.get("defaultMode"))
            for file in items(source, "items"):
                yield from source_checks.downward_file(at, file)
        case "projected":
            yield from _projected(at, source)
        case "persistentVolumeClaim":
            if not source.get("claimName"):
                yield required(f"{at}.claimName")
        case "nfs":
            yield from _nfs(at, source)


def _host_path(path: str, source: Obj) -> Errors:
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from source_checks.no_steps_back(f"{path}.path", source["path"])
    yield from checks.supported(f"{path}.type", source.get("type") or "", _HOST_PATH_TYPES)


def _nfs(path: str, source: Obj) -> Errors:
    for field in ("server", "path"):
        if not source.get(field):
            yield required(f"{path}.{field}")
    if not (source.get("path") or "").startswith("/"):
        yield invalid(f"{path}.path", source.get("path") or "", "must be an absolute path")


def _projected(path: str, volume: Obj) -> Errors:
    yield from checks.file_mode(f"{path}.defaultMode", volume.get("defaultMode"))
    seen: set[str] = set()
    for index, source in enumerate(items(volume, "sources")):
        at = f"{path}.sources[{index}]"
        for kind in ("secret", "configMap"):
            if source.get(kind) is not None:
                if not source[kind].get("name"):
                    yield required(f"{at}.{kind}.name")
                yield from source_checks.key_files(f"{at}.{kind}", source[kind])
                yield from _conflicts(path, source[kind], source[kind].get("name", ""), seen)
        if source.get("downwardAPI") is not None:
            for file in items(source["downwardAPI"], "items"):
                yield from source_checks.downward_file(f"{at}.downwardAPI", file)
            yield from _conflicts(path, source["downwardAPI"], "", seen)
        if source.get("serviceAccountToken") is not None:
            yield from _token(path, f"{at}.serviceAccountToken", source["serviceAccountToken"])
        if sum(value is not None for value in source.values()) > 1:
            yield forbidden(at, "may not specify more than 1 volume type per source")


def _conflicts(path: str, source: Obj, name: str, seen: set[str]) -> Errors:
    """Two files of the same path; upstream names the source, or else the path."""
    for item in items(source, "items"):
        where = item.get("path")
        if where and where in seen:
            yield invalid(path, name or where, "conflicting duplicate paths")
        if where:
            seen.add(where)


def _token(path: str, at: str, token: Obj) -> Errors:
    seconds = token.get("expirationSeconds") or 0
    shortest, longest = _TOKEN_SECONDS
    if seconds < shortest:
        yield invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > longest:
        yield invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if token.get("path"):
        yield from source_checks.local_path(f"{path}.path", token["path"])
    else:
        yield required(f"{path}.path")
