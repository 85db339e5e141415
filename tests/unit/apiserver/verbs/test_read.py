"""Lists by selector: the short way through equal labels finds what looking at each object finds."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from wherry.apiserver.verbs.context import ListOptions, Target
from wherry.apiserver.verbs.read import filter_of, list_page
from wherry.apiserver.verbs.registry import Registry, object_of, seal
from wherry.clock import SystemClock
from wherry.kinds import schema
from wherry.kinds.catalog import BY_ID
from wherry.store import Key, Store

KIND = BY_ID["ConfigMap"]
LABELS: list[dict[str, str] | None] = [
    None,
    {},
    {"app": "web"},
    {"app": "web", "tier": "front"},
    {"app": "db", "tier": "back"},
    {"tier": "front"},
    {"app": ""},
]


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(tmp_path)
    for index, labels in enumerate(LABELS):
        meta = {"name": f"c{index}", "namespace": "shop"} | ({} if labels is None else {"labels": labels})
        await store.put(Key("configmaps", "shop", f"c{index}"), seal({"kind": "ConfigMap", "metadata": meta}))
    yield Registry(store, schema.load(), SystemClock())
    await store.close()


@pytest.mark.parametrize(
    "labels",
    [
        "",
        "app=web",
        "app==web",
        "app in (web)",
        "app in (web,db)",
        "app=web,tier!=front",
        "app=web,tier",
        "!app",
        "app=",
    ],
)
@pytest.mark.parametrize("fields", ["", "metadata.name=c3"])
async def test_selected_as_one_by_one(registry: Registry, labels: str, fields: str) -> None:
    wanted = filter_of(KIND, labels, fields)
    every = registry.store.scan("configmaps", "shop")
    expected = [record.key.name for record in every if wanted.matches(object_of(record))]
    page = await list_page(registry, Target(KIND, "shop"), ListOptions(labels=labels, fields=fields))
    assert [record.key.name for record in page.records] == expected


async def test_objects_that_nobody_has_read_since_the_start(registry: Registry, tmp_path: Path) -> None:
    for record in registry.store.scan("configmaps", "shop"):
        record.memo = None
    page = await list_page(registry, Target(KIND, "shop"), ListOptions(labels="app=db"))
    assert [orjson.loads(record.value)["metadata"]["name"] for record in page.records] == ["c4"]
