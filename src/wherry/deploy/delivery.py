"""The app's image: built from its folder, then brought to where the target's nodes find it.

Apart from `up`, as most runs of it need nothing of this, and loading it takes a while.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wherry.deploy.plan import Plan
from wherry.deploy.push import push
from wherry.deploy.target import Target
from wherry.images.build import build, build_made
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.names import full_name
from wherry.images.source import Recipe
from wherry.node.content import import_layout


@dataclass(frozen=True)
class FolderImages:
    """Implements `wherry.deploy.up.ImageMaker` for one folder; `store` is where images and build caches are kept."""

    folder: Path
    plan: Plan
    target: Target
    store: Path
    builder: str
    tell: Callable[[BuildEvent], None]

    async def build(self, name: str) -> BuiltImage:
        made = self.plan.project.build
        if self.plan.source is not None:
            source = self.plan.source
            return await build_made(
                self.folder,
                source,
                reference=name,
                store=self.store,
                builder=self.builder,
                on_event=self.tell,
            )
        return await build(
            self.folder,
            Recipe(self.folder / self.plan.dockerfile, made.target or None, made.args),
            reference=full_name(name),
            store=self.store,
            builder=self.builder,
            on_event=self.tell,
        )

    async def deliver(self, built: BuiltImage) -> None:
        """Into the embedded node's containerd; for any other cluster, to the registry in the image's name."""
        if self.target.embedded:
            await import_layout(self.target.containerd, built.layout, built.reference, built.digest)
        else:
            await push(built, built.reference)
