"""The base image of apps without a Dockerfile, made when the first of them is built."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wherry.images.built import BuildEvent


async def ensure_base(store: Path, tell: "Callable[[BuildEvent], None]") -> None:
    """Make it below `store` if it is not there. Raises ImageError and ProgramError."""
    from wherry.images.built import BuildEvent
    from wherry.images.layers.image import RUNTIME
    from wherry.images.layout import Layout

    layout = Layout.create(store / "layout")
    if layout.find(RUNTIME) is None:
        from wherry.images.base.image import make

        tell(BuildEvent("output", 0, 0, "the base image is made from Debian packages, once: about 20 s"))
        await make(layout, store / "debs")
