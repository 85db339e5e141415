import pytest

from wherry.kinds import schema
from wherry.kinds.schema import Table
from wherry.objects.schema import Shape, Type

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


@pytest.fixture(scope="module")
def table() -> Table:
    return schema.load()


def field(table: Table, definition: str, name: str) -> Type:
    struct = table.definition(definition).struct
    assert struct is not None
    return struct.fields[name]


def test_every_definition_resolves(table: Table) -> None:
    assert all(table.definition(name).shape for name in table.names())


def test_a_definition_is_read_once_and_may_contain_itself(table: Table) -> None:
    name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    properties = field(table, name, "properties")
    assert properties.shape is Shape.MAP
    assert properties.items is not None
    assert properties.items.struct is table.definition(name).struct
    assert table.definition(name) is table.definition(name)


def test_ports_merge_by_port_and_protocol_which_is_tcp_if_left_out(table: Table) -> None:
    ports = field(table, CORE + "Container", "ports")
    assert (ports.list_type, ports.map_keys) == ("map", ("containerPort", "protocol"))
    assert ports.key_defaults == {"protocol": "TCP"}
    assert (ports.merge_key, ports.patch_strategy) == ("containerPort", ("merge",))


def test_patch_facts_stand_apart_from_apply_facts(table: Table) -> None:
    volumes = field(table, CORE + "PodSpec", "volumes")
    assert (volumes.merge_key, volumes.patch_strategy) == ("name", ("merge", "retainKeys"))
    conditions = field(table, "io.k8s.api.batch.v1.JobStatus", "conditions")
    assert (conditions.list_type, conditions.merge_key) == ("atomic", "type")
    strategy = field(table, "io.k8s.api.apps.v1.DeploymentSpec", "strategy")
    assert (strategy.merge_key, strategy.patch_strategy) == ("", ("retainKeys",))


def test_atomic_structs_are_atomic_wherever_they_are_used_unless_a_field_says_otherwise(table: Table) -> None:
    assert field(table, "io.k8s.api.apps.v1.DeploymentSpec", "selector").atomic
    assert not field(table, CORE + "PersistentVolumeSpec", "claimRef").atomic
    assert field(table, CORE + "ServiceSpec", "selector").atomic
    subjects = field(table, "io.k8s.api.rbac.v1.RoleBinding", "subjects").items
    others = field(table, "io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects", "subjects").items
    assert subjects is not None
    assert others is not None
    assert (subjects.atomic, others.atomic) == (True, False)


def test_formats_that_the_models_lose_are_there(table: Table) -> None:
    assert field(table, CORE + "PodSpec", "terminationGracePeriodSeconds").format == "int64"
    assert field(table, "io.k8s.api.apps.v1.DeploymentSpec", "replicas").format == "int32"
    assert field(table, META + "ObjectMeta", "creationTimestamp").format == "date-time"
    assert field(table, "io.k8s.api.coordination.v1.LeaseSpec", "renewTime").format == "micro-time"
    limits = field(table, CORE + "ResourceRequirements", "limits").items
    data = field(table, CORE + "Secret", "data").items
    assert limits is not None
    assert data is not None
    assert (limits.shape, data.format) == (Shape.QUANTITY, "byte")
    assert field(table, CORE + "ServicePort", "targetPort").shape is Shape.INT_OR_STRING


def test_an_unknown_definition_is_a_key_error(table: Table) -> None:
    with pytest.raises(KeyError):
        table.definition("io.k8s.api.core.v1.Ship")
