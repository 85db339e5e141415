"""Which kinds a server has and where: its discovery documents, aggregated (1.26 and later) or one by one. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.objects import Obj

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@dataclass(frozen=True)
class Resource:
    """A kind as one server has it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    short: tuple[str, ...] = ()
    singular: str = ""
    verbs: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def id(self) -> str:
        """The GroupKind: `Pod`, `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        parts = [f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join(part for part in (*parts, self.plural, name, subresource) if part)


class Resources:
    """What a server has, looked up by kind or by the names that people type. The preferred version comes first."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.all = tuple(resources)
        self._by_api: dict[tuple[str, str], Resource] = {}
        self._by_kind: dict[str, Resource] = {}
        self._by_name: dict[str, Resource] = {}
        for each in self.all:
            self._by_api.setdefault((each.api_version, each.kind), each)
            self._by_kind.setdefault(each.id, each)
            for name in (each.plural, each.singular, each.kind.lower(), *each.short):
                self._by_name.setdefault(name, each)
                self._by_name.setdefault(f"{name}.{each.group}", each)

    def by_api(self, api_version: str, kind: str) -> Resource | None:
        return self._by_api.get((api_version, kind))

    def by_kind(self, group_kind: str) -> Resource | None:
        return self._by_kind.get(group_kind)

    def by_name(self, typed: str) -> Resource | None:
        """`deployments`, `deploy`, `Deployment`, `deployments.apps`."""
        return self._by_name.get(typed.lower())


def aggregated(document: Obj) -> Iterator[Resource]:
    """The resources of an APIGroupDiscoveryList."""
    for item in document.get("items") or ():
        group = (item.get("metadata") or {}).get("name") or ""
        for version in item.get("versions") or ():
            for found in version.get("resources") or ():
                kind = found.get("responseKind") or {}
                if kind.get("kind"):
                    yield Resource(
                        group=group,
                        version=version["version"],
                        kind=kind["kind"],
                        plural=found["resource"],
                        namespaced=found.get("scope") == "Namespaced",
                        short=tuple(found.get("shortNames") or ()),
                        singular=found.get("singularResource") or "",
                        verbs=frozenset(found.get("verbs") or ()),
                    )


def group_versions(groups: Obj) -> list[str]:
    """The group/versions of an APIGroupList, each group's preferred one first."""
    out = []
    for group in groups.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        listed = [version["groupVersion"] for version in group.get("versions") or ()]
        out += [*([preferred] if preferred else []), *(each for each in listed if each != preferred)]
    return out


def plain(document: Mapping[str, object]) -> Iterator[Resource]:
    """The resources of one APIResourceList, without their subresources."""
    group, _, version = str(document.get("groupVersion", "")).rpartition("/")
    listed = document.get("resources")
    for found in listed if isinstance(listed, list) else ():
        if "/" not in found["name"]:
            yield Resource(
                group=group,
                version=version,
                kind=found["kind"],
                plural=found["name"],
                namespaced=bool(found.get("namespaced")),
                short=tuple(found.get("shortNames") or ()),
                singular=found.get("singularName") or "",
                verbs=frozenset(found.get("verbs") or ()),
            )
