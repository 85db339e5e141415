"""Following objects through watches that end, break, expire and fail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from wherry.client import follow
from wherry.client.client import Client, Listed, WatchEvent
from wherry.client.follow import Followed, following
from wherry.objects import Obj, Ref
from wherry.objects.errors import ApiError, Expired, Forbidden, ServiceUnavailable

SECONDS = 10.0


def config(name: str, revision: int) -> Obj:
    meta = {"name": name, "namespace": "default", "resourceVersion": str(revision)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


class Scripted:
    """Lists and watches that say one thing after the other; the last watch stays open."""

    def __init__(self, lists: list[list[Obj] | ApiError], watches: list[list[WatchEvent | ApiError]]) -> None:
        self.lists, self.watches = lists, watches
        self.since: list[str] = []

    async def list(self, kind: str, namespace: str = "", **_: Any) -> Listed:
        said = self.lists.pop(0)
        if isinstance(said, ApiError):
            raise said
        return Listed("10", said)

    async def watch(self, kind: str, namespace: str = "", *, revision: str = "", **_: Any) -> AsyncIterator[WatchEvent]:
        self.since.append(revision)
        if not self.watches:
            await asyncio.Event().wait()
        for said in self.watches.pop(0):
            if isinstance(said, ApiError):
                raise said
            yield said


async def followed(script: Scripted, until: set[str]) -> None:
    async with asyncio.timeout(SECONDS), following(cast(Client, script), Followed("ConfigMap", "default")) as view:
        while set(view.objects) != {Ref("ConfigMap", "default", name) for name in until} or script.watches:
            await view.change()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "FIRST_WAIT", 0.001)


async def test_a_watch_that_ends_is_resumed_where_it_was() -> None:
    script = Scripted(
        [[config("a", 5)]], [[WatchEvent("ADDED", config("b", 11))], [WatchEvent("DELETED", config("a", 12))]]
    )
    await followed(script, {"b"})
    assert script.since[:2] == ["10", "11"]


async def test_bookmarks_move_the_place_to_resume_at_and_nothing_else() -> None:
    bookmark = WatchEvent("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": "99"}})
    script = Scripted([[]], [[bookmark], [WatchEvent("ADDED", config("a", 100))]])
    await followed(script, {"a"})
    assert script.since[:2] == ["10", "99"]


async def test_a_watch_that_breaks_is_resumed_at_a_revision_from_before() -> None:
    broken: list[WatchEvent | ApiError] = [WatchEvent("ADDED", config("a", 11)), ServiceUnavailable("gone")]
    script = Scripted([[]], [broken, [WatchEvent("ADDED", config("b", 12))]])
    await followed(script, {"a", "b"})
    assert script.since[:2] == ["10", "10"]


async def test_after_410_everything_is_listed_anew() -> None:
    script = Scripted(
        [[config("a", 5)], [config("b", 20)]], [[Expired("too old")], [WatchEvent("ADDED", config("c", 21))]]
    )
    await followed(script, {"b", "c"})


async def test_what_will_not_get_better_ends_it() -> None:
    script = Scripted([Forbidden("not yours")], [])
    with pytest.raises(Forbidden, match="not yours"):
        await followed(script, set())
    later = Scripted([[]], [[Forbidden("no longer yours")]])
    with pytest.raises(Forbidden, match="no longer yours"):
        await followed(later, {"never"})
