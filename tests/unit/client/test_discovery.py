"""A server's kinds, from both forms of discovery."""

from wherry.client.discovery import Resource, Resources, aggregated, group_versions, plain

DEPLOYMENT = Resource("apps", "v1", "Deployment", "deployments", True, ("deploy",), "deployment", frozenset(("get",)))


def test_aggregated_discovery() -> None:
    found = {
        "resource": "deployments",
        "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "scope": "Namespaced",
        "singularResource": "deployment",
        "shortNames": ["deploy"],
        "verbs": ["get"],
    }
    document = {"items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [found]}]}]}
    assert list(aggregated(document)) == [DEPLOYMENT]


def test_discovery_of_older_servers() -> None:
    groups = {
        "groups": [
            {
                "versions": [{"groupVersion": "a/v1beta1"}, {"groupVersion": "a/v1"}],
                "preferredVersion": {"groupVersion": "a/v1"},
            }
        ]
    }
    assert group_versions(groups) == ["a/v1", "a/v1beta1"]
    listed = {
        "groupVersion": "apps/v1",
        "resources": [
            {
                "name": "deployments",
                "singularName": "deployment",
                "kind": "Deployment",
                "namespaced": True,
                "shortNames": ["deploy"],
                "verbs": ["get"],
            },
            {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": ["get"]},
        ],
    }
    assert list(plain(listed)) == [DEPLOYMENT]


def test_paths() -> None:
    assert DEPLOYMENT.path("shop", "web", "scale") == "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    assert DEPLOYMENT.path() == "/apis/apps/v1/deployments"
    assert Resource("", "v1", "Node", "nodes", False).path("ignored", "n") == "/api/v1/nodes/n"


def test_the_first_version_is_the_one_that_is_meant() -> None:
    newer = Resource("apps", "v2", "Deployment", "deployments", True)
    resources = Resources([DEPLOYMENT, newer])
    assert resources.by_kind("Deployment.apps") == DEPLOYMENT
    assert resources.by_api("apps/v2", "Deployment") == newer
    assert resources.by_name("deploy") == resources.by_name("Deployment.apps") == DEPLOYMENT
