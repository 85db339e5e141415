"""Role-based access control: what the rules bound to a user allow (rbac.authorization.k8s.io/v1)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.apiserver.verbs.context import MASTERS, User
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.objects import Obj
from wherry.objects.errors import Forbidden
from wherry.store import Key

OPEN = frozenset(("/healthz", "/livez", "/readyz", "/version"))
"""What everyone may read."""
DOCUMENTS = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz")
"""What every authenticated user may read (upstream's system:discovery)."""
REVIEWS = frozenset(("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"))
OF_ALL: Mapping[str, Sequence[Obj]] = {
    "": ({"verbs": ["get"], "nonResourceURLs": sorted(OPEN)},),
    "system:authenticated": (
        {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
        {
            "verbs": ["create"],
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        },
        {"verbs": ["get"], "nonResourceURLs": [url for path in DOCUMENTS for url in (path, f"{path}/*")]},
    ),
}
"""Group ("": everyone) -> the rules that hold without a binding, as they are told to who asks for his rights."""


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do. For a path that is no resource, only `verb` and `path` say something."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass
class Authorizer:
    """Looks the rules up in the store at each question; few and small, they need no index on one machine."""

    registry: Registry

    def check(self, user: User, asked: Attributes) -> None:
        """Raises Forbidden, worded as upstream does."""
        if not self.allows(user, asked):
            raise denied(user, asked)

    def allows(self, user: User, asked: Attributes) -> bool:
        if MASTERS in user.groups:
            return True
        if asked.path:
            if asked.verb == "get" and asked.path in OPEN:
                return True
            document = any(asked.path == path or asked.path.startswith(path + "/") for path in DOCUMENTS)
            if document and asked.verb == "get" and "system:authenticated" in user.groups:
                return True
            return any(_path_rule_allows(rule, asked) for rule in self.rules(user, ""))
        if asked.resource in REVIEWS and "system:authenticated" in user.groups:
            return True
        return any(rule_allows(rule, asked) for rule in self.rules(user, asked.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Obj]:
        """The rules that hold for a user, cluster-wide and in `namespace`."""
        for group in ("", *user.groups):
            yield from OF_ALL.get(group, ())
        for binding in self._objects("clusterrolebindings", ""):
            if _binds(binding, user):
                yield from self._role_rules(binding["roleRef"], "")
        if namespace:
            for binding in self._objects("rolebindings", namespace):
                if _binds(binding, user):
                    yield from self._role_rules(binding["roleRef"], namespace)

    def _role_rules(self, ref: Mapping[str, str], namespace: str) -> Iterable[Obj]:
        plural = "clusterroles" if ref["kind"] == "ClusterRole" else "roles"
        where = "" if plural == "clusterroles" else namespace
        record = self.registry.store.get(Key(f"{plural}.rbac.authorization.k8s.io", where, ref["name"]))
        return object_of(record).get("rules") or () if record is not None else ()

    def _objects(self, plural: str, namespace: str) -> Iterator[Obj]:
        for record in self.registry.store.scan(f"{plural}.rbac.authorization.k8s.io", namespace):
            yield object_of(record)


def denied(user: User, asked: Attributes) -> Forbidden:
    if asked.path:
        return Forbidden(f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"')
    where = f' in the namespace "{asked.namespace}"' if asked.namespace else " at the cluster scope"
    resource = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f'{resource} "{asked.name}"' if asked.name else resource
    return Forbidden(
        f'{named} is forbidden: User "{user.name}" cannot {asked.verb} resource "{asked.full_resource}" '
        f'in API group "{asked.group}"{where}',
        name=asked.name,
        group=asked.group,
        kind=asked.resource,
    )


def rule_allows(rule: Obj, asked: Attributes) -> bool:
    names = rule.get("resourceNames")
    return (
        _has(rule.get("verbs"), asked.verb)
        and _has(rule.get("apiGroups"), asked.group)
        and _has_resource(rule.get("resources") or (), asked)
        and (not names or asked.name in names)
    )


def _has(allowed: Iterable[str] | None, wanted: str) -> bool:
    known = tuple(allowed or ())
    return "*" in known or wanted in known


def _has_resource(allowed: Iterable[str], asked: Attributes) -> bool:
    known = tuple(allowed)
    if "*" in known or asked.full_resource in known:
        return True
    return bool(asked.subresource) and f"*/{asked.subresource}" in known


def _path_rule_allows(rule: Obj, asked: Attributes) -> bool:
    if not _has(rule.get("verbs"), asked.verb):
        return False
    return any(
        path == asked.path or (path.endswith("*") and asked.path.startswith(path[:-1]))
        for path in rule.get("nonResourceURLs") or ()
    )


def _binds(binding: Obj, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        match subject.get("kind"):
            case "User" if subject["name"] == user.name:
                return True
            case "Group" if subject["name"] in user.groups:
                return True
            case "ServiceAccount":
                namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
                if user.name == f"system:serviceaccount:{namespace}:{subject['name']}":
                    return True
    return False
