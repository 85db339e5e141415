"""The images that a build starts from, as the builder gets them: with variables that point to the host's settings.

A RUN sees the variables of its base's config. They are put there for the build, and `restore` takes them out of what
was built: neither the result nor its history tells of them.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wherry.images.builders.builder import Builder
from wherry.images.errors import BuildError, ImageError
from wherry.images.explain import cause, no_base
from wherry.images.export import adopt, lend
from wherry.images.layout import CONFIG, MANIFEST, Descriptor, Layout
from wherry.images.source import Source

_LENT = "bases"


async def lend_bases(
    source: Source, layout: Layout, builder: Builder, variables: Mapping[str, str], scratch: Path
) -> None:
    """Give the builder every image that the build needs, under its name."""
    lent = Layout.create(scratch / _LENT)
    for number, (name, line) in enumerate(source.images().items()):
        manifest = layout.find(name) or await _fetched(source, name, layout, builder, scratch / f"fetched-{number}")
        lent.name(name, await asyncio.to_thread(_with_variables, layout, lent, manifest, variables))
        try:
            await builder.lend(lent, name)
        except ImageError as error:
            raise BuildError(str(error), line=line) from error


def restore(base: list[str], variables: Mapping[str, str]) -> Callable[[dict[str, Any]], None]:
    """Takes a built image's config and puts its environment right; `base` is the environment of its base."""
    own = dict(entry.partition("=")[::2] for entry in base)

    def change(config: dict[str, Any]) -> None:
        settings = config.get("config") or {}
        kept = []
        for entry in settings.get("Env") or ():
            name, _, value = entry.partition("=")
            if variables.get(name) != value:
                kept.append(entry)
            elif name in own:
                kept.append(f"{name}={own[name]}")
        if "Env" in settings:
            settings["Env"] = kept

    return change


def environment(layout: Layout, reference: str) -> list[str]:
    """The environment in an image's config; nothing for scratch."""
    manifest = layout.find(reference) if reference else None
    if manifest is None:
        return []
    config = layout.read_json(layout.read_json(manifest.digest)["config"]["digest"])
    return list((config.get("config") or {}).get("Env") or ())


async def _fetched(source: Source, name: str, layout: Layout, builder: Builder, directory: Path) -> Descriptor:
    """From its registry into the layout, where it stays."""
    if name.startswith("localhost/"):
        raise no_base(source, name, "nobody has built or loaded it, and localhost is no registry")
    await asyncio.to_thread(lend, layout, directory)
    try:
        await builder.fetch(name, directory)
    except ImageError as error:
        raise no_base(source, name, cause(str(error).splitlines())) from error
    manifest = await asyncio.to_thread(adopt, layout, directory, {}, lambda config: None)
    layout.name(name, manifest)
    return manifest


def _with_variables(layout: Layout, lent: Layout, manifest: Descriptor, variables: Mapping[str, str]) -> Descriptor:
    """The same image in `lent`, with `variables` in its environment."""
    whole = layout.read_json(manifest.digest)
    config = layout.read_json(whole["config"]["digest"])
    settings = dict(config.get("config") or {})
    others = [entry for entry in settings.get("Env") or () if entry.partition("=")[0] not in variables]
    settings["Env"] = [*others, *(f"{name}={value}" for name, value in sorted(variables.items()))]
    for layer in whole["layers"]:
        if not lent.has(layer["digest"]):
            os.link(layout.path(layer["digest"]), lent.path(layer["digest"]))
    changed = lent.put_json(CONFIG, {**config, "config": settings})
    return lent.put_json(MANIFEST, {**whole, "config": changed.to_json()})
