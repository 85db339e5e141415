"""The images that this node has, in its Node's status: told when they change, so that an idle node writes nothing."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.node.runtime import Image, Runtime, RuntimeFailure
from wherry.objects import Obj
from wherry.objects.errors import ApiError

log = logging.getLogger("wherry.node")

MOST, MOST_NAMES = 50, 5  # images, and names of each kind of one: upstream's bounds
SETTLES = 1.0  # seconds: one import gives an image several names


@dataclass(frozen=True)
class ImageList:
    client: Client
    runtime: Runtime
    clock: Clock
    name: str
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Images have come or gone, or may have."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._changed.wait()
            await self.clock.sleep(SETTLES)
            self._changed.clear()
            try:
                await self.tell()
            except (ApiError, RuntimeFailure) as error:  # the next change tells it all
                log.warning("node %s: images: %s", self.name, error)

    async def tell(self) -> None:
        """Write the list, if it is another than the Node has."""
        wanted = listed(await self.runtime.images())
        known = await self.client.get("Node", "", self.name)
        if (known.get("status") or {}).get("images", []) != wanted:
            await self.client.patch("Node", "", self.name, {"status": {"images": wanted}}, subresource="status")


def listed(images: Sequence[Image]) -> list[Obj]:
    """The largest ones, by what they are called."""
    largest = sorted(images, key=lambda image: (-image.size, image.id))[:MOST]
    return [
        {"names": [*sorted(image.digests)[:MOST_NAMES], *sorted(image.tags)[:MOST_NAMES]], "sizeBytes": image.size}
        for image in largest
    ]
