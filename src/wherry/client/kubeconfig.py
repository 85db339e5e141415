"""Kubeconfig files -> how one cluster is reached, read as kubectl reads them. No connection, no plugin is run here.

Several files are merged: the first that names a cluster, user or context decides. Paths are relative to their file.
"""

import base64
import binascii
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wherry.objects import Obj


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the message names the file, the place and what to do."""


@dataclass(frozen=True)
class ExecPlugin:
    """A program that prints credentials (`ExecCredential`)."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    api_version: str = "client.authentication.k8s.io/v1"
    install_hint: str = ""
    provide_cluster_info: bool = False


@dataclass(frozen=True)
class Cluster:
    """Where the API is and how its certificate is checked. `ca` is PEM; empty means the system's authorities."""

    server: str
    ca: bytes = b""
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""


@dataclass(frozen=True)
class User:
    """Who asks. Secrets are kept out of `repr`."""

    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""  # read again for each use: such tokens are rotated
    username: str = ""
    password: str = field(default="", repr=False)
    plugin: ExecPlugin | None = None
    headers: tuple[tuple[str, str], ...] = ()  # impersonation


@dataclass(frozen=True)
class Access:
    """One context: a cluster, a user and the namespace where nothing else is said."""

    context: str
    cluster: Cluster
    user: User
    namespace: str = "default"


@dataclass(frozen=True)
class Entry:
    """A named part of a kubeconfig and the file it came from."""

    value: Obj
    source: Path


@dataclass(frozen=True)
class Kubeconfig:
    """The merged files. `current` is the current context; wherry itself never follows a user's."""

    sources: tuple[Path, ...]
    clusters: Mapping[str, Entry]
    users: Mapping[str, Entry]
    contexts: Mapping[str, Entry]
    current: str = ""

    def access(self, context: str) -> Access:
        """How the cluster of `context` is reached. Raises KubeconfigError, also for what its files lack."""
        found = self.contexts.get(context)
        if found is None:
            raise KubeconfigError(f'there is no context "{context}" in {self._where()}; {self._known()}')
        cluster = self._part(self.clusters, "cluster", context, found)
        name = found.value.get("user") or ""
        user = self._part(self.users, "user", context, found) if name else Entry({}, found.source)
        namespace = str(found.value.get("namespace") or "default")
        return Access(context, _cluster(cluster), _user(user, name), namespace)

    def only(self) -> Access:
        """Its one context. Raises KubeconfigError where there are several: nobody is to be surprised by which."""
        if len(self.contexts) != 1:
            raise KubeconfigError(f"name a context of {self._where()} by --context; {self._known()}")
        return self.access(next(iter(self.contexts)))

    def _part(self, entries: Mapping[str, Entry], what: str, context: str, found: Entry) -> Entry:
        name = found.value.get(what)
        if not name or name not in entries:
            raise KubeconfigError(f'{found.source}: context "{context}" names the {what} "{name}", which is not there')
        return entries[name]

    def _where(self) -> str:
        return ", ".join(map(str, self.sources)) or "any kubeconfig (no file was found)"

    def _known(self) -> str:
        return f"there are: {', '.join(sorted(self.contexts))}" if self.contexts else "it has no contexts at all"


def default_paths(environ: Mapping[str, str]) -> list[Path]:
    """Where kubectl looks: the list in KUBECONFIG, else ~/.kube/config."""
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return listed or [Path.home() / ".kube" / "config"]


def load(paths: Iterable[Path], *, must_exist: bool = False) -> Kubeconfig:
    """Read and merge the files. Those that are not there are passed over unless `must_exist`."""
    parts: dict[str, dict[str, Entry]] = {"cluster": {}, "user": {}, "context": {}}
    sources, current = [], ""
    for path in paths:
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            if must_exist:
                raise KubeconfigError(f"{path} does not exist") from None
            continue
        except OSError as error:
            raise KubeconfigError(f"{path} cannot be read: {error.strerror}") from None
        document = _document(text, path)
        sources.append(path)
        current = current or str(document.get("current-context") or "")
        for what, entries in parts.items():
            for name, value in _entries(document, what, path):
                entries.setdefault(name, Entry(value, path))
    return Kubeconfig(tuple(sources), parts["cluster"], parts["user"], parts["context"], current)


def _document(text: bytes, path: Path) -> Obj:
    try:
        document = yaml.load(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise KubeconfigError(f"{path}{line}: this is no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path}: this is no YAML: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise KubeconfigError(f"{path}: this is no kubeconfig (a mapping with kind: Config)")
    return document


def _entries(document: Obj, what: str, path: Path) -> Iterable[tuple[str, Obj]]:
    listed = document.get(f"{what}s") or []
    if not isinstance(listed, list):
        raise KubeconfigError(f"{path}: {what}s is no list")
    for item in listed:
        if not isinstance(item, dict) or not item.get("name") or not isinstance(item.get(what) or {}, dict):
            raise KubeconfigError(f"{path}: an item of {what}s has no name or no {what}")
        yield str(item["name"]), item.get(what) or {}


def _cluster(entry: Entry) -> Cluster:
    value = entry.value
    server = str(value.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(f'{entry.source}: the server "{server}" is no http(s) address')
    insecure = bool(value.get("insecure-skip-tls-verify"))
    ca = _data(entry, "certificate-authority")
    if insecure and ca:
        raise KubeconfigError(f"{entry.source}: certificate-authority and insecure-skip-tls-verify exclude each other")
    names = (str(value.get(key) or "") for key in ("tls-server-name", "proxy-url"))
    return Cluster(server.rstrip("/"), ca, insecure, *names)


def _user(entry: Entry, name: str) -> User:
    value = entry.value
    if value.get("auth-provider"):
        raise KubeconfigError(
            f'{entry.source}: user "{name}" has an auth-provider, which Kubernetes 1.26 gave up: use an exec plugin'
        )
    certificate, key = _data(entry, "client-certificate"), _data(entry, "client-key")
    if bool(certificate) != bool(key):
        raise KubeconfigError(f'{entry.source}: user "{name}" has a client certificate without its key, or the reverse')
    token_file = str(value.get("tokenFile") or "")
    return User(
        certificate=certificate,
        key=key,
        token="" if token_file else str(value.get("token") or ""),
        token_file=str(_path(entry, token_file)) if token_file else "",
        username=str(value.get("username") or ""),
        password=str(value.get("password") or ""),
        plugin=_plugin(entry, name),
        headers=tuple(_impersonation(value)),
    )


def _plugin(entry: Entry, name: str) -> ExecPlugin | None:
    value: Obj | None = entry.value.get("exec")
    if not value:
        return None
    command = str(value.get("command") or "")
    if not command:
        raise KubeconfigError(f'{entry.source}: the exec plugin of user "{name}" has no command')
    if "/" in command:  # a bare name is looked up on PATH, as kubectl does
        command = str(_path(entry, command))
    return ExecPlugin(
        command=command,
        args=tuple(map(str, value.get("args") or ())),
        env={str(each["name"]): str(each.get("value") or "") for each in value.get("env") or ()},
        api_version=str(value.get("apiVersion") or ExecPlugin.api_version),
        install_hint=str(value.get("installHint") or ""),
        provide_cluster_info=bool(value.get("provideClusterInfo")),
    )


def _impersonation(value: Obj) -> Iterable[tuple[str, str]]:
    if value.get("as"):
        yield "Impersonate-User", str(value["as"])
    if value.get("as-uid"):
        yield "Impersonate-Uid", str(value["as-uid"])
    for group in value.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    extra: Mapping[str, Sequence[Any]] = value.get("as-user-extra") or {}
    for key, items in extra.items():
        for item in items:
            yield f"Impersonate-Extra-{key}", str(item)


def _path(entry: Entry, text: str) -> Path:
    return entry.source.parent / Path(text).expanduser()


def _data(entry: Entry, key: str) -> bytes:
    """What a kubeconfig gives as base64 in `KEY-data` or as a file in `KEY`; the data goes first."""
    inline = entry.value.get(f"{key}-data")
    if inline:
        try:
            return base64.b64decode(str(inline), validate=True)
        except binascii.Error:
            raise KubeconfigError(f"{entry.source}: {key}-data is no base64") from None
    named = entry.value.get(key)
    return _contents(_path(entry, str(named)).read_bytes, entry, key, str(named)) if named else b""


def _contents(read: Callable[[], bytes], entry: Entry, key: str, named: str) -> bytes:
    try:
        return read()
    except OSError as error:
        raise KubeconfigError(f"{entry.source}: {key} {named} cannot be read: {error.strerror}") from None
