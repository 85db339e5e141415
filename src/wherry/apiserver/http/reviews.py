"""Reviews: questions about rights and identities that are answered and not stored."""

from collections.abc import Iterator

from wherry.apiserver.http.authn import Authenticator
from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.verbs.context import Target, User
from wherry.apiserver.verbs.prepare import invalid_object
from wherry.apiserver.verbs.registry import Registry
from wherry.kinds.schema.check import check
from wherry.objects import Obj
from wherry.objects.errors import BadRequest, Unauthorized
from wherry.objects.field_errors import FieldError, invalid
from wherry.objects.times import format_time


async def review(
    registry: Registry,
    authenticator: Authenticator,
    authorizer: Authorizer,
    user: User,
    target: Target,
    asked: object,
) -> Obj:
    """The review with its status filled in."""
    problems = check(asked, registry.type_of(target.kind)) if isinstance(asked, dict) else None
    if problems is None or problems.error:
        said = problems.error if problems else "the body is not an object"
        name = target.kind.kind
        raise BadRequest(f'{name} in version "{target.kind.version}" cannot be handled as a {name}: {said}')
    asked = problems.obj
    spec = asked.get("spec") or {}
    if target.kind.kind.endswith("AccessReview"):
        refuse_review(target, list(_attribute_errors(spec)))
    match target.kind.kind:
        case "SelfSubjectReview":
            status: Obj = {"userInfo": _info(user)}
        case "TokenReview":
            if not spec.get("token"):
                raise BadRequest("token is required for TokenReview in authentication")
            try:
                status = {"authenticated": True, "user": _info(authenticator.bearer(spec.get("token", "")))}
            except Unauthorized:
                status = {"user": {}, "error": "invalid bearer token"}
        case "SelfSubjectRulesReview":
            if not spec.get("namespace"):
                raise BadRequest("no namespace on request")
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
            refuse_review(target, list(_subject_errors(target, spec)))
            status = {"allowed": authorizer.allows(subject, _attributes(spec))}
    meta = {**(asked.get("metadata") or {}), "creationTimestamp": format_time(registry.clock.now())}
    kind = target.kind
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta, "spec": spec, "status": status}


def refuse_review(target: Target, errors: list[FieldError]) -> None:
    if errors:
        raise invalid_object(target.kind.group, "", "", errors)


def _attribute_errors(spec: Obj) -> Iterator[FieldError]:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and path is not None:
        said = "cannot be specified in combination with resourceAttributes"
        yield invalid("spec.nonResourceAttributes", path, said)
    elif resource is None and path is None:
        said = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield invalid("spec.resourceAttributes", resource, said)


def _subject_errors(target: Target, spec: Obj) -> Iterator[FieldError]:
    if not spec.get("user") and not spec.get("groups"):
        yield invalid("spec.user", spec.get("user") or "", "at least one of user or group must be specified")
    asked = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if target.kind.namespaced and asked != target.namespace:
        yield invalid("spec.resourceAttributes.namespace", asked, "must match metadata.namespace")


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
