"""Permissions are remembered, and forgotten as soon as a role or a binding changes."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.http.permissions import Permissions
from wherry.apiserver.http.routes import Route
from wherry.apiserver.verbs.context import MASTERS, Target, User
from wherry.apiserver.verbs.registry import Registry
from wherry.clock import SystemClock
from wherry.kinds import schema
from wherry.kinds.catalog import BY_ID
from wherry.objects import Obj
from wherry.objects.errors import Forbidden
from wherry.store import Key, Store
from wherry.store.records import Seal

JANE = User("jane", ("system:authenticated",))
PATH = "/api/v1/namespaces/shop/configmaps/a"
ROUTE = Route(Target(BY_ID["ConfigMap"], "shop", "a"))
BINDING = Key("rolebindings.rbac.authorization.k8s.io", "shop", "jane")
ROLE = Key("roles.rbac.authorization.k8s.io", "shop", "reader")


@dataclass
class Counted(Authorizer):
    """The real authorizer, with a note of what it was asked."""

    asked: list[Attributes] = field(default_factory=list)

    def check(self, user: User, asked: Attributes) -> None:
        self.asked.append(asked)
        super().check(user, asked)


def sealed(obj: Obj) -> Seal:
    return lambda revision: (b"{}", obj)


async def granted(store: Store) -> None:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}]
    await store.put(ROLE, sealed({"metadata": {"name": "reader", "namespace": "shop"}, "rules": rules}))
    binding = {
        "metadata": {"name": "jane", "namespace": "shop"},
        "subjects": [{"kind": "User", "name": "jane"}],
        "roleRef": {"kind": "Role", "name": "reader"},
    }
    await store.put(BINDING, sealed(binding))


async def test_the_rules_are_read_once_and_again_after_they_change(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    authorizer = Counted(Registry(store, schema.load(), SystemClock()))
    permissions = Permissions(authorizer, store)
    await granted(store)
    for _ in range(3):
        permissions.check(JANE, "get", PATH, ROUTE)
    assert len(authorizer.asked) == 1
    with pytest.raises(Forbidden):
        permissions.check(JANE, "delete", PATH, ROUTE)
    await store.put(Key("configmaps", "shop", "a"), sealed({}))
    permissions.check(JANE, "get", PATH, ROUTE)
    assert len(authorizer.asked) == 2, "only roles and bindings make it ask again"
    await store.delete(BINDING, sealed({}))
    with pytest.raises(Forbidden):
        permissions.check(JANE, "get", PATH, ROUTE)
    await granted(store)
    permissions.check(JANE, "get", PATH, ROUTE)
    await store.delete(ROLE, sealed({}))
    with pytest.raises(Forbidden):
        permissions.check(JANE, "get", PATH, ROUTE)
    await store.close()


async def test_masters_need_no_rules_and_others_of_the_same_name_do(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    permissions = Permissions(Authorizer(Registry(store, schema.load(), SystemClock())), store)
    permissions.check(User("root", (MASTERS,)), "get", PATH, ROUTE)
    with pytest.raises(Forbidden):
        permissions.check(User("root", ("system:authenticated",)), "get", PATH, ROUTE)
    await store.close()
