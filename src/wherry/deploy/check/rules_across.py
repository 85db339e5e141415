"""X01, X03, X04, X06, X07, X09, X10: what only Dockerfile, app and manifests together show."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.deploy.check.manifests import Manifest, Manifests, probes
from wherry.images.check.dockerfile import Dockerfile
from wherry.images.check.finding import Finding, Level
from wherry.images.check.folder import Folder
from wherry.images.check.rules_base import split
from wherry.images.check.rules_run import environment, started
from wherry.objects.quantities import parse

_PORT_DEFAULTS = {
    "flask": 5000,
    "gunicorn": 8000,
    "uvicorn": 8000,
    "hypercorn": 8000,
    "daphne": 8000,
    "streamlit": 8501,
}
_BIND = re.compile(r"(?:--bind|-b|--listen)[=\s]+\S*?:(\d{2,5})\b|(?:--port|-p|--server\.port)[=\s]+(\d{2,5})\b")
_RUN = re.compile(r"\.run\([^)]*\bport\s*=\s*(\d{2,5})")
_ROUTE = re.compile(r"""@\w+\.(?:route|get|post|put|delete|api_route|head)\(\s*["']([^"']+)["']""")
_DJANGO_PATH = re.compile(r"""\b(?:re_)?path\(\s*r?["']([^"']*)["']""")
_ENVIRONMENT = re.compile(r"""os\.environ\[\s*["']([A-Za-z_][A-Za-z0-9_]*)["']\s*\]""")
_READ = re.compile(r"""(?:environ(?:\.get\(|\[)|getenv\()\s*["']([A-Za-z_][A-Za-z0-9_]*)["']""")
_WRITES = re.compile(r"""open\(\s*["'](/(?!tmp/|dev/)[^"']*)["']\s*,\s*["'][wax]""")
_GRACE = re.compile(r"--graceful-timeout[=\s]+(\d+)")
_WORKERS = re.compile(r"(?:--workers|-w)[=\s]+(\d+)")
_MEGABYTES_PER_WORKER = 25  # what a small Flask worker holds; larger apps need more, so that this is a lower bound


@dataclass(frozen=True)
class App:
    """One folder: its Dockerfile, sources and manifests; `image` is what the manifests call it."""

    file: Dockerfile
    folder: Folder
    manifests: Manifests

    def places(self) -> Iterator[tuple[Manifest, Mapping[str, Any]]]:
        """The containers that run this app: of images that are no well-known server's, or the only ones there are."""
        every = list(self.manifests.containers())
        if len(every) == 1:
            yield from every
            return
        for one, container in every:
            name = split(str(container.get("image", "")))[0].rpartition("/")[2]
            if name not in (
                "postgres",
                "redis",
                "nginx",
                "mysql",
                "mariadb",
                "rabbitmq",
                "memcached",
                "mongo",
                "haproxy",
            ):
                yield one, container


def listens_at(app: App) -> int | None:
    """The port that the app binds: by its command, its source or its server's default. None where it cannot be told."""
    one = started(app.file)
    if one is None:
        return None
    words = " ".join(one.words)
    match = _BIND.search(words)
    if match:
        return int(match[1] or match[2])
    variables = environment(app.file)
    for name in ("PORT", "FLASK_RUN_PORT", "UVICORN_PORT"):
        if variables.get(name, "").isdigit():
            return int(variables[name])
    for word in one.words:
        source = app.folder.sources.get(word.removeprefix("./"), "")
        found = _RUN.search(source)
        if found:
            return int(found[1])
        if re.search(r"\.run\(", source) and "flask" in source.lower():
            return _PORT_DEFAULTS["flask"]
    return next((port for name, port in _PORT_DEFAULTS.items() if re.search(rf"\b{name}\b", words)), None)


def ports(app: App) -> Iterator[Finding]:
    """X01: manifests that ask at another port than the app binds."""
    bound = listens_at(app)
    if bound is None:
        return
    for one, container in app.places():
        named = [port.get("containerPort") for port in container.get("ports") or ()]
        if named and bound not in named:
            yield one.finding(
                "X01",
                Level.ERROR,
                f"container {container.get('name')} declares port {named[0]}, and the app listens at {bound}",
                cost="no request and no probe reaches it",
                fix=f"containerPort: {bound}, or let the app bind {named[0]}",
            )


def routes(app: App) -> set[str]:
    """The paths that the sources define, as far as they can be read without running them."""
    found: set[str] = set()
    for text in app.folder.sources.values():
        found |= set(_ROUTE.findall(text))
        found |= {f"/{path.lstrip('^').rstrip('$')}" for path in _DJANGO_PATH.findall(text)}
    return found


def probe_paths(app: App) -> Iterator[Finding]:
    """X02: a probe at a path that the app does not have."""
    known = routes(app)
    dynamic = any(re.search(r"[<{]", path) for path in known)
    blueprints = any(
        re.search(r"Blueprint\(|include_router|include\(|mount\(", text) for text in app.folder.sources.values()
    )
    if not known or dynamic or blueprints:
        return
    for one, container in app.places():
        for kind, probe in probes(container):
            path = (probe.get("httpGet") or {}).get("path", "/") if "httpGet" in probe else None
            if path is not None and path.partition("?")[0] not in known:
                yield one.finding(
                    "X02",
                    Level.ERROR,
                    f"{kind} asks {path}, and the app has only {', '.join(sorted(known)[:5])}",
                    cost="the probe gets a 404: the pod is never ready, or restarted for ever",
                    fix="ask a path that the app has, or add it",
                )


def user(app: App) -> Iterator[Finding]:
    """X03: runAsNonRoot with an image that is root, or whose user is a name."""
    stages = reversed(app.file.lineage(app.file.final))
    last = next((found for stage in stages if (found := stage.last("USER"))), None)
    name = last.text.partition(":")[0].strip() if last else ""
    for one, container in app.places():
        own = {**(one.pod_spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
        if own.get("runAsNonRoot") and not own.get("runAsUser") and not (name.isdigit() and name != "0"):
            what = f"the image's user is {name or 'root'}"
            yield one.finding(
                "X03",
                Level.ERROR,
                f"runAsNonRoot is set, and {what}",
                cost="the container is not started (CreateContainerConfigError)",
                fix="USER 10001:10001 in the Dockerfile, or runAsUser in the manifest",
            )


def read_only(app: App) -> Iterator[Finding]:
    """X04: a read-only root that the image or the app writes to."""
    volumes = [word for stage in app.file.lineage(app.file.final) for one in stage.all("VOLUME") for word in one.words]
    written = {path for text in app.folder.sources.values() for path in _WRITES.findall(text)}
    for one, container in app.places():
        if not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
            continue
        mounted = [str(mount.get("mountPath", "")).rstrip("/") for mount in container.get("volumeMounts") or ()]
        for path in sorted({*volumes, *written}):
            if not any(path == mount or path.startswith(f"{mount}/") for mount in mounted):
                yield one.finding(
                    "X04",
                    Level.ERROR,
                    f"the root is read-only, and {path} is written",
                    cost="the app fails when it writes",
                    fix=f"mount an emptyDir at {path.rpartition('/')[0] or path}",
                )


def memory(app: App) -> Iterator[Finding]:
    """X06: workers that cannot fit into the limit."""
    one = started(app.file)
    match = _WORKERS.search(" ".join(one.words)) if one else None
    if match is None:
        return
    workers = int(match[1])
    need = workers * _MEGABYTES_PER_WORKER * 1_000_000
    for manifest, container in app.places():
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        if limit is None:
            continue
        try:
            has = parse(str(limit)).nano / 1e9
        except ValueError:
            continue
        if has < need:
            yield manifest.finding(
                "X06",
                Level.WARNING,
                f"{workers} workers need {need / 1e6:.0f} MB at the very least, and the limit is {limit}",
                cost="the kernel ends workers in the middle of requests",
                fix="fewer workers and more replicas, or a higher limit",
            )


def variables(app: App) -> Iterator[Finding]:
    """X07 and X10: variables that are read and never set, or set and never read."""
    needed = {name: path for path, text in app.folder.sources.items() for name in _ENVIRONMENT.findall(text)}
    read = {name for text in app.folder.sources.values() for name in _READ.findall(text)}
    image = environment(app.file)
    for one, container in app.places():
        given, certain = _given(app.manifests, one, container)
        for name, path in sorted(needed.items()):
            if certain and name not in given and name not in image and name not in ("PATH", "HOME", "HOSTNAME"):
                yield one.finding(
                    "X07",
                    Level.ERROR,
                    f"{path} needs the variable {name}, and nothing sets it",
                    cost="the app ends with a KeyError",
                    fix=f"set {name} in env or a ConfigMap, or read it with a default",
                )
    for config in app.manifests.of("ConfigMap"):
        used = any(config.name == each for one in app.manifests.workloads() for each in _config_maps(one))
        for name in config.obj.get("data") or {}:
            unread = app.folder.sources and re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and name not in read
            if unread and not used:
                yield config.finding(
                    "X10",
                    Level.WARNING,
                    f"no container takes {name}, and no source reads it",
                    cost="whoever changes it wonders why nothing happens",
                    fix="take it with envFrom: [{configMapRef: {name: " + config.name + "}}], or remove it",
                )


def _given(found: Manifests, one: Manifest, container: Mapping[str, Any]) -> tuple[set[str], bool]:
    """The variables that a container gets; whether that is all of them."""
    names = {str(each.get("name")) for each in container.get("env") or ()}
    certain = True
    for source in container.get("envFrom") or ():
        reference = source.get("configMapRef") or {}
        config = found.find("ConfigMap", str(reference.get("name")), one.namespace)
        if config is None:
            certain = False
        else:
            names |= {f"{source.get('prefix', '')}{key}" for key in config.obj.get("data") or {}}
    return names, certain


def _config_maps(one: Manifest) -> Iterator[str]:
    pod = one.pod_spec
    for container in one.every_container:
        for source in container.get("envFrom") or ():
            yield str((source.get("configMapRef") or {}).get("name", ""))
        for variable in container.get("env") or ():
            yield str(((variable.get("valueFrom") or {}).get("configMapKeyRef") or {}).get("name", ""))
    for volume in pod.get("volumes") or ():
        yield str((volume.get("configMap") or {}).get("name", ""))
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield str((source.get("configMap") or {}).get("name", ""))


def grace(app: App) -> Iterator[Finding]:
    """X09: a server that takes longer to stop than the pod gets."""
    one = started(app.file)
    match = _GRACE.search(" ".join(one.words)) if one else None
    for manifest, _ in app.places():
        seconds = int(manifest.pod_spec.get("terminationGracePeriodSeconds", 30))
        if match is not None and int(match[1]) >= seconds:
            yield manifest.finding(
                "X09",
                Level.WARNING,
                f"the server's graceful timeout is {match[1]} s, and the pod is killed after {seconds} s",
                cost="long requests are cut off at every rollout",
                fix=f"terminationGracePeriodSeconds: {int(match[1]) + 5}",
            )
