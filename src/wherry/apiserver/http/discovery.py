"""Discovery: which groups, versions, resources and verbs there are, all derived from the kinds.

In both forms that clients ask for: group by group (`/api`, `/apis`, `/apis/apps/v1`), and all at once
(apidiscovery.k8s.io).
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from wherry.apiserver.http.documents import Document, json_document
from wherry.apiserver.http.negotiation import JSON, clauses
from wherry.kinds.kind import Kind
from wherry.objects import Obj
from wherry.objects.errors import NotAcceptable, NotFound

_UPDATABLE = ("get", "patch", "update")
_CONNECTABLE = ("create", "get")

GROUP_ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "storagemigration.k8s.io",
)
"""Groups in the order in which clients prefer them; all others follow by name."""


@dataclass(frozen=True)
class Subresource:
    """One subresource as discovery shows it; an empty `kind` is the resource's own."""

    name: str
    kind: str
    verbs: Sequence[str]
    group: str = ""  # of the kind, with `version`, where it is another than the resource's
    version: str = ""


_SUBRESOURCES: Mapping[str, Subresource] = {
    sub.name: sub
    for sub in (
        Subresource("approval", "", _UPDATABLE),
        Subresource("attach", "{kind}AttachOptions", _CONNECTABLE),
        Subresource("binding", "Binding", ("create",)),
        Subresource("ephemeralcontainers", "", _UPDATABLE),
        Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
        Subresource("exec", "{kind}ExecOptions", _CONNECTABLE),
        Subresource("finalize", "", ("update",)),
        Subresource("log", "", ("get",)),
        Subresource("portforward", "{kind}PortForwardOptions", _CONNECTABLE),
        Subresource("proxy", "{kind}ProxyOptions", ("create", "delete", "get", "patch", "update")),
        Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),
    )
}
_STATUS = Subresource("status", "", _UPDATABLE)
_SCALE = Subresource("scale", "Scale", _UPDATABLE, "autoscaling", "v1")
SUBRESOURCE_VERBS: Mapping[str, Sequence[str]] = {
    sub.name: sub.verbs for sub in (*_SUBRESOURCES.values(), _STATUS, _SCALE)
}
"""What may be done at each subresource."""
_KUBE_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def subresources(kind: Kind) -> list[Subresource]:
    """All subresources of a kind, by name. KeyError if it names one that the API does not have."""
    named = [_SUBRESOURCES[name] for name in kind.subresources]
    found = [*named, *([_STATUS] if kind.status else []), *([_SCALE] if kind.scale else [])]
    return sorted(found, key=lambda sub: sub.name)


def group_versions(kinds: Sequence[Kind]) -> dict[str, list[str]]:
    """Groups in the order of preference, each with its versions, the preferred one first."""
    served: dict[str, set[str]] = {}
    for kind in kinds:
        served.setdefault(kind.group, set()).add(kind.version)
    return {group: sorted(served[group], key=_version_rank) for group in sorted(served, key=_group_rank)}


def _group_rank(group: str) -> tuple[int, str]:
    return (GROUP_ORDER.index(group), "") if group in GROUP_ORDER else (len(GROUP_ORDER), group)


def _version_rank(version: str) -> tuple[int, int, int, str]:
    """Stable before beta before alpha, the newest first; what is no such version comes last, by name."""
    match = _KUBE_VERSION.fullmatch(version)
    if match is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), "")


class Discovery:
    """The documents for one set of kinds, each rendered when it is first asked for. A new set is a new Discovery."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._groups = group_versions(kinds)
        ordered = sorted(kinds, key=lambda kind: (kind.group, kind.version, kind.plural))
        self._kinds = {key: list(found) for key, found in groupby(ordered, key=lambda kind: (kind.group, kind.version))}
        self._rendered: dict[tuple[str, ...], Document] = {}

    def paths(self) -> Document:
        """`/`: where everything is."""
        versions = [f"/apis/{group}/{version}" for group, found in self._groups.items() if group for version in found]
        groups = [f"/apis/{group}" for group in self._groups if group]
        core = [f"/api/{version}" for version in self._groups.get("", ())]
        others = ("/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version")
        return json_document({"paths": sorted((*core, *groups, *versions, *others))})

    def legacy(self, accept: str = JSON) -> Document:
        """`/api`: the versions of the core group."""
        versions = self._groups.get("", [])
        plain = {
            "kind": "APIVersions",
            "versions": versions,
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
        }
        return self._negotiated("api", accept, plain, [""] if versions else [])

    def groups(self, accept: str = JSON) -> Document:
        """`/apis`: all other groups."""
        named = [group for group in self._groups if group]
        plain = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [self._group(group) for group in named]}
        return self._negotiated("apis", accept, plain, named)

    def group(self, group: str) -> Document:
        """`/apis/{group}`."""
        if group not in self._groups or not group:
            raise NotFound("the server could not find the requested resource")
        return self._document(("group", group), {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)})

    def resources(self, group: str, version: str) -> Document:
        """`/api/{version}` (the group is "") and `/apis/{group}/{version}`."""
        kinds = self._kinds.get((group, version))
        if kinds is None:
            raise NotFound("the server could not find the requested resource")
        content = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": kinds[0].api_version,
            "resources": [resource for kind in kinds for resource in _resources(kind)],
        }
        return self._document(("resources", group, version), content)

    def _negotiated(self, name: str, accept: str, plain: Obj, groups: Sequence[str]) -> Document:
        """The aggregated form in the version asked for, or the plain one."""
        for clause in clauses(accept):
            if not clause.accepts_json:
                continue
            wanted = {key: value for key, value in clause.parameters.items() if key in ("as", "g", "v")}
            if "as" not in wanted:
                return self._document((name,), plain)
            version = wanted.get("v", "")
            known = {"as": "APIGroupDiscoveryList", "g": "apidiscovery.k8s.io", "v": version}
            if wanted == known and version in ("v2", "v2beta1"):
                content_type = f"{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                return self._document((name, version), self._aggregated(version, groups), content_type)
        raise NotAcceptable(f"only the following media types are accepted: {JSON}")

    def _document(self, key: tuple[str, ...], content: Obj, content_type: str = JSON) -> Document:
        if key not in self._rendered:
            self._rendered[key] = json_document(content, content_type)
        return self._rendered[key]

    def _group(self, group: str) -> Obj:
        versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in self._groups[group]]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _aggregated(self, version: str, groups: Sequence[str]) -> Obj:
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [
                {
                    "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
                    "versions": [
                        {
                            "version": served,
                            "resources": [_aggregated_resource(kind) for kind in self._kinds[group, served]],
                            "freshness": "Current",
                        }
                        for served in self._groups[group]
                    ],
                }
                for group in groups
            ],
        }


def _resources(kind: Kind) -> Iterator[Obj]:
    """A kind's own entry of an APIResourceList, and one for each subresource."""
    entry: Obj = {
        "name": kind.plural,
        "singularName": _singular(kind),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    yield entry | _names(kind) | _storage_version_hash(kind)
    for sub in subresources(kind):
        where = {"group": sub.group, "version": sub.version} if sub.group else {}
        yield {
            "name": f"{kind.plural}/{sub.name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **where,
            "kind": _response_kind(kind, sub),
            "verbs": list(sub.verbs),
        }


def _aggregated_resource(kind: Kind) -> Obj:
    entry: Obj = {
        "resource": kind.plural,
        "responseKind": {"group": "", "version": "", "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": _singular(kind),
        "verbs": list(kind.verbs),
    }
    subs = [
        {
            "subresource": sub.name,
            "responseKind": {"group": sub.group, "version": sub.version, "kind": _response_kind(kind, sub)},
            "verbs": list(sub.verbs),
        }
        for sub in subresources(kind)
    ]
    return entry | _names(kind) | ({"subresources": subs} if subs else {})


def _names(kind: Kind) -> Obj:
    names = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
    return {key: value for key, value in names.items() if value}


def _singular(kind: Kind) -> str:
    return kind.singular or kind.kind.lower()


def _response_kind(kind: Kind, sub: Subresource) -> str:
    return sub.kind.format(kind=kind.kind) or kind.kind


def _storage_version_hash(kind: Kind) -> Obj:
    """A mark of the version that is stored, which upstream's migrator compares; virtual resources have none."""
    if "list" not in kind.verbs or "create" not in kind.verbs:
        return {}
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return {"storageVersionHash": base64.b64encode(digest[:8]).decode()}
