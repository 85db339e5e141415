"""`wherry.toml`, or `[tool.wherry]` in pyproject.toml: what the person who deploys wants to be different. Pure.

Everything has a default or is detected, so that most folders need no such file. Unknown keys are errors.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.deploy.errors import InputError
from wherry.objects import quantities
from wherry.objects.names import dns1035_label, env_name

SERVICE_TYPES = ("LoadBalancer", "ClusterIP", "NodePort")


@dataclass(frozen=True, kw_only=True)
class Build:
    """How the image is built, where the Dockerfile alone does not say it."""

    dockerfile: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Project:
    """The wishes for one app. Empty means: detect it, or leave it out."""

    name: str = ""
    image: str = ""  # the name of the image that is built, or of one to use where nothing is built
    port: int = 0
    replicas: int | None = None
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health: str = ""  # the path that a ready replica answers
    writable: bool | None = None  # whether a replica gets a copy of the app's folder that it may write into
    prepare: tuple[str, ...] | None = None  # commands in that copy, before the app starts
    cpu: str = ""
    memory: str = ""
    service_type: str = "LoadBalancer"
    service_port: int = 80
    registry: str = ""
    build: Build = Build()
    manifests: str = ""  # where the folder's manifests are
    context: str = ""
    namespace: str = ""


Schema = Mapping[str, Any]
"""Key -> what its value must be: a type, a tuple of texts, or a Schema of a table."""

_APP: Schema = {
    "name": str,
    "image": str,
    "port": int,
    "replicas": int,
    "command": list,
    "env": {"*": (str, int, float, bool)},
    "health": {"path": str},
    "writable": bool,
    "prepare": list,
    "resources": {"cpu": str, "memory": str},
    "service": {"type": str, "port": int},
    "registry": str,
    "build": {"dockerfile": str, "target": str, "args": {"*": str}},
    "manifests": str,
}
_SCHEMA: Schema = {
    "version": int,
    **_APP,
    "profiles": {"*": {**_APP, "context": str, "namespace": str}},
}
_TYPES = {str: "a text", int: "a whole number", list: "a list of texts", bool: "true or false"}


def parse(text: str, source: str, *, profile: str = "", table: str = "") -> Project:
    """The project in `text`; `table` is where it stands in the file (`tool.wherry`). Raises InputError."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: this is no TOML: {error}") from None
    for part in table.split(".") if table else ():
        document = document.get(part) or {}
    for path, problem in _problems(document, _SCHEMA, ""):
        raise InputError(f"{source}:{_line(text, path)}: {problem}")
    if document.get("version", 1) != 1:
        raise InputError(f"{source}: version {document['version']} is not known; this wherry reads version 1")
    profiles = document.pop("profiles", {})
    if profile:
        if profile not in profiles:
            known = f"there are: {', '.join(sorted(profiles))}" if profiles else "it has no [profiles.NAME] at all"
            raise InputError(f'{source}: there is no profile "{profile}"; {known}')
        document = _overlaid(document, profiles[profile])
    project = _project(document)
    for path, problem in _value_problems(project):
        raise InputError(f"{source}:{_line(text, path)}: {problem}")
    return project


def has_table(pyproject: str) -> bool:
    """Whether a pyproject.toml speaks of wherry. A broken one is another tool's to complain about."""
    try:
        return "wherry" in (tomllib.loads(pyproject).get("tool") or {})
    except tomllib.TOMLDecodeError:
        return False


def _project(document: Mapping[str, Any]) -> Project:
    service, resources = document.get("service", {}), document.get("resources", {})
    plain = {key: document[key] for key in _APP if key in document and isinstance(document[key], str | int)}
    return Project(
        **plain,
        command=tuple(document.get("command", ())),
        env={key: _text(value) for key, value in document.get("env", {}).items()},
        prepare=tuple(document["prepare"]) if "prepare" in document else None,
        health=document.get("health", {}).get("path", ""),
        cpu=resources.get("cpu", ""),
        memory=resources.get("memory", ""),
        service_type=service.get("type", Project.service_type),
        service_port=service.get("port", Project.service_port),
        build=Build(**document.get("build", {})),
        context=document.get("context", ""),
        namespace=document.get("namespace", ""),
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged, all else is replaced."""
    out = dict(base)
    for key, value in over.items():
        out[key] = _overlaid(out.get(key) or {}, value) if isinstance(value, dict) else value
    return out


def _problems(table: Mapping[str, Any], schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Keys that are not known and values of the wrong type, by their path."""
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        if key.startswith("x-"):
            continue
        wanted = schema.get(key, schema.get("*"))
        if wanted is None:
            near = difflib.get_close_matches(key, schema, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(schema)}"
            yield here, f'unknown key "{here}": {hint}'
        elif isinstance(wanted, Mapping):
            if isinstance(value, dict):
                yield from _problems(value, wanted, here)
            else:
                yield here, f'"{here}" must be a table, as in [{here}]'
        elif not _fits(value, wanted):
            yield here, f'"{here}" must be {_TYPES.get(wanted, "a text or a number")}, not {value!r}'


def _fits(value: Any, wanted: Any) -> bool:
    if wanted is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if isinstance(value, bool):
        return wanted is bool or isinstance(wanted, tuple)
    return isinstance(value, wanted)


def _value_problems(project: Project) -> Iterator[tuple[str, str]]:
    if project.name and (why := dns1035_label(project.name)):
        yield "name", f'name "{project.name}": {why}'
    for key in project.env:
        if why := env_name(key):
            yield f"env.{key}", f'env "{key}": {why}'
    for key, port in (("port", project.port or 1), ("service.port", project.service_port)):
        if not 1 <= port <= 65535:
            yield key, f"{key} {port} is not from 1 to 65535"
    if project.replicas is not None and project.replicas < 0:
        yield "replicas", f"replicas {project.replicas} is less than 0"
    if project.health and not project.health.startswith("/"):
        yield "health.path", f'health.path "{project.health}" must begin with /'
    if project.service_type not in SERVICE_TYPES:
        yield "service.type", f'service.type "{project.service_type}" is none of {", ".join(SERVICE_TYPES)}'
    for key, amount in (("resources.cpu", project.cpu), ("resources.memory", project.memory)):
        if amount and not quantities.is_quantity(amount):
            yield key, f'{key} "{amount}" is no quantity, as 250m or 256Mi'


def _line(text: str, path: str) -> int:
    """The line of the file that names the last part of `path`: good enough to go there."""
    key = re.escape(path.rpartition(".")[2])
    pattern = re.compile(rf'^\s*(?:["\']?{key}["\']?\s*(?:=|\.)|\[.*\b{key}\b.*\])|[{{,]\s*{key}\s*=')
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.search(line):
            return number
    return 1
