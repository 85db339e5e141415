"""Which containers run the image that was just built, and the same manifests with it, by digest. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wherry.deploy.errors import InputError
from wherry.deploy.folder import Manifest
from wherry.objects import Obj, copied

COMMON = re.compile(
    "alpine|apache|busybox|caddy|cassandra|debian|elasticsearch|etcd|golang|haproxy|httpd|influxdb|kafka|mariadb|memcached"
    "|minio|mongo|mysql|nats|nginx|node|postgres|postgresql|prometheus|python|rabbitmq|redis|traefik|ubuntu|valkey|vault"
)
"""Programs that apps use beside their own image: never taken for what a folder's Dockerfile builds."""

_TEMPLATE = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")


def pod_spec(obj: Obj) -> Obj | None:
    """The pod spec in a workload; None in anything else."""
    path = _TEMPLATE.get(obj["kind"], ("spec", "template", "spec") if obj["kind"] in _WORKLOADS else ())
    if not path:
        return None
    found = obj
    for part in path:
        inner = found.get(part)
        if not isinstance(inner, dict):
            return None
        found = inner
    return found


def containers(obj: Obj) -> Iterator[Obj]:
    """All containers of a workload, those for initialization too."""
    spec = pod_spec(obj) or {}
    for key in ("initContainers", "containers"):
        listed = spec.get(key)
        yield from (each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()


def image_names(manifests: Sequence[Manifest]) -> list[str]:
    """The images that the manifests name, each once, in their order."""
    names = (str(each.get("image") or "") for one in manifests for each in containers(one.object))
    return list(dict.fromkeys(name for name in names if name))


def own_image(manifests: Sequence[Manifest], app: str, configured: str = "") -> str:
    """The image, as the manifests write it, that the folder's Dockerfile builds. InputError where that is not clear.

    The one that is configured; else the one named like the app; else the only one that is no common program.
    """
    names = image_names(manifests)
    if configured:
        same = [name for name in names if repository(name) == repository(configured)]
        if not same:
            raise InputError(f"image = {configured!r} is built here, and no manifest has it: {_listed(names)}")
        return same[0]
    like = [name for name in names if last_part(name) == app]
    if len({repository(name) for name in like}) == 1:
        return like[0]
    rest = [name for name in names if not COMMON.fullmatch(last_part(name))]
    if len({repository(name) for name in rest}) == 1:
        return rest[0]
    raise InputError(
        f"which of the manifests' images does the Dockerfile build? {_listed(names)}",
        f'say it in wherry.toml: image = "{(rest or names or ["registry/app"])[0]}"',
    )


def swapped(manifests: Sequence[Manifest], name: str, pinned: str) -> list[Manifest]:
    """The manifests with `pinned` (NAME@DIGEST) wherever they name the image `name`, whatever the tag."""
    return [_swap(each, repository(name), pinned) for each in manifests]


def _swap(manifest: Manifest, wanted: str, pinned: str) -> Manifest:
    if not any(repository(str(each.get("image") or "")) == wanted for each in containers(manifest.object)):
        return manifest
    obj: Obj = copied(manifest.object)
    for each in containers(obj):
        if repository(str(each.get("image") or "")) == wanted:
            each["image"] = pinned
    return replace(manifest, object=obj)


def repository(image: str) -> str:
    """The name without tag and digest."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def last_part(image: str) -> str:
    return repository(image).rpartition("/")[2]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "they name no image at all"
