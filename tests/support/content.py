"""A registry's content store in memory: `Content` without containerd."""

import hashlib
import zlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field

from wherry.images.layout import Descriptor
from wherry.images.registry.server.content import Publication


class StoreFailure(Exception):
    """The store is away."""


@dataclass(frozen=True)
class FakeRecord:
    name: str
    target: Descriptor


@dataclass
class FakeIncoming:
    store: "FakeContent"
    data: bytearray = field(default_factory=bytearray)

    @property
    def offset(self) -> int:
        return len(self.data)

    async def write(self, data: bytes) -> None:
        if self.store.away:
            await self.abort()
            raise StoreFailure("away")
        self.data += data

    async def commit(self, digest: str) -> bool:
        await self.abort()
        if f"sha256:{hashlib.sha256(self.data).hexdigest()}" != digest:
            return False
        self.store.blobs[digest] = bytes(self.data)
        return True

    async def abort(self) -> None:
        self.store.incoming.discard(id(self))


@dataclass
class FakeContent:
    """`using` maps configs to the containers made of them."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, Descriptor] = field(default_factory=dict)
    using: dict[str, str] = field(default_factory=dict)
    incoming: set[int] = field(default_factory=set)
    away: bool = False

    async def held(self, digest: str) -> int | None:
        if self.away:
            raise StoreFailure("away")
        found = self.blobs.get(digest)
        return None if found is None else len(found)

    async def read(self, digest: str, first: int, count: int) -> AsyncIterator[bytes]:
        yield self.blobs[digest][first : first + count]

    async def receive(self) -> FakeIncoming:
        made = FakeIncoming(self)
        self.incoming.add(id(made))
        return made

    async def record(self, name: str) -> FakeRecord | None:
        found = self.names.get(name)
        return FakeRecord(name, found) if found else None

    async def records(self) -> Sequence[FakeRecord]:
        return [FakeRecord(name, target) for name, target in self.names.items()]

    async def publish(self, made: Publication) -> str:
        for part, diff_id in zip(made.parts, made.diff_ids or (), strict=False):
            try:
                plain = zlib.decompress(self.blobs[part.digest], 31)
            except zlib.error as error:
                return str(error)
            if f"sha256:{hashlib.sha256(plain).hexdigest()}" != diff_id:
                return "the layer is something else when it is unpacked"
        self.blobs[made.target.digest] = made.data
        self.names.update(dict.fromkeys(made.names, made.target))
        return ""

    async def remove(self, names: Sequence[str]) -> None:
        for name in names:
            self.names.pop(name, None)

    async def users(self, configs: Collection[str]) -> Sequence[str]:
        return [self.using[each] for each in configs if each in self.using]
