"""Bring an app's objects into a cluster by server-side apply, in the right order; remove what it no longer has.

Everything is tried first (dry run, strict validation), so that a mistake anywhere changes nothing.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wherry.client.http import HttpClient
from wherry.deploy import inventory
from wherry.deploy.errors import DeployError, InputError
from wherry.deploy.folder import Manifest
from wherry.deploy.images import pod_spec
from wherry.deploy.inventory import MANAGER
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.errors import ApiError, Conflict, NotFound

ORDER = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
)
"""What others need comes first; kinds that are not listed, workloads among them, come after these."""

LAST = ("HorizontalPodAutoscaler", "Ingress", "HTTPRoute")
_UNKNOWN_FIELD = re.compile(r'(unknown|duplicate) field "([^"]+)"')
_UNDECLARED = re.compile(r"(\.\S+): field not declared in schema")
_CONFLICT = re.compile(r'conflict with "([^"]+)"')


@dataclass(frozen=True)
class Applied:
    """One object and what became of it: created, configured, unchanged or pruned."""

    ref: Ref
    done: str
    object: Obj


def ordered(manifests: Iterable[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda each: rank(each.object["kind"]))


def rank(kind: str) -> int:
    if kind in LAST:
        return len(ORDER) + 1 + LAST.index(kind)
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


async def settled(
    client: HttpClient, manifests: Sequence[Manifest], app: str, default: str, asked: str = ""
) -> list[Manifest]:
    """The manifests with namespaces and the app's label filled in, in order. Raises InputError for unknown kinds.

    Objects without a namespace go to `default`; one of another namespace than the one `asked` for is a mistake.
    """
    out = []
    for each in ordered(manifests):
        obj = each.object
        try:
            namespaced = (await client.resource_of(obj)).namespaced
        except NotFound:
            definition = next((one.object for one in manifests if _defines(one.object, obj)), None)
            if definition is None:
                raise InputError(
                    f"{each.place}: the cluster has no kind {obj['kind']} in {obj['apiVersion']}"
                ) from None
            namespaced = definition["spec"].get("scope") == "Namespaced"
        given = obj["metadata"].get("namespace")
        if namespaced and asked and given and given != asked:
            place = each.place_of("metadata.namespace")
            raise InputError(f"{place}: {obj['kind']} is of namespace {given}, and {asked} was asked for")
        meta = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
        if namespaced:
            meta["namespace"] = given or default
        out.append(replace(each, object=inventory.labelled({**obj, "metadata": meta}, app)))
    return out


def _defines(definition: Obj, obj: Obj) -> bool:
    """Whether a CustomResourceDefinition among the manifests is of this object's kind."""
    if definition["kind"] != "CustomResourceDefinition":
        return False
    spec = definition.get("spec") or {}
    return bool(
        spec.get("group") == obj["apiVersion"].partition("/")[0]
        and (spec.get("names") or {}).get("kind") == obj["kind"]
    )


async def existing(client: HttpClient, manifests: Sequence[Manifest], app: str) -> dict[Ref, Obj]:
    """Those of the objects that are there already. Raises DeployError where another app of ours has one of them."""
    found = await asyncio.gather(*(get(client, ref_of(each.object)) for each in manifests))
    out = {ref_of(obj): obj for obj in found if obj is not None}
    for ref, obj in out.items():
        other = (obj["metadata"].get("labels") or {}).get(inventory.APP_LABEL)
        if other and other != app:
            raise DeployError(
                f"{ref} belongs to the app {other}",
                f"give this one another name or namespace, or take the other down: wherry down {other}",
            )
    return out


async def get(client: HttpClient, ref: Ref) -> Obj | None:
    try:
        return await client.get(*ref)
    except NotFound:
        return None


async def check(client: HttpClient, manifests: Sequence[Manifest], *, force: bool) -> None:
    """Try all objects without changing anything. Raises InputError with every mistake that was found."""
    made = {each.object["metadata"]["name"] for each in manifests if each.object["kind"] == "Namespace"}
    tried = [
        each
        for each in manifests
        if each.object["metadata"].get("namespace") not in made
        and not any(_defines(one.object, each.object) for one in manifests)
    ]
    results = await asyncio.gather(
        *(_apply(client, each, force=force, dry_run=True) for each in tried), return_exceptions=True
    )
    mistakes: list[str] = []
    for each, result in zip(tried, results, strict=True):
        if isinstance(result, Conflict):
            raise _conflict(each, result)
        if isinstance(result, ApiError) and (result.code < 500 or _UNDECLARED.search(result.message)):
            mistakes += explained(each, result)
        elif isinstance(result, BaseException):
            raise result
    if mistakes:
        raise InputError(mistakes[0], *mistakes[1:])


async def bring(
    client: HttpClient, manifests: Sequence[Manifest], before: Mapping[Ref, Obj], *, force: bool
) -> list[Applied]:
    """Apply them, rank by rank. Raises DeployError."""
    out: list[Applied] = []
    for each_rank in sorted({rank(each.object["kind"]) for each in manifests}):
        batch = [each for each in manifests if rank(each.object["kind"]) == each_rank]
        out += await asyncio.gather(*(_bring_one(client, each, before, force=force) for each in batch))
    return out


async def _bring_one(client: HttpClient, manifest: Manifest, before: Mapping[Ref, Obj], *, force: bool) -> Applied:
    ref = ref_of(manifest.object)
    try:
        obj = await _apply(client, manifest, force=force)
    except Conflict as error:
        raise _conflict(manifest, error) from None
    except ApiError as error:
        first, *rest = explained(manifest, error)
        raise DeployError(first, *rest) from None
    old = before.get(ref)
    return Applied(ref, "created" if old is None else "unchanged" if _same(old, obj) else "configured", obj)


def _same(old: Obj, new: Obj) -> bool:
    """But for who owns which field, and for what controllers write."""

    def wish(obj: Obj) -> Obj:
        meta = {key: value for key, value in obj["metadata"].items() if key not in ("managedFields", "resourceVersion")}
        return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": meta}

    return wish(old) == wish(new)


async def _apply(client: HttpClient, manifest: Manifest, *, force: bool, dry_run: bool = False) -> Obj:
    """What wherry itself has written by other ways (`scale`) is no conflict."""
    obj = manifest.object
    try:
        return await client.apply(obj, manager=MANAGER, force=force, dry_run=dry_run, validation="Strict")
    except Conflict as error:
        managers = {manager for manager, _ in conflicts(error)}
        if not managers or managers != {MANAGER}:
            raise
    return await client.apply(obj, manager=MANAGER, force=True, dry_run=dry_run, validation="Strict")


def conflicts(error: ApiError) -> list[tuple[str, str]]:
    """(manager, field) of each conflict that a server-side apply has met."""
    found = [(_CONFLICT.search(cause.message), cause.field) for cause in error.causes]
    return [(match[1], field) for match, field in found if match]


def _conflict(manifest: Manifest, error: Conflict) -> ApiError:
    obj = manifest.object
    fields = [f"{field.lstrip('.')} (set by {manager})" for manager, field in conflicts(error)]
    name = f"{obj['kind']} {obj['metadata']['name']}"
    if not fields:
        return Conflict(f"{manifest.place}: {name}: {error}")
    return Conflict(
        f"{manifest.place}: {name}: others manage fields that the manifest sets: {', '.join(fields)}; "
        "take them over with --force-conflicts, or leave them out of the manifest"
    )


def explained(manifest: Manifest, error: ApiError) -> list[str]:
    """What the server says of an object, each mistake at its line."""
    name = f"{manifest.object['kind']} {manifest.object['metadata']['name']}"
    unknown = _UNKNOWN_FIELD.findall(error.message) or [
        ("unknown", path) for path in _UNDECLARED.findall(error.message)
    ]
    if unknown:
        fields = [(what, path.lstrip(".")) for what, path in unknown]
        return [f"{manifest.place_of(path)}: {name}: {what} field {path}" for what, path in fields]
    if error.code == 422 and error.causes:
        return [f"{manifest.place_of(cause.field)}: {name}: {cause.field}: {cause.message}" for cause in error.causes]
    return [f"{manifest.place}: {name}: {error.message}"]


async def prune(client: HttpClient, app: str, namespace: str, keep: Sequence[Ref]) -> list[Ref]:
    """Remove what earlier runs made and this one does not have, and list what there is now."""
    before = await inventory.read(client, app, namespace)
    surplus = [ref for ref in inventory.refs(before) if ref not in set(keep)]
    used = await _used_configs(client, {ref.namespace for ref in surplus})
    removed, left = [], []
    for ref in sorted(surplus, key=lambda one: -rank(one.kind.partition(".")[0])):
        if ref in used:
            left.append(ref)  # an older revision needs it, should it be rolled back
        elif await remove(client, ref, app):
            removed.append(ref)
    await inventory.write(client, app, namespace, [*keep, *left], before)
    return removed


async def _used_configs(client: HttpClient, namespaces: Iterable[str]) -> set[Ref]:
    """The ConfigMaps and Secrets in the templates of revisions that are kept."""
    out: set[Ref] = set()
    for namespace in namespaces:
        if namespace:
            for replicaset in (await client.list("ReplicaSet.apps", namespace)).items:
                out |= {Ref(kind, namespace, name) for kind, name in configs(pod_spec(replicaset) or {})}
    return out


def configs(spec: Obj) -> set[tuple[str, str]]:
    """(kind, name) of the ConfigMaps and Secrets that a pod takes its environment and volumes from."""
    out: set[tuple[str, str]] = set()
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            out |= {("ConfigMap", (source.get("configMapRef") or {}).get("name", ""))}
            out |= {("Secret", (source.get("secretRef") or {}).get("name", ""))}
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            out |= {("ConfigMap", (source.get("configMapKeyRef") or {}).get("name", ""))}
            out |= {("Secret", (source.get("secretKeyRef") or {}).get("name", ""))}
    for volume in spec.get("volumes") or ():
        out |= {("ConfigMap", (volume.get("configMap") or {}).get("name", ""))}
        out |= {("Secret", (volume.get("secret") or {}).get("secretName", ""))}
    return {(kind, name) for kind, name in out if name}


async def remove(client: HttpClient, ref: Ref, app: str) -> bool:
    """Delete an object if it still belongs to the app; what somebody has taken over stays."""
    try:
        obj = await client.get(*ref)
        if not inventory.belongs(obj, app):
            return False
        await client.delete(*ref, uid=obj["metadata"]["uid"], propagation="Foreground")
    except (NotFound, Conflict):
        return False
    return True
