import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.unit.apiserver.verbs.conftest import client as client
from wherry.apiserver.http.authz import Authorizer
from wherry.apiserver.http.impersonation import acting
from wherry.apiserver.local import LocalClient
from wherry.apiserver.verbs.context import MASTERS, User
from wherry.objects.errors import ApiError, BadRequest

ADMIN, BOB = User("admin", (MASTERS,)), User("bob", ("system:authenticated",))


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


async def test_who_may_acts_as_another(client: LocalClient) -> None:
    authorizer = Authorizer(client.registry)
    said = headers(("impersonate-user", "eve"), ("Impersonate-Group", "ops"), ("Impersonate-Extra-Scope%2Fa", "x"))
    groups = ("ops", "system:authenticated")
    assert acting(said, ADMIN, authorizer) == User("eve", groups, "", {"scope/a": ("x",)})
    assert acting(headers(), ADMIN, authorizer) is ADMIN


async def test_a_service_account_acts_in_its_own_groups(client: LocalClient) -> None:
    said = headers(("Impersonate-User", "system:serviceaccount:default:app"))
    expected = ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    assert acting(said, ADMIN, Authorizer(client.registry)).groups == expected


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("Impersonate-User", "eve"), 'cannot impersonate resource "users" in API group ""'),
        (("Impersonate-User", "system:serviceaccount:default:app"), 'cannot impersonate resource "serviceaccounts"'),
    ],
)
async def test_others_may_not(client: LocalClient, pair: tuple[str, str], message: str) -> None:
    with pytest.raises(ApiError) as raised:
        acting(headers(pair), BOB, Authorizer(client.registry))
    assert (raised.value.code, message in raised.value.message) == (403, True)


async def test_a_group_without_a_user_is_refused_and_not_ignored(client: LocalClient) -> None:
    with pytest.raises(BadRequest, match="without impersonating a user"):
        acting(headers(("Impersonate-Group", "ops")), ADMIN, Authorizer(client.registry))
