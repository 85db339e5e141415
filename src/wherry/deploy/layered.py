"""The image of an app without a Dockerfile, for `up`. Apart from `delivery`, as buildah's part loads slowly."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wherry.deploy.push import push
from wherry.deploy.target import Target
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.detect import App
from wherry.images.layers.folder import build_python
from wherry.images.layers.workshop import Workshop
from wherry.node.content import import_layout


@dataclass(frozen=True)
class LayeredImages:
    """Implements `wherry.deploy.up.ImageMaker` for one folder; `store` is where images and caches are kept."""

    folder: Path
    app: App
    target: Target
    store: Path
    tell: Callable[[BuildEvent], None]
    workshop: Workshop | None = None  # what is kept between builds

    async def build(self, name: str) -> BuiltImage:
        return await build_python(
            self.folder, self.app, reference=name, store=self.store, on_event=self.tell, workshop=self.workshop
        )

    async def deliver(self, built: BuiltImage) -> None:
        """Into the embedded node's containerd; for any other cluster, to the registry in the image's name."""
        if self.target.embedded:
            await import_layout(self.target.containerd, built.layout, built.reference, built.digest)
        else:
            await push(built, built.reference)
