"""What the registry needs of the store below it: containerd's on a node, one in memory in tests.

What the store cannot do for reasons of its own (it is away, the disk is full) it raises as one exception type, which
whoever builds the registry names; all that a client can cause is an answer.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from wherry.images.layout import Descriptor


class Pointer(Protocol):
    """A descriptor, of whatever room."""

    @property
    def media_type(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def size(self) -> int: ...


class Record(Protocol):
    """A full image name and the manifest or index that it points to."""

    @property
    def name(self) -> str: ...

    @property
    def target(self) -> Pointer: ...


@dataclass(frozen=True)
class Publication:
    """A manifest or index to be stored and named; all that it points to is there already.

    `diff_ids` are those of an image that runs on this machine, to be unpacked; None for all else. The last of `names`
    is the one by which the registry serves it, so that it is set when all others are.
    """

    target: Descriptor
    data: bytes
    config: Descriptor | None
    parts: Sequence[Descriptor]  # an image's layers, an index's manifests
    diff_ids: Sequence[str] | None
    names: Sequence[str]


class Incoming(Protocol):
    """One blob on its way in. Until `commit` has returned True nobody can read any of it.

    A failure of the store ends it.
    """

    @property
    def offset(self) -> int:
        """Bytes that have come."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def commit(self, digest: str) -> bool:
        """Whether the bytes have that digest; if not, nothing of them stays. Ends it, as does `abort`."""
        ...

    async def abort(self) -> None: ...


class Content(Protocol):
    async def held(self, digest: str) -> int | None:
        """The size of a blob that is there; it stays for an hour at least, used or not."""
        ...

    def read(self, digest: str, first: int, count: int) -> AsyncIterator[bytes]: ...

    async def receive(self) -> Incoming: ...

    async def record(self, name: str) -> Record | None: ...

    async def records(self) -> Sequence[Record]: ...

    async def publish(self, made: Publication) -> str:
        """Store, unpack, name; pods can use it by all names when this returns. Not "": why it cannot be unpacked."""
        ...

    async def remove(self, names: Sequence[str]) -> None:
        """Forget names; what no name needs any more goes by itself."""
        ...

    async def users(self, configs: Collection[str]) -> Sequence[str]:
        """The containers made of images with one of these configs."""
        ...
