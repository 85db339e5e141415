"""A URL path -> what it is about. The only place that knows how Kubernetes spells its paths."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from wherry.apiserver.http.authz import Attributes
from wherry.apiserver.http.discovery import SUBRESOURCE_VERBS
from wherry.apiserver.verbs.context import Target
from wherry.kinds.kind import Kind
from wherry.objects.errors import MethodNotAllowed, NotFound

CUSTOM_RESOURCES = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
"""There are none, and no verb but a look at all of them: kubectl takes it before it says that it knows no such kind."""


class Route(NamedTuple):
    """A resource's path, taken apart. `watching` marks the legacy /watch/ form."""

    target: Target
    watching: bool = False


@dataclass(frozen=True)
class Routes:
    """Built anew when the kinds change."""

    by_plural: dict[tuple[str, str, str], Kind]

    def match(self, path: str) -> Route | None:
        """None: not a resource's path. Raises NotFound for a resource that is not served."""
        if path == CUSTOM_RESOURCES:
            return None
        parts = [unquote(part) for part in path.split("/") if part]
        if len(parts) >= 3 and parts[0] == "api":
            group, version, rest = "", parts[1], parts[2:]
        elif len(parts) >= 4 and parts[0] == "apis":
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return None
        watching = rest[0] == "watch" and len(rest) > 1
        if watching:
            rest = rest[1:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and (group or rest[2] not in ("status", "finalize")):
            namespace, rest = rest[1], rest[2:]
        elif rest[0] == "namespaces" and group and len(rest) == 2:
            raise not_served()
        kind = self.by_plural.get((group, version, rest[0]))
        if kind is None or (len(rest) > 3 and rest[2] != "proxy") or (namespace and not kind.namespaced):
            raise not_served()
        name = rest[1] if len(rest) > 1 else ""
        return Route(Target(kind, namespace, name, rest[2] if len(rest) > 2 else ""), watching)


def not_served() -> NotFound:
    return NotFound("the server could not find the requested resource")


def verb_of(method: str, route: Route, query_watch: bool) -> str:
    """Kubernetes' verb for a method on a path. Raises MethodNotAllowed."""
    named = bool(route.target.name)
    if route.watching or (query_watch and method == "GET" and not named):
        return "watch"
    verbs = {
        "GET": "get" if named else "list",
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete" if named else "deletecollection",
    }
    if (
        route.target.subresource == "proxy"
    ):  # every method passes; what is no verb of Kubernetes' needs the right to all
        verbs |= {"HEAD": "get", "OPTIONS": ""}
    verb = verbs.get(method)
    collection_only = method in ("PUT", "PATCH") and not named
    if verb is None or collection_only or (method == "POST" and named and not route.target.subresource):
        raise not_allowed()
    _check_subresource(route.target, verb)
    if verb == "create" and not named and route.target.kind.namespaced and not route.target.namespace:
        raise not_allowed()  # a new object needs its namespace
    return verb


def _check_subresource(target: Target, verb: str) -> None:
    name, kind = target.subresource, target.kind
    if not name:
        if verb not in kind.verbs:
            raise not_allowed()
        return
    has = {"status": kind.status, "scale": kind.scale is not None}.get(name, name in kind.subresources)
    if not has:
        raise not_served()
    if name != "proxy" and verb not in SUBRESOURCE_VERBS[name]:
        raise not_allowed()


def not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def attributes(verb: str, target: Target) -> Attributes:
    kind = target.kind
    namespace = target.namespace
    if kind.id == "Namespace" and target.name:
        namespace = target.name  # a namespace's own verbs are asked inside it
    return Attributes(verb, kind.group, kind.plural, target.subresource, namespace, target.name)
