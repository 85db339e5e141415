"""Reviews: questions about rights and identities that are answered and not stored."""

from wherry.apiserver.http.authn import Authenticator
from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.verbs.context import Target, User
from wherry.apiserver.verbs.registry import Registry
from wherry.objects import Obj
from wherry.objects.errors import BadRequest, Unauthorized
from wherry.objects.times import format_time


async def review(
    registry: Registry,
    authenticator: Authenticator,
    authorizer: Authorizer,
    user: User,
    target: Target,
    asked: Obj,
) -> Obj:
    """The review with its status filled in."""
    spec = asked.get("spec") or {}
    match target.kind.kind:
        case "SelfSubjectReview":
            status: Obj = {"userInfo": _info(user)}
        case "TokenReview":
            try:
                status = {"authenticated": True, "user": _info(authenticator.bearer(spec.get("token", "")))}
            except Unauthorized as error:
                status = {"authenticated": False, "error": error.message}
        case "SelfSubjectRulesReview":
            rules = list(authorizer.rules(user, spec.get("namespace", "")))
            keys = ("verbs", "apiGroups", "resources", "resourceNames")
            status = {
                "resourceRules": [{k: r[k] for k in keys if k in r} for r in rules if r.get("resources")],
                "nonResourceRules": [r for r in rules if r.get("nonResourceURLs")],
                "incomplete": False,
            }
        case "SelfSubjectAccessReview":
            status = {"allowed": authorizer.allows(user, _attributes(spec))}
        case _:
            subject = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
            status = {"allowed": authorizer.allows(subject, _attributes(spec))}
    meta = {**(asked.get("metadata") or {}), "creationTimestamp": format_time(registry.clock.now())}
    kind = target.kind
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta, "spec": spec, "status": status}


def _info(user: User) -> Obj:
    info: Obj = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _attributes(spec: Obj) -> Attributes:
    resource: Obj = spec.get("resourceAttributes") or {}
    path: Obj = spec.get("nonResourceAttributes") or {}
    if bool(resource) == bool(path):
        raise BadRequest("exactly one of spec.nonResourceAttributes or spec.resourceAttributes must be specified")
    if path:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    return Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        resource.get("resource", ""),
        resource.get("subresource", ""),
        resource.get("namespace", ""),
        resource.get("name", ""),
    )
