"""Metadata of every kind."""

import pytest

from tests.unit.kinds.objects import errors, obj
from wherry.kinds.core.configmap import CONFIGMAP
from wherry.kinds.core.namespace import NAMESPACE
from wherry.kinds.meta import validate_meta_update
from wherry.objects import Obj

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1", "controller": True}


def test_a_plain_object_is_valid() -> None:
    meta = {"labels": {"app.kubernetes.io/name": "web", "empty": ""}, "annotations": {"Example.com/Note": "free text"}}
    assert errors(CONFIGMAP, obj(CONFIGMAP, metadata=meta)) == []


@pytest.mark.parametrize(
    ("meta", "error"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "Web"}, 'metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of'),
        ({"generateName": "Web-"}, 'metadata.generateName: Invalid value: "Web-": a lowercase RFC 1123 subdomain'),
        ({"namespace": ""}, "metadata.namespace: Required value"),
        ({"labels": {"a b": "c"}}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
        ({"labels": {"a": "c d"}}, 'metadata.labels: Invalid value: "c d": a valid label must be an empty string'),
        ({"annotations": {"a": "x" * 2**18}}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
        ({"finalizers": ["a/b/c"]}, 'metadata.finalizers: Invalid value: "a/b/c": a qualified name must consist of'),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            (
                'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and '
                "foregroundDeletion cannot be both set"
            ),
        ),
        (
            {"ownerReferences": [OWNER, {**OWNER, "uid": "2", "name": "b"}]},
            'Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/a and',
        ),
        ({"ownerReferences": [{**OWNER, "uid": ""}]}, 'metadata.ownerReferences.uid: Invalid value: "": must not'),
    ],
)
def test_an_error_has_upstreams_path_and_words(meta: Obj, error: str) -> None:
    found = errors(CONFIGMAP, obj(CONFIGMAP, metadata=meta))
    assert len(found) == 1
    assert error in found[0]


def test_a_generated_name_may_end_in_a_dash() -> None:
    assert errors(CONFIGMAP, obj(CONFIGMAP, metadata={"generateName": "web-"})) == []


def test_a_cluster_wide_object_has_no_namespace() -> None:
    found = errors(NAMESPACE, obj(NAMESPACE, metadata={"namespace": "shop"}))
    assert found == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_an_update_keeps_who_the_object_is() -> None:
    old = obj(CONFIGMAP, metadata={"uid": "1", "resourceVersion": "5", "generation": 2, "deletionTimestamp": "t"})
    new = obj(CONFIGMAP, metadata={"uid": "2", "deletionTimestamp": "t", "finalizers": ["b/c", "a/b"]})
    assert [str(error) for error in validate_meta_update(new, old)] == [
        (
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
            'found new finalizers []string{"a/b", "b/c"}'
        ),
        'metadata.resourceVersion: Invalid value: "": must be specified for an update',
        "metadata.generation: Invalid value: 0: must not be decremented",
        'metadata.uid: Invalid value: "2": field is immutable',
    ]
    assert list(validate_meta_update(old, old)) == []
