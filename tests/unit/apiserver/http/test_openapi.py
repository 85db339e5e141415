import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.apiserver.http.kinds_for_documents import DEPLOYMENT, KINDS, WIDGET
from wherry.apiserver.http.documents import Document
from wherry.apiserver.http.openapi import PROTO_V2, OpenAPI
from wherry.kinds import schema
from wherry.kinds.core.service import SERVICE
from wherry.kinds.schema.enums import ENUMS
from wherry.objects.errors import NotAcceptable, NotFound

ITEM = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
DEPLOYMENT_GVK = {"group": "apps", "kind": "Deployment", "version": "v1"}


@pytest.fixture(scope="module")
def openapi() -> OpenAPI:
    return OpenAPI(KINDS, schema.load(), "v1.34.4")


def content(document: Document) -> Any:
    return json.loads(document.body)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (part for key, part in value.items() if key == "$ref" and isinstance(part, str))
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_the_index_names_a_document_for_each_group_version_by_its_hash(openapi: OpenAPI) -> None:
    found = content(openapi.index())["paths"]
    others = [f"apis/{path}/v1" for path in ("apps", "authentication.k8s.io", "autoscaling")]
    assert list(found) == ["api/v1", *others, "apis/autoscaling/v2", "apis/example.com/v1"]
    assert found["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")


def test_a_hash_changes_with_its_own_document_only(openapi: OpenAPI) -> None:
    changed = dataclasses.replace(WIDGET, extra={"openapi": {"type": "object"}})
    other = OpenAPI([changed if kind is WIDGET else kind for kind in KINDS], schema.load(), "v1.34.4")
    before, after = content(openapi.index())["paths"], content(other.index())["paths"]
    assert {path for path in before if before[path] != after[path]} == {"apis/example.com/v1"}


def test_patch_takes_what_kubectl_looks_for(openapi: OpenAPI) -> None:
    patch = content(openapi.v3("apis/apps/v1"))["paths"][ITEM]["patch"]
    named = {parameter["name"] for parameter in patch["parameters"]}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} == named
    assert patch["operationId"] == "patchAppsV1NamespacedDeployment"
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["x-kubernetes-group-version-kind"] == DEPLOYMENT_GVK
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]


def test_paths_follow_the_kinds_scope_and_verbs(openapi: OpenAPI) -> None:
    core = content(openapi.v3("api/v1"))["paths"]
    assert set(core["/api/v1/pods"]) == {"get", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/pods"]) == {"get", "post", "delete", "parameters"}
    assert set(core["/api/v1/namespaces/{name}"]) == {"get", "put", "patch", "delete", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/pods/{name}/exec"]) == {"get", "post", "parameters"}
    eviction = core["/api/v1/namespaces/{namespace}/pods/{name}/eviction"]["post"]
    assert eviction["x-kubernetes-group-version-kind"] == {"group": "policy", "kind": "Eviction", "version": "v1"}
    reviews = content(openapi.v3("apis/authentication.k8s.io/v1"))["paths"]
    assert set(reviews["/apis/authentication.k8s.io/v1/tokenreviews"]) == {"post", "parameters"}


def test_definitions_carry_descriptions_and_merge_facts(openapi: OpenAPI) -> None:
    schemas = content(openapi.v3("apis/apps/v1"))["components"]["schemas"]
    assert schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"] == [DEPLOYMENT_GVK]
    strategy = schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]
    assert strategy == {
        "description": "The deployment strategy to use to replace existing pods with new ones.",
        "allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}],
        "x-kubernetes-patch-strategy": "retainKeys",
    }
    ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"


@pytest.mark.parametrize("path", ["api/v1", "apis/apps/v1", "apis/autoscaling/v1", "apis/example.com/v1"])
def test_every_reference_of_a_v3_document_leads_somewhere(openapi: OpenAPI, path: str) -> None:
    document = content(openapi.v3(path))
    assert {ref.removeprefix("#/components/schemas/") for ref in references(document)} <= set(
        document["components"]["schemas"]
    )


def test_every_reference_of_v2_leads_somewhere_and_operation_ids_are_unique(openapi: OpenAPI) -> None:
    document = content(openapi.v2())
    assert {ref.removeprefix("#/definitions/") for ref in references(document)} <= set(document["definitions"])
    operations = [op for item in document["paths"].values() for key, op in item.items() if key != "parameters"]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))


def test_delete_options_belong_to_every_group_version(openapi: OpenAPI) -> None:
    options = content(openapi.v2())["definitions"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]
    groups = [(gvk["group"], gvk["version"]) for gvk in options["x-kubernetes-group-version-kind"]]
    assert ("", "v1") in groups
    assert ("example.com", "v1") in groups


def test_a_custom_kinds_schema_is_shown_and_weakened_where_v2_cannot_say_it(openapi: OpenAPI) -> None:
    v3 = content(openapi.v3("apis/example.com/v1"))["components"]["schemas"]["com.example.v1.Widget"]
    v2 = content(openapi.v2())["definitions"]["com.example.v1.Widget"]
    assert v3["x-kubernetes-group-version-kind"] == [{"group": "example.com", "kind": "Widget", "version": "v1"}]
    assert v3["properties"]["spec"]["properties"]["maybe"] == {"type": "string", "nullable": True}
    assert v2["properties"]["spec"]["properties"] == {"size": {"x-kubernetes-int-or-string": True}, "maybe": {}}
    assert v2["properties"]["metadata"]["$ref"].endswith("ObjectMeta")
    assert "openapi" in WIDGET.extra
    assert "metadata" not in WIDGET.extra["openapi"]["properties"]


def test_v2_comes_as_protobuf_where_that_is_asked_for_first(openapi: OpenAPI) -> None:
    answered = openapi.v2(f"{PROTO_V2}, application/json")
    assert answered.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert answered.body.startswith(b"\x0a\x032.0")
    assert openapi.v2("*/*").content_type == "application/json"
    with pytest.raises(NotAcceptable):
        openapi.v2("text/plain")


def test_what_is_not_served_has_no_document(openapi: OpenAPI) -> None:
    with pytest.raises(NotFound):
        openapi.v3("apis/apps/v2")


def test_a_forgotten_document_is_rendered_again_alike() -> None:
    openapi = OpenAPI([DEPLOYMENT], schema.load(), "v1.34.4")
    before = openapi.v3("apis/apps/v1")
    openapi.forget()
    assert openapi.v3("apis/apps/v1") == before


def test_a_field_of_few_words_lists_them_in_both_dialects(openapi: OpenAPI) -> None:
    words = ["Recreate", "RollingUpdate"]
    new = content(openapi.v3("apis/apps/v1"))["components"]["schemas"]["io.k8s.api.apps.v1.DeploymentStrategy"]
    old = content(openapi.v2())["definitions"]["io.k8s.api.apps.v1.DeploymentStrategy"]
    assert new["properties"]["type"]["enum"] == old["properties"]["type"]["enum"] == words


def test_a_list_of_few_words_has_them_at_its_items() -> None:
    spec = content(OpenAPI([SERVICE], schema.load(), "v1.34.4").v3("api/v1"))["components"]["schemas"][
        "io.k8s.api.core.v1.ServiceSpec"
    ]
    assert spec["properties"]["ipFamilies"]["items"]["enum"] == ["", "IPv4", "IPv6"]


def test_every_field_of_few_words_is_a_field_of_the_table() -> None:
    table = schema.load()
    fields = {
        f"{name.rpartition('.')[2]}.{field}" for name in table.names() for field in table.entry(name).get("fields", ())
    }
    assert set(ENUMS) <= fields
