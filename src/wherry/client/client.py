"""The Client Protocol: every actor reads and writes the API through it, whichever server is behind it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from wherry.objects import Obj


class Patch(Enum):
    """Patch formats, by media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


class Listed(NamedTuple):
    """A list and the revision at which it was exact."""

    revision: str
    items: Sequence[Obj]


@dataclass(frozen=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; an ERROR is raised as its ApiError instead."""

    type: str
    object: Obj


class Client(Protocol):
    """Kinds are named by GroupKind (`Pod`, `Deployment.apps`). Every call may raise an ApiError (`objects.errors`)."""

    async def get(self, kind: str, namespace: str, name: str, *, subresource: str = "") -> Obj: ...

    async def list(self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "") -> Listed: ...

    def watch(
        self, kind: str, namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> AsyncIterator[WatchEvent]:
        """Events after `revision`; without one, first ADDED for all there is. Ends when the server closes it."""
        ...

    async def create(self, obj: Obj) -> Obj:
        """Create `obj`; its namespace is in its metadata."""
        ...

    async def post(self, kind: str, namespace: str, name: str, subresource: str, body: Obj) -> Obj:
        """Create at a subresource of an object: a pod's `binding`, a ServiceAccount's `token`."""
        ...

    async def update(self, obj: Obj, *, subresource: str = "") -> Obj:
        """Replace; a resourceVersion in `obj` is a precondition."""
        ...

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Obj | Sequence[Obj],
        *,
        form: Patch = Patch.MERGE,
        subresource: str = "",
    ) -> Obj: ...

    async def apply(self, obj: Obj, *, manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        """Server-side apply."""
        ...

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        propagation: str = "",
    ) -> None:
        """`uid` is a precondition; `propagation` Background, Foreground, Orphan or "" for the server's default."""
        ...
