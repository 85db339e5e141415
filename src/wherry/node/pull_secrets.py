"""Credentials for an image out of a pod's imagePullSecrets, and what an image's name means. Pure."""

import base64
import binascii
import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from wherry.node.runtime import PullAuth
from wherry.objects import Obj

_DOCKER_HUB = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


def with_tag(image: str) -> str:
    """The image with the tag that an untagged one means; ValueError, in upstream's words, if it is no reference."""
    match = _REFERENCE.fullmatch(image)
    if match is None:
        why = "invalid reference format"
        if image.lower() != image and _REFERENCE.fullmatch(image.lower()):
            why = "invalid reference format: repository name must be lowercase"
        raise ValueError(f'couldn\'t parse image name "{image}": {why}')
    return image if match["tag"] or match["digest"] else f"{image}:latest"


def repository(image: str) -> str:
    """Registry and path, as credentials are matched: `docker.io/library/nginx`."""
    match = _REFERENCE.fullmatch(image)
    name = match["name"] if match else image
    first, slash, _ = name.partition("/")
    if not slash:
        return f"{_DOCKER_HUB}/library/{name}"
    if "." not in first and ":" not in first and first != "localhost" and not first.startswith("["):
        return f"{_DOCKER_HUB}/{name}"
    return name


def credentials(image: str, secrets: Sequence[Obj]) -> list[PullAuth]:
    """Those that fit the image's registry and path, the most specific first."""
    wanted = repository(image)
    found = [
        (len(_location(registry)), auth)
        for secret in secrets
        for registry, auth in _entries(secret)
        if _fits(_location(registry), wanted)
    ]
    return [auth for _, auth in sorted(found, key=lambda one: -one[0])]


def _location(registry: str) -> str:
    """`https://index.docker.io/v1/` means Docker Hub; a scheme and an API version are no part of a path."""
    location = registry.partition("://")[2] or registry
    location = location.rstrip("/").removesuffix("/v1").removesuffix("/v2")
    return _DOCKER_HUB if location in ("index.docker.io", "registry-1.docker.io") else location


def _fits(location: str, wanted: str) -> bool:
    host, _, path = location.partition("/")
    wanted_host, _, wanted_path = wanted.partition("/")
    name, _, port = host.partition(":")
    wanted_name, _, wanted_port = wanted_host.partition(":")
    parts, wanted_parts = name.split("."), wanted_name.split(".")
    if port != wanted_port or len(parts) != len(wanted_parts):
        return False
    hosts = zip(parts, wanted_parts, strict=True)
    return all(fnmatch.fnmatchcase(have, part) for part, have in hosts) and wanted_path.startswith(path)


def _entries(secret: Obj) -> Iterator[tuple[str, PullAuth]]:
    data = secret.get("data") or {}
    try:
        if ".dockerconfigjson" in data:
            auths = json.loads(base64.b64decode(data[".dockerconfigjson"])).get("auths") or {}
        elif ".dockercfg" in data:
            auths = json.loads(base64.b64decode(data[".dockercfg"]))
        else:
            return
    except (ValueError, AttributeError):
        return  # not a docker config: as if it were not there
    for registry, entry in auths.items():
        if isinstance(entry, dict):
            yield registry, _auth(entry)


def _auth(entry: Mapping[str, str]) -> PullAuth:
    username, password = entry.get("username", ""), entry.get("password", "")
    if entry.get("auth"):
        try:
            username, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            username = password = ""
    return PullAuth(username=username, password=password, token=entry.get("identitytoken", ""))
