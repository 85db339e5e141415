import dataclasses
import json
from typing import Any

import pytest

from tests.unit.apiserver.http.kinds_for_documents import DEPLOYMENT, KINDS, POD
from wherry.apiserver.http.discovery import Discovery, group_versions
from wherry.apiserver.http.documents import Document
from wherry.objects.errors import NotAcceptable, NotFound

UPDATABLE = ["get", "patch", "update"]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KUBECTL = f"{AGGREGATED},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"


def content(document: Document) -> Any:
    return json.loads(document.body)


def test_groups_stand_in_upstreams_order_and_others_follow() -> None:
    served = [*KINDS, dataclasses.replace(DEPLOYMENT, group="a.example.com")]
    assert list(group_versions(served)) == [
        "",
        "apps",
        "authentication.k8s.io",
        "autoscaling",
        "a.example.com",
        "example.com",
    ]


def test_versions_stand_stable_before_beta_before_alpha_and_the_newest_first() -> None:
    versions = ["v1alpha3", "foo", "v1", "v2beta1", "v11", "v2beta10"]
    served = [dataclasses.replace(DEPLOYMENT, version=version) for version in versions]
    assert group_versions(served) == {"apps": ["v11", "v1", "v2beta10", "v2beta1", "v1alpha3", "foo"]}


def test_a_group_prefers_its_first_version() -> None:
    assert content(Discovery(KINDS).group("autoscaling")) == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "autoscaling",
        "versions": [
            {"groupVersion": "autoscaling/v2", "version": "v2"},
            {"groupVersion": "autoscaling/v1", "version": "v1"},
        ],
        "preferredVersion": {"groupVersion": "autoscaling/v2", "version": "v2"},
    }


def test_resources_are_listed_by_name_each_with_its_subresources() -> None:
    listed = content(Discovery(KINDS).resources("", "v1"))
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "v1")
    assert [resource["name"] for resource in listed["resources"]] == [
        "namespaces",
        "namespaces/finalize",
        "namespaces/status",
        "pods",
        "pods/eviction",
        "pods/exec",
        "pods/log",
        "pods/status",
    ]
    pods, eviction, exec_ = (listed["resources"][index] for index in (3, 4, 5))
    assert pods == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert eviction == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }
    assert (exec_["kind"], exec_["verbs"]) == ("PodExecOptions", ["create", "get"])


def test_scale_is_a_subresource_of_another_group() -> None:
    scale = content(Discovery(KINDS).resources("apps", "v1"))["resources"][1]
    assert (scale["name"], scale["group"], scale["version"], scale["kind"], scale["verbs"]) == (
        "deployments/scale",
        "autoscaling",
        "v1",
        "Scale",
        UPDATABLE,
    )


def test_a_kind_that_is_only_created_has_no_storage_version() -> None:
    review = content(Discovery(KINDS).resources("authentication.k8s.io", "v1"))["resources"][0]
    assert (review["verbs"], "storageVersionHash" in review) == (["create"], False)


def test_kubectl_gets_all_groups_at_once_in_the_form_it_likes_best() -> None:
    document = Discovery(KINDS).groups(KUBECTL)
    assert document.content_type == AGGREGATED
    listed = content(document)
    assert (listed["kind"], listed["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    apps = listed["items"][0]
    assert apps["metadata"]["name"] == "apps"
    assert apps["versions"] == [
        {
            "version": "v1",
            "resources": [
                {
                    "resource": "deployments",
                    "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                    "scope": "Namespaced",
                    "singularResource": "deployment",
                    "verbs": list(DEPLOYMENT.verbs),
                    "shortNames": ["deploy"],
                    "subresources": [
                        {
                            "subresource": "scale",
                            "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
                            "verbs": UPDATABLE,
                        },
                        {
                            "subresource": "status",
                            "responseKind": {"group": "", "version": "", "kind": "Deployment"},
                            "verbs": UPDATABLE,
                        },
                    ],
                }
            ],
            "freshness": "Current",
        }
    ]


def test_older_clients_get_the_beta_form_or_the_plain_one() -> None:
    discovery = Discovery(KINDS)
    beta = content(discovery.legacy(KUBECTL.split(",", 1)[1]))
    assert (beta["apiVersion"], len(beta["items"])) == ("apidiscovery.k8s.io/v2beta1", 1)
    assert content(discovery.legacy())["versions"] == ["v1"]
    assert content(discovery.groups("application/vnd.kubernetes.protobuf, */*"))["kind"] == "APIGroupList"
    with pytest.raises(NotAcceptable):
        discovery.groups("application/vnd.kubernetes.protobuf")


def test_a_document_is_known_again_by_its_etag() -> None:
    first, second = Discovery(KINDS).groups(KUBECTL), Discovery(KINDS).groups(KUBECTL)
    assert second.matches(first.headers["ETag"])
    assert second.matches(f'"x", W/{first.headers["ETag"]}')
    assert not Discovery([POD, DEPLOYMENT]).groups(KUBECTL).matches(first.headers["ETag"])
    assert not first.matches(None)


def test_what_is_not_served_is_not_found() -> None:
    discovery = Discovery(KINDS)
    with pytest.raises(NotFound, match="could not find the requested resource"):
        discovery.resources("apps", "v2")
    for group in ("nope", ""):
        with pytest.raises(NotFound, match="could not find the requested resource"):
            discovery.group(group)


def test_the_root_says_where_everything_is() -> None:
    paths = content(Discovery(KINDS).paths())["paths"]
    assert {"/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v3", "/readyz", "/version"} <= set(
        paths
    )
    assert paths == sorted(paths)
