"""Images that can go from the node: pulled by pods of the past, and neither pinned nor used by a container.

What was built, loaded or pushed here is pinned, and no registry of the outside could give it back: it stays, unless
`untagged` asks for what later builds of the same tag have left without one.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from wherry.node.content_calls import ContentCalls
from wherry.node.runtime import Runtime
from wherry.node.unpacking import PIN_LABEL

GRACE = timedelta(hours=1)
"""An image that has just come may be of a pod that is about to begin."""
_LARGEST_MANIFEST = 4 << 20


@dataclass(frozen=True)
class Known:
    """One name of an image; `points_to` has the manifests of an index and the subject of what hangs on another."""

    name: str
    digest: str
    pinned: bool
    changed: datetime
    points_to: Sequence[str] = field(default_factory=tuple)


def removable(known: Sequence[Known], used: Collection[str], now: datetime, *, untagged: bool = False) -> Iterator[str]:
    """The names that can go. `used` are the names of images that containers have."""
    tagged = {(_repository(one.name), one.digest) for one in known if "@" not in one.name}
    stays = [one for one in known if _stays(one, used, now, tagged, untagged=untagged)]
    kept = _reached({one.digest for one in stays}, {one.digest: one.points_to for one in known})
    for one in known:
        hangs_on_kept = any(pointed in kept for pointed in one.points_to)
        if one not in stays and one.digest not in kept and not hangs_on_kept:
            yield one.name


def _stays(
    one: Known, used: Collection[str], now: datetime, tagged: Collection[tuple[str, str]], *, untagged: bool
) -> bool:
    if one.name in used or now - one.changed < GRACE:
        return True
    loose = untagged and "@" in one.name and (_repository(one.name), one.digest) not in tagged
    return one.pinned and not loose


def _reached(digests: Collection[str], points_to: Mapping[str, Sequence[str]]) -> set[str]:
    found, todo = set(digests), list(digests)
    while todo:
        for each in points_to.get(todo.pop(), ()):
            if each not in found:
                found.add(each)
                todo.append(each)
    return found


def _repository(name: str) -> str:
    head, slash, last = name.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


async def collect(socket: str, runtime: Runtime, now: datetime, *, untagged: bool = False) -> list[str]:
    """Remove the images that can go and wait until their space is free; their names. Raises RuntimeFailure."""
    async with ContentCalls(socket) as calls:
        await calls.lease()
        known = [one async for one in _known(calls)]
        used = await _used(runtime)
        gone = list(removable(known, used, now, untagged=untagged))
        for name in gone:
            await calls.remove_image(name)
        await calls.collect()
    return gone


async def _known(calls: ContentCalls) -> AsyncIterator[Known]:
    for one in await calls.images():
        changed = one.updated_at.ToDatetime(UTC)
        points_to = await _points_to(calls, one.target.digest)
        yield Known(one.name, one.target.digest, PIN_LABEL in one.labels, changed, points_to)


async def _points_to(calls: ContentCalls, digest: str) -> tuple[str, ...]:
    size = await calls.blob_size(digest)
    if size is None or size > _LARGEST_MANIFEST:
        return ()
    try:
        value = orjson.loads(b"".join([piece async for piece in calls.read_blob(digest, 0, size)]))
        subject = value.get("subject")
        return tuple(str(each["digest"]) for each in (*value.get("manifests", ()), *([subject] if subject else ())))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return ()  # what is no manifest points to nothing


async def _used(runtime: Runtime) -> set[str]:
    """All names of the images that containers have."""
    named = {name for one in await runtime.containers() for name in (one.image, one.image_id)}
    images = [{image.id, *image.tags, *image.digests} for image in await runtime.images()]
    return named.union(*(names for names in images if names & named))
