"""Nobody grants what he does not have."""

from dataclasses import replace

import pytest

from tests.unit.apiserver.verbs.conftest import meta
from wherry.apiserver.admission.roles import RoleEscalation, covered
from wherry.apiserver.http.authz import Authorizer
from wherry.apiserver.local import LocalClient
from wherry.apiserver.verbs.context import User
from wherry.objects import Obj
from wherry.objects.errors import Forbidden

RBAC = "rbac.authorization.k8s.io"
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


def role(name: str, *rules: Obj) -> Obj:
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta(name), "rules": list(rules)}


def binding(name: str, role: str, user: str) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": meta(name),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


@pytest.fixture
async def bob(client: LocalClient) -> LocalClient:
    """A user who may read pods; `secrets` is a role that he does not have."""
    client.registry.admission = (*client.registry.admission, RoleEscalation(Authorizer(client.registry)))
    for obj in (role("pods", PODS), role("secrets", SECRETS), binding("bob", "pods", "bob")):
        await client.create(obj)
    return replace(client, options=replace(client.options, user=User("bob", ("system:authenticated",))))


async def test_a_user_grants_what_he_has(bob: LocalClient) -> None:
    await bob.create(role("mine", {**PODS, "verbs": ["list"]}))
    await bob.create(binding("other", "pods", "eve"))


async def test_a_user_grants_no_more_than_he_has(bob: LocalClient) -> None:
    with pytest.raises(Forbidden) as raised:
        await bob.create(role("more", PODS, SECRETS))
    assert raised.value.message == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "bob" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    with pytest.raises(Forbidden, match="not currently held"):
        await bob.create(binding("more", "secrets", "bob"))
    with pytest.raises(Forbidden, match="not currently held"):
        await bob.patch(f"Role.{RBAC}", "default", "pods", {"rules": [SECRETS]})
    labelled = await bob.patch(f"Role.{RBAC}", "default", "secrets", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["rules"] == [SECRETS]


async def allow(client: LocalClient, verb: str) -> None:
    """Give bob a verb on the role `secrets`."""
    rule = {"apiGroups": [RBAC], "resources": ["roles"], "verbs": [verb], "resourceNames": ["secrets"]}
    await client.create(role("grants", rule))
    await client.create(binding("grants", "grants", "bob"))


async def test_bind_lets_a_user_bind_a_role_that_he_does_not_have(client: LocalClient, bob: LocalClient) -> None:
    await allow(client, "bind")
    await bob.create(binding("more", "secrets", "bob"))


async def test_escalate_lets_a_user_put_more_into_a_role(client: LocalClient, bob: LocalClient) -> None:
    await allow(client, "escalate")
    await bob.patch(f"Role.{RBAC}", "default", "secrets", {"rules": [SECRETS, {**SECRETS, "verbs": ["*"]}]})
    with pytest.raises(Forbidden, match="not currently held"):
        await bob.create(binding("more", "secrets", "bob"))


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        (PODS, [{**PODS, "verbs": ["get"]}, {**PODS, "verbs": ["list"]}], True),
        (PODS, [{**PODS, "resourceNames": ["a"]}], False),
        ({**PODS, "resourceNames": ["a"]}, [PODS], True),
        (PODS, [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], True),
        ({**PODS, "verbs": ["*"]}, [PODS], False),
        ({**PODS, "resources": ["pods/log"]}, [{**PODS, "resources": ["*/log"]}], True),
        ({**PODS, "resources": ["pods/log"]}, [PODS], False),
        ({"nonResourceURLs": ["/a/b"], "verbs": ["get"]}, [{"nonResourceURLs": ["/a/*"], "verbs": ["get"]}], True),
        ({"nonResourceURLs": ["/b"], "verbs": ["get"]}, [{"nonResourceURLs": ["/a/*"], "verbs": ["get"]}], False),
    ],
)
def test_a_right_is_held_when_one_rule_holds_it(wanted: Obj, held: list[Obj], expected: bool) -> None:
    assert covered(wanted, held) is expected
