import copy
import json
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.objects.merging_types import CONFIG_MAP, DEPLOYMENT, ROOT
from wherry.objects import Obj
from wherry.objects.apply import LAST_APPLIED, ApplyConflict, ApplyInvalid, apply
from wherry.objects.fieldsets import canonical
from wherry.objects.managed_fields import Write, update_managers
from wherry.objects.schema import Type

CASES = json.loads(resources.files(__package__).joinpath("apply_cases.json").read_bytes())


def run(live: Obj | None, config: Obj, manager: str = "m", time: str = "t", *, force: bool = False, **more: Any) -> Obj:
    before = copy.deepcopy((live, config))
    type_: Type = more.pop("type_", CONFIG_MAP)
    out = apply(live, config, Write(manager, time, "v1", type_, **more), force=force)
    assert (live, config) == before
    return out


def config_map(data: dict[str, Any], **meta: Any) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", **meta}, "data": data}


def owners(obj: Obj) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", [])}


@pytest.mark.parametrize("case", CASES)
def test_recorded_histories_go_as_with_structured_merge_diff(case: list[Obj]) -> None:
    """Histories of applies and updates, with what sigs.k8s.io/structured-merge-diff 6.3.0 made of each step."""
    live: Obj | None = None
    for step in case:
        conflicts: list[str] = []
        invalid = False
        new = {**step["config"], "metadata": {}}
        try:
            if step["op"] == "apply":
                live = run(live, step["config"], step["manager"], force=step["force"], type_=ROOT)
            else:
                who = step["manager"]
                managed = update_managers(live, new, Write(who, "t", "v1", ROOT))
                live = {**new, "metadata": {"managedFields": managed}}
        except ApplyConflict as error:
            conflicts = sorted(whose.split('"')[1] + " " + path for whose, path in error.causes)
        except ApplyInvalid:
            invalid = True
        assert (conflicts, invalid) == (step["conflicts"], step["invalid"])
        assert {key: value for key, value in (live or {}).items() if key != "metadata"} == step["object"]
        assert owners(live or {"metadata": {}}) == {who: canonical(fields) for who, fields in step["managed"].items()}


def test_applying_again_changes_nothing() -> None:
    config = config_map({"a": "1"}, labels={"l": "1"})
    once = run(None, config)
    assert run(once, config, time="later") == once
    assert owners(once) == {"m": {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}}


def test_conflicts_name_manager_and_field() -> None:
    live = run(None, config_map({"a": "1", "b": "1"}), "other")
    with pytest.raises(ApplyConflict) as caught:
        run(live, config_map({"a": "2"}))
    assert caught.value.causes == [('conflict with "other"', ".data.a")]
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "other": .data.a'
    with pytest.raises(ApplyConflict) as caught:
        run(live, config_map({"a": "2", "b": "2"}))
    assert str(caught.value) == 'Apply failed with 2 conflicts: conflicts with "other":\n- .data.a\n- .data.b'


def test_conflicts_with_updates_name_their_version() -> None:
    live = config_map({"a": "1"})
    entries = update_managers(None, live, Write("edit", "t", "v1", CONFIG_MAP, subresource="status"))
    live["metadata"]["managedFields"] = entries
    with pytest.raises(ApplyConflict) as caught:
        run(live, config_map({"a": "2"}))
    assert caught.value.causes == [('conflict with "edit" with subresource "status" using v1', ".data.a")]


def test_force_takes_over_and_the_same_value_is_shared() -> None:
    live = run(None, config_map({"a": "1", "b": "1"}), "other")
    taken = run(live, config_map({"a": "2", "b": "1"}), force=True)
    assert taken["data"] == {"a": "2", "b": "1"}
    assert owners(taken) == {"other": {"f:data": {"f:b": {}}}, "m": {"f:data": {"f:a": {}, "f:b": {}}}}


def test_what_is_no_longer_listed_goes_unless_someone_owns_it() -> None:
    live = run(None, config_map({"a": "1", "b": "1", "c": "1"}))
    live = run(live, config_map({"b": "1"}), "other")
    live["data"]["unowned"] = "1"
    left = run(live, config_map({"c": "1"}))
    assert left["data"] == {"b": "1", "c": "1", "unowned": "1"}
    assert "data" not in run(
        run(None, config_map({"a": "1"})), {k: v for k, v in config_map({}).items() if k != "data"}
    )


def test_items_without_owner_go_and_defaults_of_keys_count() -> None:
    first = {"items": [{"name": "a", "ports": [{"port": 80}, {"port": 81, "proto": "UDP"}]}, {"name": "b"}]}
    second = {"items": [{"name": "a", "ports": [{"port": 80, "proto": "TCP"}]}]}
    live = run(None, first, type_=ROOT)
    out = run(live, second, type_=ROOT)
    assert out["items"] == [{"name": "a", "ports": [{"port": 80, "proto": "TCP"}]}]


def test_duplicates_and_missing_keys_are_invalid() -> None:
    with pytest.raises(ApplyInvalid, match=r'\.items: duplicate entries for key \[name="a"\]'):
        run(None, {"items": [{"name": "a"}, {"name": "a"}]}, type_=ROOT)
    with pytest.raises(ApplyInvalid, match=r"\.items: element 0: .* omits all key fields"):
        run(None, {"items": [{"value": "a"}]}, type_=ROOT)
    with pytest.raises(ApplyInvalid, match=r"\.set: duplicate entries"):
        run(None, {"set": ["a", "a"]}, type_=ROOT)
    with pytest.raises(ApplyInvalid, match="managedFields must be nil"):
        run(None, config_map({}, managedFields=[]))


def test_reset_fields_are_neither_owned_nor_fought_over() -> None:
    config = {"metadata": {"name": "x"}, "spec": {"replicas": 1}, "status": {"replicas": 1}}
    out = run(None, config, type_=DEPLOYMENT, reset={"f:status": {}})
    assert owners(out) == {"m": {"f:spec": {"f:replicas": {}}}}


def test_an_untracked_object_belongs_to_whoever_was_before() -> None:
    live = config_map({"a": "1", "b": "1"})
    with pytest.raises(ApplyConflict, match=r'"before-first-apply" using v1: \.data\.a'):
        run(live, config_map({"a": "2"}))
    out = run(live, config_map({"a": "2"}), force=True)
    assert owners(out) == {"m": {"f:data": {"f:a": {}}}, "before-first-apply": {"f:data": {".": {}, "f:b": {}}}}


def test_kubectl_takes_over_what_it_applied_on_the_client_side() -> None:
    note = json.dumps(config_map({"a": "1", "b": "1"}))
    live = config_map({"a": "1", "b": "changed"}, annotations={LAST_APPLIED: note})
    entries = update_managers(None, live, Write("kubectl-csa", "t", "v1", CONFIG_MAP))
    live["metadata"]["managedFields"] = entries
    out = run(live, config_map({"a": "2"}), "kubectl")
    assert out["data"] == {"a": "2", "b": "changed"}
    assert json.loads(out["metadata"]["annotations"][LAST_APPLIED]) == config_map({"a": "2"})
    with pytest.raises(ApplyConflict, match=r"\.data\.b"):
        run(live, config_map({"a": "2", "b": "2"}), "kubectl")


def test_null_unsets_a_field() -> None:
    live = run(None, config_map({"a": "1", "b": "1"}))
    assert run(live, config_map({"a": None, "b": "1"}))["data"] == {"b": "1"}


ITEM = st.fixed_dictionaries({}, optional={"value": st.sampled_from("12"), "labels": st.just({"x": "1"})})
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "s": st.sampled_from("12"),
        "labels": st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), min_size=1),
        "set": st.lists(st.sampled_from("pqr"), unique=True, min_size=1),
        "items": st.dictionaries(st.sampled_from("abc"), ITEM, min_size=1).map(
            lambda items: [{"name": name, **item} for name, item in items.items()]
        ),
        "atoms": st.lists(st.sampled_from("mn"), min_size=1),
    },
)


@given(CONFIGS, CONFIGS, CONFIGS)
def test_a_lone_applier_gets_exactly_its_configuration(first: Obj, second: Obj, third: Obj) -> None:
    live = run(run(None, first, type_=ROOT), second, type_=ROOT)
    assert {key: value for key, value in live.items() if key != "metadata"} == second
    assert run(live, second, time="later", type_=ROOT) == live
    forced = run(live, third, "other", force=True, type_=ROOT)
    for key, value in third.items():
        if not isinstance(value, list):
            assert {**forced[key], **value} == forced[key] if isinstance(value, dict) else forced[key] == value
    back = run(forced, {}, "other", type_=ROOT)
    assert set(back) - {"metadata"} <= set(second)
