"""The objects that run an app about which nothing but its image and port is known. Pure.

They stay within the Pod Security level `restricted`, roll out without a gap, and change name with their configuration,
so that a change of it rolls the pods and an undo brings the old one back.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wherry.deploy.project import Project
from wherry.objects import Obj

NAME_LABEL = "app.kubernetes.io/name"
CPU, MEMORY, REPLICAS = "250m", "256Mi", 2
WHY = "wherry.io/writable"  # an annotation that says why a replica has a copy of its folder
APP_FOLDER = "/app"  # where images that are made here have the app
_TMP = "/tmp"  # noqa: S108  the pod's own, its only place to write
_COPY = "import shutil; shutil.copytree('/app', '/writable/app', symlinks=True, dirs_exist_ok=True)"
USER = 10001  # for images that run as root or as a user known by name only
UNPRIVILEGED = 1024
STOP_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class App:
    """What the manifests are made of: the project's wishes, completed by what was detected."""

    project: Project
    name: str
    namespace: str
    image: str
    port: int
    health: str = ""  # "" means that an open port is enough
    numeric_user: bool = False  # the image itself says by number that it is not root
    writes: str = ""  # why it gets a copy of its folder that it may write into; "" if it gets none
    prepare: Sequence[Sequence[str]] = ()  # commands that run in that copy before the app
    replicas: int | None = REPLICAS  # None leaves the count to whoever has set it
    drain_seconds: int = 0  # how long a replica goes on serving after it has been told to stop: other clusters need it


def manifests(app: App) -> list[Obj]:
    """In the order in which they are applied."""
    config = _config(app)
    return [*([config] if config else []), _service(app), _deployment(app, config)]


def _meta(app: App, name: str) -> Obj:
    return {"name": name, "namespace": app.namespace, "labels": {NAME_LABEL: app.name}}


def _config(app: App) -> Obj | None:
    """The environment, under a name that follows from its contents."""
    if not app.project.env:
        return None
    data = dict(sorted(app.project.env.items()))
    digest = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:8]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(app, f"{app.name}-{digest}"),
        "immutable": True,
        "data": data,
    }


def _service(app: App) -> Obj:
    port = {"name": "http", "port": app.project.service_port, "targetPort": "http", "appProtocol": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(app, app.name),
        "spec": {"type": app.project.service_type, "selector": {NAME_LABEL: app.name}, "ports": [port]},
    }


def _deployment(app: App, config: Obj | None) -> Obj:
    spec: Obj = {
        "revisionHistoryLimit": 5,
        "progressDeadlineSeconds": 300,
        "selector": {"matchLabels": {NAME_LABEL: app.name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "template": {"metadata": {"labels": {NAME_LABEL: app.name}}, "spec": _pod(app, config)},
    }
    if app.replicas is not None:
        spec["replicas"] = app.replicas
    meta = _meta(app, app.name)
    if app.writes:
        meta["annotations"] = {WHY: app.writes}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _pod(app: App, config: Obj | None) -> Obj:
    security: Obj = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not app.numeric_user:
        security |= {"runAsUser": USER, "runAsGroup": USER}
    if app.port < UNPRIVILEGED:
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": str(app.port)}]
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {NAME_LABEL: app.name}},
    }
    inits = list(_inits(app, config))
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The first process of a namespace gets no SIGTERM that it has no handler for: such apps took the whole grace.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": STOP_SECONDS + app.drain_seconds,
        "securityContext": security,
        "topologySpreadConstraints": [spread],
        **({"initContainers": inits} if inits else {}),
        "containers": [_container(app, config)],
        "volumes": [{"name": name, "emptyDir": {}} for name in ("tmp", *(["app"] if app.writes else []))],
    }


def _inits(app: App, config: Obj | None) -> Iterator[Obj]:
    """The root stays read-only: what writes into its own folder gets a copy of that, for as long as the replica is."""
    if not app.writes:
        return
    kept = ("image", "env", "envFrom", "resources", "securityContext")
    shared = {key: value for key, value in _container(app, config).items() if key in kept}
    mounts = [{"name": "tmp", "mountPath": _TMP}]
    copied = [*mounts, {"name": "app", "mountPath": "/writable"}]
    yield {"name": "copy", **shared, "command": ["python3", "-c", _COPY], "volumeMounts": copied}
    for number, words in enumerate(app.prepare, 1):
        yield {"name": f"prepare-{number}", **shared, "command": list(words), "volumeMounts": [*mounts, _own_folder()]}


def _own_folder() -> Obj:
    return {"name": "app", "mountPath": APP_FOLDER, "subPath": "app"}


def _container(app: App, config: Obj | None) -> Obj:
    project = app.project
    memory = project.memory or MEMORY
    given = [{"name": "PORT", "value": str(app.port)}] if "PORT" not in project.env else []
    if not app.numeric_user and "HOME" not in project.env:
        given.append({"name": "HOME", "value": _TMP})
    out: Obj = {
        "name": app.name,
        "image": app.image,
        "ports": [{"name": "http", "containerPort": app.port}],
        "env": given,
        "resources": {"requests": {"cpu": project.cpu or CPU, "memory": memory}, "limits": {"memory": memory}},
        "readinessProbe": {**_check(app), "periodSeconds": 5, "timeoutSeconds": 3},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": _TMP}],
    }
    if app.writes:
        out["volumeMounts"].append(_own_folder())
    if project.command:
        out["command"] = list(project.command)
    if config is not None:
        out["envFrom"] = [{"configMapRef": {"name": config["metadata"]["name"]}}]
    if app.drain_seconds:
        out["lifecycle"] = {"preStop": {"sleep": {"seconds": app.drain_seconds}}}
    return out


def _check(app: App) -> Obj:
    return {"httpGet": {"path": app.health, "port": "http"}} if app.health else {"tcpSocket": {"port": "http"}}
