"""The messages are those of kube-apiserver's decoder (sigs.k8s.io/json on the types of k8s.io/api)."""

from typing import Any

import pytest

from wherry.kinds import schema
from wherry.kinds.schema import Table
from wherry.kinds.schema.check import check
from wherry.objects.schema import Shape, Struct, Type

DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"
LEASE = "io.k8s.api.coordination.v1.Lease"
POD = "io.k8s.api.core.v1.Pod"
SECRET = "io.k8s.api.core.v1.Secret"
CLAIM = "io.k8s.api.core.v1.PersistentVolumeClaim"
REGULAR = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@pytest.fixture(scope="module")
def table() -> Table:
    return schema.load()


def pod_spec(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("definition", "obj", "message"),
    [
        (
            DEPLOYMENT,
            {"spec": {"replicas": "x"}},
            "string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"replicas": 1.5}},
            "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            DEPLOYMENT,
            {"spec": {"replicas": 5000000000}},
            "number 5000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (DEPLOYMENT, {"spec": []}, "array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
        (
            POD,
            pod_spec(ports=5),
            "number into Go struct field Container.spec.containers.ports of type []v1.ContainerPort",
        ),
        (
            POD,
            {"spec": {"containers": ["x"]}},
            "string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        (
            POD,
            pod_spec(resources={"limits": []}),
            "array into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList",
        ),
        (
            POD,
            {"metadata": {"labels": {"a": 1}}},
            "number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            POD,
            {"metadata": {"labels": []}},
            "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            POD,
            {"metadata": {"creationTimestamp": 5}},
            "number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            DEPLOYMENT,
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": True}}}},
            "bool into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32",
        ),
        (SECRET, {"data": {"a": 5}}, "number into Go struct field Secret.data of type []uint8"),
        (POD, {"spec": {"hostNetwork": 1}}, "number into Go struct field PodSpec.spec.hostNetwork of type bool"),
    ],
)
def test_a_value_of_another_type_is_told_as_go_tells_it(
    table: Table, definition: str, obj: dict[str, Any], message: str
) -> None:
    assert check(obj, table.definition(definition)).error == f"json: cannot unmarshal {message}"


@pytest.mark.parametrize(
    ("definition", "obj", "message"),
    [
        (POD, pod_spec(resources={"limits": {"cpu": "abc"}}), REGULAR),
        (CLAIM, {"spec": {"resources": {"requests": {"storage": "1mi"}}}}, "unable to parse quantity's suffix"),
        (SECRET, {"data": {"a": "YWJj*"}}, "illegal base64 data at input byte 4"),
        (
            POD,
            {"metadata": {"creationTimestamp": "2020"}},
            'parsing time "2020" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "-"',
        ),
        (
            POD,
            {"metadata": {"creationTimestamp": "2020-13-01T00:00:00Z"}},
            'parsing time "2020-13-01T00:00:00Z": month out of range',
        ),
        (
            LEASE,
            {"spec": {"renewTime": "2020-01-01T00:00:00Z"}},
            'parsing time "2020-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
        ),
    ],
)
def test_a_value_that_does_not_parse_is_told_as_go_tells_it(
    table: Table, definition: str, obj: dict[str, Any], message: str
) -> None:
    assert check(obj, table.definition(definition)).error == message


def test_a_value_that_parses_itself_ends_decoding_so_its_error_is_the_one_told(table: Table) -> None:
    obj = {"spec": {"replicas": "x"}, "metadata": {"creationTimestamp": 5}}
    assert "creationTimestamp" in check(obj, table.definition(DEPLOYMENT)).error


def test_unknown_fields_are_dropped_and_named_by_their_paths(table: Table) -> None:
    obj: dict[str, Any] = {"foo": 1, "spec": {"containers": [{"name": "a"}, {"imagee": "x", "name": "b"}]}}
    problems = check(obj, table.definition(POD))
    assert problems.error == ""
    assert problems.strict_errors == ('unknown field "foo"', 'unknown field "spec.containers[1].imagee"')
    assert problems.obj == {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}
    assert "imagee" in obj["spec"]["containers"][1], "the object given is not edited"


def test_a_clean_object_comes_back_as_the_very_same_object(table: Table) -> None:
    obj = {"metadata": {"name": "a", "labels": {"a": "b"}}, **pod_spec(resources={"limits": {"cpu": "500m"}})}
    problems = check(obj, table.definition(POD))
    assert problems.obj is obj
    assert problems.unknown == ()


def test_nulls_are_absent_fields_and_zero_values_elsewhere(table: Table) -> None:
    obj = {
        "metadata": {"creationTimestamp": None, "labels": {"a": None}},
        "spec": {"containers": [None], "volumes": None},
    }
    assert check(obj, table.definition(POD)).obj == {"metadata": {"labels": {"a": ""}}, "spec": {"containers": [{}]}}


@pytest.mark.parametrize(
    ("given", "canonical"), [("0.5", "500m"), (1, "1"), (0.1, "100m"), ("1024Mi", "1Gi"), ("1000m", "1"), ("2", "2")]
)
def test_quantities_take_their_canonical_form(table: Table, given: object, canonical: str) -> None:
    obj = pod_spec(resources={"limits": {"cpu": given}})
    read = check(obj, table.definition(POD)).obj
    assert read == pod_spec(resources={"limits": {"cpu": canonical}})
    assert check(read, table.definition(POD)).obj is read


def test_times_are_kept_in_utc_and_in_their_own_precision(table: Table) -> None:
    pod = check({"metadata": {"creationTimestamp": "2026-01-01T02:00:00.5+02:00"}}, table.definition(POD)).obj
    lease = check({"spec": {"renewTime": "2026-01-01T02:00:00.123456+02:00"}}, table.definition(LEASE)).obj
    assert pod == {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    assert lease == {"spec": {"renewTime": "2026-01-01T00:00:00.123456Z"}}


def test_free_content_is_kept_as_it_came(table: Table) -> None:
    obj = {"data": {"spec": {"anything": [None, {"x": 1.5}]}}, "revision": 1}
    problems = check(obj, table.definition("io.k8s.api.apps.v1.ControllerRevision"))
    assert problems.obj is obj


def test_required_fields_are_not_asked_for(table: Table) -> None:
    assert check({"spec": {}}, table.definition(DEPLOYMENT)).error == ""


def test_more_than_a_hundred_unknown_fields_are_not_listed() -> None:
    type_ = Type(shape=Shape.OBJECT, struct=Struct("x.y.Empty"))
    problems = check({str(i): i for i in range(150)}, type_)
    assert (len(problems.unknown), problems.obj) == (100, {})
