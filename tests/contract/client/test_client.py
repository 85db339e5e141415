"""What every Client promises to actors."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.apiserver import ApiServer
from tests.support.model import deployment
from wherry.client.client import Client, Patch, WatchEvent
from wherry.client.follow import Followed, following
from wherry.client.http import PAGE
from wherry.objects import Obj, Ref
from wherry.objects.errors import AlreadyExists, Conflict, Invalid, NotFound

SECONDS = 10.0


def config(name: str, **data: str) -> Obj:
    meta = {"name": name, "namespace": "default", "labels": {"name": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def names(client: Client, **selectors: str) -> Sequence[str]:
    return sorted(obj["metadata"]["name"] for obj in (await client.list("ConfigMap", "default", **selectors)).items)


async def first(client: Client, count: int, revision: str) -> list[WatchEvent]:
    seen = []
    async with asyncio.timeout(SECONDS):
        async for event in client.watch("ConfigMap", "default", revision=revision):
            if event.type != "BOOKMARK":
                seen.append(event)
            if len(seen) == count:
                break
    return seen


async def test_what_is_created_can_be_read(client: Client) -> None:
    made = await client.create(config("a", key="value"))
    assert made["metadata"]["uid"]
    assert await client.get("ConfigMap", "default", "a") == made


async def test_a_list_has_whole_objects_and_a_revision(client: Client) -> None:
    made = await client.create(config("a"))
    listed = await client.list("ConfigMap", "default", labels="name=a")
    assert list(listed.items) == [made]
    assert int(listed.revision) >= int(made["metadata"]["resourceVersion"])


async def test_a_list_is_of_those_that_are_selected(client: Client) -> None:
    for name in ("a", "b", "c"):
        await client.create(config(name))
    assert await names(client, labels="name in (a,b)") == ["a", "b"]
    assert await names(client, fields="metadata.name=c") == ["c"]


async def test_a_list_is_longer_than_a_page(client: Client, server: ApiServer) -> None:
    wanted = [f"c{number:04}" for number in range(PAGE + 1)]
    await asyncio.gather(*(server.local.create(config(name)) for name in wanted))
    assert await names(client) == wanted


async def test_a_watch_without_a_revision_begins_with_what_there_is(client: Client) -> None:
    await client.create(config("a"))
    event = (await first(client, 1, ""))[0]
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "a")


async def test_a_watch_at_a_revision_tells_what_came_after_it(client: Client) -> None:
    since = (await client.create(config("a")))["metadata"]["resourceVersion"]
    await client.create(config("b"))
    await client.patch("ConfigMap", "default", "b", {"data": {"k": "v"}})
    await client.delete("ConfigMap", "default", "a")
    seen = [(event.type, event.object["metadata"]["name"]) for event in await first(client, 3, since)]
    assert seen == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]


async def test_an_object_cannot_be_created_twice(client: Client) -> None:
    await client.create(config("a"))
    with pytest.raises(AlreadyExists) as caught:
        await client.create(config("a"))
    assert caught.value.details["name"] == "a"


async def test_an_update_at_an_old_revision_is_a_conflict(client: Client) -> None:
    old = await client.create(config("a"))
    new = await client.update({**old, "data": {"k": "1"}})
    assert new["data"] == {"k": "1"}
    with pytest.raises(Conflict):
        await client.update({**old, "data": {"k": "2"}})


async def test_patches_of_all_forms(client: Client) -> None:
    await client.create(config("a", k="v"))

    async def patched(patch: Obj | Sequence[Obj], form: Patch) -> Obj:
        data: Obj = (await client.patch("ConfigMap", "default", "a", patch, form=form))["data"]
        return data

    assert await patched({"data": {"m": "1"}}, Patch.MERGE) == {"k": "v", "m": "1"}
    assert await patched({"data": {"s": "2"}}, Patch.STRATEGIC) == {"k": "v", "m": "1", "s": "2"}
    assert await patched([{"op": "remove", "path": "/data/k"}], Patch.JSON) == {"m": "1", "s": "2"}


async def test_apply_creates_changes_and_removes_what_is_left_out(client: Client) -> None:
    assert (await client.apply(config("a", one="1", two="2"), manager="m"))["data"] == {"one": "1", "two": "2"}
    assert (await client.apply(config("a", one="1"), manager="m"))["data"] == {"one": "1"}


async def test_apply_of_the_same_changes_nothing(client: Client) -> None:
    one = await client.apply(config("a", one="1"), manager="m")
    assert await client.apply(config("a", one="1"), manager="m") == one


async def test_apply_against_another_manager_is_a_conflict_that_names_it(client: Client) -> None:
    await client.apply(config("a", one="1"), manager="first")
    with pytest.raises(Conflict) as caught:
        await client.apply(config("a", one="2"), manager="second")
    assert [(cause.reason, cause.field) for cause in caught.value.causes] == [("FieldManagerConflict", ".data.one")]
    assert 'conflict with "first"' in caught.value.causes[0].message
    forced = await client.apply(config("a", one="2"), manager="second", force=True)
    assert forced["data"] == {"one": "2"}


async def test_a_dry_run_changes_nothing(client: Client) -> None:
    assert (await client.apply(config("a", one="1"), manager="m", dry_run=True))["data"] == {"one": "1"}
    with pytest.raises(NotFound):
        await client.get("ConfigMap", "default", "a")


async def test_a_uid_is_a_precondition_of_deletion(client: Client) -> None:
    made = await client.create(config("a"))
    with pytest.raises(Conflict):
        await client.delete("ConfigMap", "default", "a", uid="another")
    await client.delete("ConfigMap", "default", "a", uid=made["metadata"]["uid"])
    with pytest.raises(NotFound) as caught:
        await client.delete("ConfigMap", "default", "a")
    assert caught.value.details["name"] == "a"


async def test_invalid_objects_are_refused_with_the_field(client: Client) -> None:
    made = deployment(2)
    made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Sometimes"
    with pytest.raises(Invalid) as caught:
        await client.create(made)
    assert [cause.field for cause in caught.value.causes] == ["spec.template.spec.containers[0].imagePullPolicy"]


async def test_unknown_kinds_are_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.get("Starship.fleet.example", "default", "enterprise")


async def test_following_shows_what_there_is_and_every_change(client: Client) -> None:
    await client.create(config("a"))
    what = Followed("ConfigMap", "default", labels="name in (a,b)")
    async with asyncio.timeout(SECONDS), following(client, what) as view:
        assert set(view.objects) == {Ref("ConfigMap", "default", "a")}
        await client.create(config("b"))
        await client.create(config("c"))
        await client.delete("ConfigMap", "default", "a")
        while set(view.objects) != {Ref("ConfigMap", "default", "b")}:
            await view.change()
