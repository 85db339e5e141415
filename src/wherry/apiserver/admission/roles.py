"""Nobody grants what he does not have: roles and bindings hold their writer to his own rights, as upstream does.

The verbs `escalate` (on roles) and `bind` (on the role that a binding names) lift the rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.verbs.context import MASTERS, Target, User, WriteOptions
from wherry.apiserver.verbs.registry import object_of
from wherry.objects import Obj
from wherry.objects.errors import Forbidden, NotFound
from wherry.objects.field_errors import show
from wherry.store import Key

ROLES, BINDINGS = ("roles", "clusterroles"), ("rolebindings", "clusterrolebindings")
_GROUP = "rbac.authorization.k8s.io"
_SHOWN = {
    "apiGroups": "APIGroups",
    "resources": "Resources",
    "resourceNames": "ResourceNames",
    "nonResourceURLs": "NonResourceURLs",
    "verbs": "Verbs",
}
_GRANTING = ("rules", "aggregationRule", "roleRef", "subjects")
_EVERYTHING: Obj = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


@dataclass(frozen=True)
class RoleEscalation:
    authorizer: Authorizer

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        kind, user = target.kind, options.user
        if kind.group != _GROUP or MASTERS in user.groups:
            return
        if old is not None and all(obj.get(part) == old.get(part) for part in _GRANTING):
            return
        asked = Attributes("escalate", _GROUP, kind.plural, "", target.namespace, target.name)
        if kind.plural in ROLES:
            if not self.authorizer.allows(user, asked):
                wanted = [*(obj.get("rules") or ()), *([_EVERYTHING] if obj.get("aggregationRule") else [])]
                self._refuse_more(target, user, wanted)
        elif kind.plural in BINDINGS:
            self._check_binding(target, obj, user)

    def _check_binding(self, target: Target, binding: Obj, user: User) -> None:
        ref = binding.get("roleRef") or {}
        plural = "clusterroles" if ref.get("kind") == "ClusterRole" else "roles"
        if self.authorizer.allows(user, Attributes("bind", _GROUP, plural, "", target.namespace, ref.get("name", ""))):
            return
        name, where = ref.get("name", ""), "" if plural == "clusterroles" else target.namespace
        record = self.authorizer.registry.store.get(Key(f"{plural}.{_GROUP}", where, name))
        if record is None:
            raise NotFound(f'{plural}.{_GROUP} "{name}" not found', name=name, group=_GROUP, kind=plural)
        self._refuse_more(target, user, object_of(record).get("rules") or ())

    def _refuse_more(self, target: Target, user: User, wanted: Iterable[Obj]) -> None:
        """Raise Forbidden where `wanted` is more than the user has."""
        held = list(self.authorizer.rules(user, target.namespace))
        missing = [rule for rule in wanted if not covered(rule, held)]
        if missing:
            groups = " ".join(f'"{group}"' for group in user.groups)
            raise Forbidden(
                f'{target.kind.resource} "{target.name}" is forbidden: user "{user.name}" (groups=[{groups}]) is '
                "attempting to grant RBAC permissions not currently held:\n" + "\n".join(map(_show, missing)),
                name=target.name,
                group=_GROUP,
                kind=target.kind.plural,
            )

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None: ...

    def deleted(self, target: Target, obj: Obj) -> None: ...


def covered(wanted: Obj, held: Iterable[Obj]) -> bool:
    """Whether each single right of a rule is one of those held."""
    rules = list(held)
    return all(any(_covers(rule, one) for rule in rules) for one in _singles(wanted))


@dataclass(frozen=True)
class _Right:
    """One verb on one resource (of one name, "" for all) or on one path."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""


def _singles(rule: Obj) -> Iterator[_Right]:
    verbs = rule.get("verbs") or ()
    for verb, path in product(verbs, rule.get("nonResourceURLs") or ()):
        yield _Right(verb, path=path)
    names = rule.get("resourceNames") or ("",)
    for parts in product(verbs, rule.get("apiGroups") or (), rule.get("resources") or (), names):
        yield _Right(*parts)


def _covers(rule: Obj, right: _Right) -> bool:
    if not _has(rule.get("verbs"), right.verb):
        return False
    if right.path:
        return any(_path_covers(path, right.path) for path in rule.get("nonResourceURLs") or ())
    part = right.resource.partition("/")[2]
    resources = rule.get("resources") or ()
    names = rule.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), right.group)
        and (_has(resources, right.resource) or (bool(part) and f"*/{part}" in resources))
        and (not names or right.name in names)
    )


def _has(held: Iterable[str] | None, wanted: str) -> bool:
    known = tuple(held or ())
    return "*" in known or wanted in known


def _path_covers(held: str, wanted: str) -> bool:
    return held in ("*", wanted) or (held.endswith("*") and wanted.startswith(held[:-1]))


def _show(rule: Obj) -> str:
    parts = ", ".join(f"{shown}:{show(rule[key])}" for key, shown in _SHOWN.items() if rule.get(key))
    return f"{{{parts}}}"
