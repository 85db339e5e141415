"""The manifests that an app's folder already has, in any layout: `*.yaml` beside the app, `k8s/`, `deploy/`, ... Pure.

Other tools' YAML (compose files, CI, linters) is passed over; what is meant for Kubernetes and broken is an error with
its file and line.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from wherry.deploy.errors import InputError
from wherry.objects import Obj, Ref, kind_of

DIRECTORIES = ("k8s", "kubernetes", "kube", "deploy", "deployment", "manifests", ".k8s")
"""Where people keep manifests; what is YAML in there is meant for Kubernetes."""

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST = 3 * 2**20
MOST_NODES = 200_000  # aliases count each time: they expand without bound

_KUSTOMIZE = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FOREIGN = re.compile(r"(skaffold/|kustomize\.config\.k8s\.io/|kind\.x-k8s\.io/|eksctl\.io/|k3d\.io/|k0s\.|kubeadm\.)")
_LOOKS_LIKE_ONE = re.compile(r"^apiVersion:.*^kind:|^kind:.*^apiVersion:", re.MULTILINE | re.DOTALL)


class _Loader(yaml.CSafeLoader):
    """Leaves dates as they are written: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Manifest:
    """One object and where it is written."""

    object: Obj
    source: str
    line: int = 1
    node: yaml.Node | None = field(default=None, repr=False, compare=False)

    @property
    def place(self) -> str:
        return f"{self.source}:{self.line}"

    def place_of(self, path: str) -> str:
        """The line of a field (`spec.template.spec.containers[0].image`), as far as it is there."""
        return f"{self.source}:{_line_of(self.node, path) or self.line}"


@dataclass(frozen=True)
class Found:
    """The folder's manifests, and which YAML files are something else."""

    manifests: tuple[Manifest, ...] = ()
    others: tuple[str, ...] = ()


def find(files: Mapping[str, str], only: str = "") -> Found:
    """The manifests among `files` (path -> text), or among those in the directory or file `only`. Raises InputError."""
    chosen = {path: text for path, text in sorted(files.items()) if _eligible(path, only)}
    _refuse_templates(files, only)
    manifests: list[Manifest] = []
    others = []
    for path, text in chosen.items():
        taken = list(_read(path, text, meant=bool(only) or "/" in path))
        manifests += taken
        if not taken:
            others.append(path)
    if only and not manifests:
        raise InputError(f"{only}: there are no Kubernetes manifests in it")
    _refuse_doubles(manifests)
    return Found(tuple(manifests), tuple(others))


def _eligible(path: str, only: str) -> bool:
    pure = PurePosixPath(path)
    if pure.suffix not in SUFFIXES:
        return False
    parent = str(pure.parent)
    if only:
        return path == only.rstrip("/") or parent == only.rstrip("/")
    return (parent == "." and pure.suffix != ".json") or parent in DIRECTORIES


def _refuse_templates(files: Mapping[str, str], only: str) -> None:
    """Kustomize and Helm make manifests of these files: taking the files as they are would deploy something else."""
    for directory in [only.rstrip("/")] if only else ["", *DIRECTORIES]:
        prefix = f"{directory}/" if directory else ""
        shown = directory or "."
        for name in _KUSTOMIZE:
            if f"{prefix}{name}" in files:
                raise InputError(
                    f"{prefix}{name}: this folder's manifests are made by Kustomize, which wherry does not run",
                    f"render them once: kubectl kustomize {shown} > manifests.yaml, and name that file in wherry.toml: "
                    'manifests = "manifests.yaml"',
                )
        if f"{prefix}Chart.yaml" in files:
            raise InputError(
                f"{prefix}Chart.yaml: this is a Helm chart, which wherry does not run",
                f"render it once: helm template {shown} > manifests.yaml, and name that file in wherry.toml: "
                'manifests = "manifests.yaml"',
            )


def _refuse_doubles(manifests: Iterable[Manifest]) -> None:
    seen: dict[Ref, Manifest] = {}
    for each in manifests:
        meta = each.object["metadata"]
        ref = Ref(kind_of(each.object), meta.get("namespace", ""), meta["name"])
        if ref in seen:
            raise InputError(f"{each.place}: {ref} is there twice; the other is at {seen[ref].place}")
        seen[ref] = each


def _read(path: str, text: str, *, meant: bool) -> Iterator[Manifest]:
    """The objects in one file. `meant`: it can only be for Kubernetes, so that what cannot be read is an error."""
    meant = meant or bool(_LOOKS_LIKE_ONE.search(text))
    loader = _Loader(text)
    try:
        if len(text) > LARGEST:
            raise InputError(f"{path}: larger than 3 MiB")
        while loader.check_node():
            node: Any = loader.get_node()
            _check_size(path, node)
            yield from _objects(path, _plain(loader.construct_document(node)), node, meant=meant)
    except yaml.MarkedYAMLError as error:
        if meant:
            mark = error.problem_mark or error.context_mark
            raise InputError(f"{path}:{mark.line + 1 if mark else 1}: this is no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if meant:
            raise InputError(f"{path}: this is no YAML: {error}") from None
    finally:
        loader.dispose()


def _objects(path: str, value: object, node: yaml.Node, *, meant: bool) -> Iterator[Manifest]:
    line = node.start_mark.line + 1
    if value is None or not isinstance(value, dict):
        if meant and value is not None:
            raise InputError(f"{path}:{line}: a manifest is a mapping with apiVersion and kind")
        return
    version, kind = value.get("apiVersion"), value.get("kind")
    if not (isinstance(version, str) and isinstance(kind, str)) or _FOREIGN.match(version):
        return
    if (version, kind) == ("v1", "Config"):  # a kubeconfig
        return
    _check_keys(path, node)
    if kind.endswith("List") and isinstance(value.get("items"), list):
        items = _child(node, "items")
        for index, item in enumerate(value["items"]):
            inner = items.value[index] if isinstance(items, yaml.SequenceNode) else node
            yield from _objects(path, item, inner, meant=True)
        return
    name = (value.get("metadata") or {}).get("name") if isinstance(value.get("metadata") or {}, dict) else None
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}:{line}: this {kind} has no metadata.name")
    yield Manifest(value, path, line, node)


def _plain(value: object) -> Any:
    """As JSON: YAML also has keys that are no texts."""
    if isinstance(value, dict):
        return {_key(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _key(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _check_size(path: str, node: yaml.Node) -> None:
    count, stack = 0, [node]
    while stack:
        one = stack.pop()
        count += 1
        if count > MOST_NODES:
            raise InputError(f"{path}: its aliases expand to more than {MOST_NODES} values")
        if isinstance(one, yaml.MappingNode):
            stack += [value for _, value in one.value]
        elif isinstance(one, yaml.SequenceNode):
            stack += one.value


def _check_keys(path: str, node: yaml.Node) -> None:
    """A key that is there twice: PyYAML would silently take the last one."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise InputError(f'{path}:{key.start_mark.line + 1}: the key "{key.value}" is there twice')
            seen.add(str(key.value))
            _check_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(path, value)


def _line_of(node: yaml.Node | None, path: str) -> int:
    line = 0
    for part in re.findall(r"\[[^\]]*\]|[^.\[\]]+", path):
        if node is None:
            break
        if part.startswith("["):
            node = _item(node, part[1:-1])
            line = node.start_mark.line + 1 if node is not None else line
        else:
            line = _key_line(node, part) or line
            node = _child(node, part)
    return line


def _item(node: yaml.Node, which: str) -> yaml.Node | None:
    """An item of a list, by its index or as server-side apply names it: `name="web"`, `containerPort=80`."""
    if not isinstance(node, yaml.SequenceNode):
        return None
    if which.isdigit():
        return node.value[int(which)] if int(which) < len(node.value) else None
    wanted = {(key, value.strip('"')) for key, _, value in (one.partition("=") for one in which.split(","))}
    for item in node.value:
        if isinstance(item, yaml.MappingNode) and any(
            (key.value, value.value) in wanted for key, value in _scalars(item)
        ):
            return item
    return None


def _scalars(node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.ScalarNode]]:
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
            yield key, value


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def _key_line(node: yaml.Node, key: str) -> int:
    if isinstance(node, yaml.MappingNode):
        return next((name.start_mark.line + 1 for name, _ in node.value if name.value == key), 0)
    return 0
