"""What `build` asks of the program that carries out a Dockerfile."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from wherry.images.built import BuildEvent
from wherry.images.host import HostSettings
from wherry.images.layout import Layout
from wherry.images.source import Source

Tell = Callable[[BuildEvent], None]


class Builder(Protocol):
    """`scratch` is a directory for one build, which goes with it. Everything here raises ImageError."""

    async def prepare(self) -> None:
        """Find out whether it works here."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Build within: what a killed build left goes before, what this one leaves goes after."""

    async def fetch(self, name: str, directory: Path) -> None:
        """An image from its registry as the one image of the layout `directory`."""

    async def lend(self, lent: Layout, name: str) -> None:
        """The image `name` of the layout `lent` is what the Dockerfile means by it."""

    async def carry_out(self, source: Source, settings: HostSettings, scratch: Path, tell: Tell) -> str:
        """Run the Dockerfile; a name for `export`."""

    async def export(self, source: Source, image: str, directory: Path) -> None:
        """What was built as the one image of the layout `directory`, which has the blobs of others already."""
