"""Build a folder into the store's OCI image layout: its Dockerfile, or one made for it, by buildah or docker."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from wherry.images.bases import environment, lend_bases, restore
from wherry.images.builders.builder import Builder
from wherry.images.builders.choice import AUTO, choose
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.detect.found import App
from wherry.images.export import adopt, lend
from wherry.images.host import HostSettings, host_settings
from wherry.images.init.dockerfile import dockerfile as dockerfile_of
from wherry.images.layers.image import REFERENCE
from wherry.images.layers.selection import select
from wherry.images.layout import Descriptor, Layout
from wherry.images.names import full_name
from wherry.images.scratch import BUILD, CONTEXT, scratch
from wherry.images.source import Recipe, Source, read_source

LAYOUT = "layout"  # below the store: the layout that all images share


async def build(
    folder: Path,
    recipe: Recipe | None = None,
    *,
    reference: str,
    store: Path,
    builder: str = AUTO,
    on_event: Callable[[BuildEvent], None],
) -> BuiltImage:
    """Build the Dockerfile under the name `reference`. Raises ImageError.

    `store` is the directory of all images and build caches here; it is made when it is missing. `builder` is one of
    `config.BUILDERS`.
    """
    begun = time.monotonic()
    name = full_name(reference)
    recipe = recipe or Recipe()
    source = read_source(folder, recipe.file, recipe.target, recipe.build_args)
    chosen = choose(builder, store)
    layout = Layout.create(store / LAYOUT)
    await chosen.prepare()
    settings = host_settings(os.environ, Path.home())
    with scratch(store, BUILD) as directory:
        async with chosen.working():
            await lend_bases(source, layout, chosen, settings.variables, directory)
            image = await chosen.carry_out(source, settings, directory, on_event)
            manifest = await _export(source, layout, chosen, settings, image, directory / "layout")
    layout.name(name, manifest)
    size = layout.size(layout.read_json(manifest.digest))
    return BuiltImage(name, manifest.digest, layout.directory, size, time.monotonic() - begun)


async def build_made(
    folder: Path,
    app: App,
    *,
    reference: str,
    store: Path,
    base: str = "",
    builder: str = AUTO,
    on_event: Callable[[BuildEvent], None],
) -> BuiltImage:
    """Build an app without a Dockerfile by one made for it: its build runs commands, which needs a container."""
    base = base or REFERENCE
    text = f"`{' '.join(app.before[0])}` needs a container: built by a Dockerfile made for it, and not in layers"
    on_event(BuildEvent("output", 0, 0, text))
    with scratch(store, CONTEXT) as directory:
        made = await asyncio.to_thread(_context, folder, dockerfile_of(app, base), directory)
        return await build(made, reference=reference, store=store, builder=builder, on_event=on_event)


def _context(folder: Path, text: str, directory: Path) -> Path:
    """What the image may hold of `folder`, with a Dockerfile."""
    made = directory / "app"
    for path in select(folder).files:
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, target, follow_symlinks=False)
    (made / "Dockerfile").write_text(text)
    return made


async def _export(
    source: Source, layout: Layout, builder: Builder, settings: HostSettings, image: str, directory: Path
) -> Descriptor:
    """The image's manifest in the layout."""
    await asyncio.to_thread(lend, layout, directory)
    await builder.export(source, image, directory)
    base = source.base()
    below = layout.find(base) if base else None
    annotations = {"org.opencontainers.image.base.name": base} if base else {}
    annotations |= {"org.opencontainers.image.base.digest": below.digest} if below else {}
    change = restore(environment(layout, base), settings.variables)
    return await asyncio.to_thread(adopt, layout, directory, annotations, change)
