import dataclasses
from datetime import UTC, datetime

import pytest

from tests.unit.apiserver.http.kinds_for_documents import POD, pod
from wherry.apiserver.http.tables import include_of, partial, partial_list, table
from wherry.kinds import catalog
from wherry.objects.errors import BadRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_table_has_name_first_and_wide_columns_at_priority_one() -> None:
    made = table(POD, [pod("a")], now=NOW, list_meta={"resourceVersion": "9", "continue": "x"})
    assert (made["kind"], made["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert made["metadata"] == {"resourceVersion": "9", "continue": "x"}
    shown = [(c["name"], c["type"], c["format"], c["priority"]) for c in made["columnDefinitions"]]
    assert shown == [
        ("Name", "string", "name", 0),
        ("Ready", "string", "", 0),
        ("Restarts", "integer", "", 0),
        ("Age", "string", "", 0),
        ("IP", "string", "", 1),
    ]
    assert made["columnDefinitions"][1]["description"] == "How many containers are ready."
    assert made["rows"][0]["cells"] == ["a", "1/1", 0, "6y", "<none>"]


def test_rows_carry_nothing_the_metadata_or_the_object() -> None:
    a = pod("a")
    carried = [table(POD, [a], now=NOW, include=i)["rows"][0]["object"] for i in ("None", "Metadata", "Object")]
    assert carried == [None, partial(a), a]
    assert partial(a) == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "a", "namespace": "default", "resourceVersion": "7"},
    }


def test_the_table_of_one_object_has_its_resource_version() -> None:
    assert table(POD, [pod("a")], now=NOW)["metadata"] == {"resourceVersion": "7"}


def test_a_watch_names_the_columns_once() -> None:
    assert table(POD, [pod("a")], now=NOW, headers=False)["columnDefinitions"] is None


def test_a_kind_without_columns_shows_when_its_objects_were_created() -> None:
    plain = dataclasses.replace(POD, columns=())
    obj = {"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    made = table(plain, [obj], now=NOW, version="v1beta1")
    assert made["apiVersion"] == "meta.k8s.io/v1beta1"
    assert [column["name"] for column in made["columnDefinitions"]] == ["Name", "Created At"]
    assert made["rows"][0]["cells"] == ["a", "2026-01-01T00:00:00Z"]


def test_a_list_of_metadata_keeps_the_lists_own() -> None:
    made = partial_list([pod("a"), pod("b")], list_meta={"resourceVersion": "9"})
    assert (made["kind"], made["metadata"]) == ("PartialObjectMetadataList", {"resourceVersion": "9"})
    assert [item["metadata"]["name"] for item in made["items"]] == ["a", "b"]


def test_include_object_is_one_of_three_words() -> None:
    assert [include_of(query) for query in ("", "None", "Object")] == ["Metadata", "None", "Object"]
    with pytest.raises(BadRequest, match="Everything"):
        include_of("Everything")


@pytest.mark.parametrize(("phase", "reason"), [("Succeeded", "Succeeded"), ("Failed", "Failed"), ("Running", None)])
def test_the_row_of_an_ended_pod_is_marked(phase: str, reason: str | None) -> None:
    ended = {**pod("a"), "spec": {"containers": []}, "status": {"phase": phase}}
    (row,) = table(catalog.BY_ID["Pod"], [ended], now=NOW)["rows"]
    marks = [(each["type"], each["status"], each["reason"]) for each in row.get("conditions", ())]
    assert marks == ([("Completed", "True", reason)] if reason else [])
