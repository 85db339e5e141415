"""containerd's content store as the node's registry needs it; `images.registry.server.content` says what that is.

The two rooms do not know each other, so what comes and goes is described here by its shape.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self

from wherry.clock import Clock
from wherry.node import content_pb2 as pb
from wherry.node.content_calls import BlobWriting, ContentCalls
from wherry.node.runtime import Runtime, RuntimeFailure
from wherry.node.unpacking import GC_REF, PINNED, chain_ids, hold, seen, unpack

_PREFIX = "wherry-registry-"  # of the writes that are the registry's, so that a new engine knows those of a killed one
_LEASE_LIFE = timedelta(hours=4)
_NEW_LEASE_SECONDS = 3600.0
_AWAY = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED")


class Pointer(Protocol):
    """A descriptor."""

    @property
    def media_type(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def size(self) -> int: ...


class Published(Protocol):
    """A manifest or index whose parts are all there."""

    @property
    def target(self) -> Pointer: ...

    @property
    def data(self) -> bytes: ...

    @property
    def config(self) -> Pointer | None: ...

    @property
    def parts(self) -> Sequence[Pointer]: ...

    @property
    def diff_ids(self) -> Sequence[str] | None: ...

    @property
    def names(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class NamedImage:
    """An image record of containerd's."""

    name: str
    target: pb.Descriptor


@dataclass(frozen=True)
class _Incoming:
    """One blob on its way in."""

    calls: ContentCalls
    writing: BlobWriting

    @property
    def offset(self) -> int:
        return self.writing.offset

    async def write(self, data: bytes) -> None:
        try:
            await self.writing.write(data)
        except RuntimeFailure:
            await self.writing.end()  # containerd removes what came, at the latest when the lease ends
            raise

    async def commit(self, digest: str) -> bool:
        try:
            await self.writing.commit(digest)
        except RuntimeFailure as error:
            await self.abort()
            if error.code in ("FAILED_PRECONDITION", "INVALID_ARGUMENT"):
                return False
            raise
        return True

    async def abort(self) -> None:
        await self.writing.end()
        await self.calls.abort(self.writing.ref)


class RegistryContent:
    """`async with` begins by removing what a killed engine left half-written."""

    def __init__(self, socket: str, runtime: Runtime, clock: Clock) -> None:
        self._socket = socket
        self._runtime = runtime
        self._clock = clock
        self._calls = ContentCalls(socket)
        self._leased = float("-inf")
        self._leasing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        for ref in await self._calls.writes():
            if ref.startswith(_PREFIX):
                await self._calls.abort(ref)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._calls.channel.close(None)  # its lease goes on: whoever pushes will do so to the next engine

    async def held(self, digest: str) -> int | None:
        return await (await self._holding()).held_size(digest)

    async def read(self, digest: str, first: int, count: int) -> AsyncIterator[bytes]:
        if count:
            async for piece in self._calls.read_blob(digest, first, count):
                yield piece

    async def receive(self) -> _Incoming:
        calls = await self._holding()
        return _Incoming(calls, calls.writing(f"{_PREFIX}{uuid.uuid4().hex}"))

    async def record(self, name: str) -> NamedImage | None:
        found = await self._calls.image(name)
        return NamedImage(name, found.target) if found else None

    async def records(self) -> Sequence[NamedImage]:
        return [NamedImage(each.name, each.target) for each in await self._calls.images()]

    async def publish(self, made: Published) -> str:
        """Nothing is named before all of it is there and unpacked."""
        async with ContentCalls(self._socket) as calls:
            await calls.lease()
            await _store(calls, made)
            try:
                await _bind(calls, made)
            except RuntimeFailure as error:
                if error.code in _AWAY or "no space left" in str(error):
                    raise
                return str(error)
            for name in made.names:
                await calls.put_image(pb.NamedImage(name=name, labels=PINNED, target=_descriptor(made.target)))
            if made.diff_ids is not None and made.config is not None:
                for name in made.names:
                    await seen(calls, name, made.config.digest)
        return ""

    async def remove(self, names: Sequence[str]) -> None:
        async with ContentCalls(self._socket) as calls:
            await calls.lease()
            for name in names:
                await calls.remove_image(name)
            await calls.collect()

    async def users(self, configs: Collection[str]) -> Sequence[str]:
        images = [image for image in await self._runtime.images() if image.id in configs]
        names = {name for image in images for name in (image.id, *image.tags, *image.digests)}
        made = [one for one in await self._runtime.containers() if {one.image, one.image_id} & names]
        return sorted({one.labels.get("io.kubernetes.pod.name") or one.name for one in made})

    async def _holding(self) -> ContentCalls:
        """With a lease that keeps what comes for three hours at least."""
        async with self._leasing:
            if self._clock.monotonic() - self._leased > _NEW_LEASE_SECONDS:
                await self._calls.lease(_LEASE_LIFE)
                self._leased = self._clock.monotonic()
        return self._calls


async def _store(calls: ContentCalls, made: Published) -> None:
    if await calls.held_size(made.target.digest) is None:
        writing = calls.writing(f"{_PREFIX}{uuid.uuid4().hex}")
        await writing.write(made.data)
        await writing.commit(made.target.digest)


async def _bind(calls: ContentCalls, made: Published) -> None:
    """The manifest holds its parts, and the config of an image that runs here its snapshots."""
    target, parts = made.target.digest, [_descriptor(part) for part in made.parts]
    if made.diff_ids is not None and made.config is not None:
        await unpack(calls, parts, made.diff_ids)
        await hold(calls, target, made.config.digest, parts, chain_ids(made.diff_ids))
        return
    labels = {f"{GC_REF}content.{'l' if made.config else 'm'}.{number}": one.digest for number, one in enumerate(parts)}
    if made.config:
        labels[f"{GC_REF}content.config"] = made.config.digest
    if labels:
        await calls.label_blob(target, labels)


def _descriptor(value: Pointer) -> pb.Descriptor:
    return pb.Descriptor(media_type=value.media_type, digest=value.digest, size=value.size)
