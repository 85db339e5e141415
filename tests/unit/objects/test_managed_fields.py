import copy
from typing import Any

import pytest

from tests.unit.objects.merging_types import CONFIG_MAP, DEPLOYMENT
from wherry.objects import Obj
from wherry.objects.fieldsets import from_paths
from wherry.objects.managed_fields import Write, update_managers

FIELDS_A: Obj = {"f:data": {".": {}, "f:a": {}}}


def config_map(data: dict[str, str] | None = None, managed: Any = None, **meta: Any) -> Obj:
    out: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "uid": "u", **meta}}
    if data is not None:
        out["data"] = data
    if managed is not None:
        out["metadata"]["managedFields"] = managed
    return out


def update(live: Obj | None, new: Obj, manager: str = "m", time: str = "t2", **more: Any) -> list[Obj]:
    before = copy.deepcopy((live, new))
    out = update_managers(live, new, Write(manager, time, "v1", CONFIG_MAP, **more))
    assert (live, new) == before
    return out


def entry(manager: str, fields: Any, time: str = "t1", **more: Any) -> Obj:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def test_a_create_owns_what_it_sets_but_not_what_the_server_sets() -> None:
    new = config_map({"a": "1"}, labels={"l": "1"}, namespace="n", generation=1)
    fields = {"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}
    assert update(None, new) == [entry("m", fields, "t2")]
    assert update(None, config_map()) == []


def test_a_write_that_changes_nothing_keeps_the_entries() -> None:
    live = config_map({"a": "1"}, [entry("m", FIELDS_A)])
    new = config_map({"a": "1"}, resourceVersion="7")
    assert update(live, new) is live["metadata"]["managedFields"]
    assert update(live, {**live, "kind": "x"}, manager="other") is live["metadata"]["managedFields"]


def test_the_same_manager_moves_its_time_and_keeps_its_fields() -> None:
    live = config_map({"a": "1"}, [entry("m", FIELDS_A)])
    assert update(live, config_map({"a": "2"})) == [entry("m", FIELDS_A, "t2")]


def test_another_manager_takes_what_it_changes() -> None:
    live = config_map({"a": "1", "b": "1"}, [entry("m", {"f:data": {".": {}, "f:a": {}, "f:b": {}}})])
    assert update(live, config_map({"a": "2", "b": "1", "c": "1"}), "other") == [
        entry("m", {"f:data": {".": {}, "f:b": {}}}),
        entry("other", {"f:data": {"f:a": {}, "f:c": {}}}, "t2"),
    ]


def test_removed_fields_belong_to_nobody() -> None:
    live = config_map({"a": "1", "b": "1"}, [entry("m", {"f:data": {".": {}, "f:a": {}, "f:b": {}}})])
    assert update(live, config_map({"a": "1"}), "other") == [entry("m", FIELDS_A)]
    assert update(live, config_map(), "other") == []
    assert update(live, config_map({"a": "1"}), "m") == [entry("m", FIELDS_A)]


def test_subresources_are_managed_apart() -> None:
    live: Obj = {"metadata": {"managedFields": [entry("m", {"f:spec": {"f:replicas": {}}})]}, "spec": {"replicas": 1}}
    new = {**live, "status": {"replicas": 1}, "spec": {"replicas": 5}}
    out = update_managers(live, new, Write("m", "t2", "v1", DEPLOYMENT, subresource="status", reset=from_paths("spec")))
    assert out == [
        *live["metadata"]["managedFields"],
        entry("m", {"f:status": {"f:replicas": {}}}, "t2", subresource="status"),
    ]


def test_clients_may_send_and_reset_managed_fields() -> None:
    live = config_map({"a": "1"}, [entry("m", FIELDS_A)])
    sent = [entry("sent", FIELDS_A)]
    assert update(live, config_map({"a": "1"}, sent)) == sent
    assert update(live, config_map({"a": "1"}, [])) == []
    assert update(live, config_map({"a": "1"}, [{}])) == []
    assert (
        update(live, config_map({"a": "1"}, [{**sent[0], "fieldsV1": {"bad": {}}}]))
        == live["metadata"]["managedFields"]
    )
    assert update(live, config_map({"a": "1"}, []), subresource="status") == live["metadata"]["managedFields"]


def test_an_untracked_object_stays_untracked() -> None:
    assert update(config_map({"a": "1"}), config_map({"a": "2"})) == []


def test_more_than_ten_updaters_are_thrown_together() -> None:
    live = config_map({"k": "0"}, [entry("first", {"f:data": {".": {}, "f:k": {}}}, "t00")])
    for number in range(12):
        data = {**live["data"], f"k{number}": "1"}
        live = config_map(data, update(live, config_map(data), f"m{number}", f"t{number + 10}"))
    entries = live["metadata"]["managedFields"]
    assert [e["manager"] for e in entries] == ["ancient-changes", *(f"m{number}" for number in range(3, 12))]
    assert entries[0]["time"] == "t12"
    assert entries[0]["fieldsV1"] == {"f:data": {".": {}, "f:k": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}}


@pytest.mark.parametrize("value", [{}, {"image": "x"}])
def test_structs_that_are_always_there_have_no_owner(value: Obj) -> None:
    new: Obj = {"metadata": {}, "spec": {"containers": [{"name": "a", **value}]}, "status": {}}
    (only,) = update_managers(None, new, Write("m", "t", "v1", DEPLOYMENT))
    fields: Obj = {".": {}, "f:name": {}, **{f"f:{key}": {} for key in value}}
    assert only["fieldsV1"] == {"f:spec": {"f:containers": {".": {}, 'k:{"name":"a"}': fields}}}
