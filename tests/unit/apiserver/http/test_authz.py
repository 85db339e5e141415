"""What everyone may do without a binding is what they are told when they ask."""

from tests.unit.apiserver.verbs.conftest import client as client
from wherry.apiserver.http.authz import Attributes, Authorizer
from wherry.apiserver.local import LocalClient
from wherry.apiserver.verbs.context import User

NOBODY = User("system:anonymous", ("system:unauthenticated",))
BOB = User("bob", ("system:authenticated",))


async def test_a_users_rules_have_what_every_user_may_do(client: LocalClient) -> None:
    rules = list(Authorizer(client.registry).rules(BOB, "default"))
    assert {resource for rule in rules for resource in rule.get("resources", ())} == {
        "selfsubjectaccessreviews",
        "selfsubjectreviews",
        "selfsubjectrulesreviews",
    }
    assert {"/api", "/api/*", "/openapi/*", "/version"} <= {
        url for rule in rules for url in rule.get("nonResourceURLs", ())
    }


async def test_a_stranger_may_see_health_and_version_only(client: LocalClient) -> None:
    authorizer = Authorizer(client.registry)
    (rule,) = authorizer.rules(NOBODY, "default")
    assert rule == {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version"]}
    assert authorizer.allows(NOBODY, Attributes("get", path="/healthz"))
    assert not authorizer.allows(NOBODY, Attributes("get", path="/api"))
    assert not authorizer.allows(NOBODY, Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"))
