"""`wherry push`: an image of this machine to a registry."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import config_of, fail, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wherry.images.registry.transfer import Pushed


@click.command()
@click.argument("reference")
@click.argument("target", required=False)
@settings
@click.option(
    "--from", "sources", multiple=True, help="A repository of that registry that may have some of it already."
)
def command(reference: str, target: str | None, sources: tuple[str, ...], **given: Any) -> None:
    """Push the image REFERENCE, as TARGET if that is given, with docker's or podman's credentials.

    For the node's own registry the engine's login is taken where you have none.

    SBOMs and build provenance that hang on the image go along.

    \b
    Examples:
      wherry push registry.example/team/webapp:1.4
      sudo wherry push webapp 127.0.0.1:5050/webapp:1.4
      wherry push webapp registry.example/team/webapp:1.4 --from team/base
    """
    from wherry.images.errors import ImageError
    from wherry.images.names import full_name

    try:
        name = full_name(target or reference)
        if "@" in name:
            fail(f"{name}: an image is pushed under a tag, as registry.example/team/app:1.4")
        pushed, artifacts = asyncio.run(_push(config_of(given).state, reference, name, sources))
    except ImageError as error:
        fail(str(error))
    from wherry.images.size.treemap import written

    click.echo(f"{pushed.reference}@{pushed.digest}")
    click.echo(f"{written(pushed.sent)} sent, {written(pushed.kept)} there already", err=True)
    for digest in artifacts:
        click.echo(f"with {digest}, which refers to it", err=True)


async def _push(state: Path, reference: str, name: str, sources: tuple[str, ...]) -> "tuple[Pushed, Sequence[str]]":
    from wherry.cli.transfers import login_of, shown
    from wherry.clock import SystemClock
    from wherry.images.layout import MANIFEST, Descriptor, Layout
    from wherry.images.names import full_name
    from wherry.images.registry.transfer import connect, push
    from wherry.images.supply.publish import publish

    layout = Layout(state / "images" / "layout")
    local = layout.find(full_name(reference))
    async with connect(name, SystemClock(), os.environ, Path.home(), login=login_of(state)) as remote:
        with shown() as tell:
            pushed = await push(layout, reference, remote, name.rpartition(":")[2], tell, sources)
        assert local is not None, "it was pushed"
        manifest = Descriptor(MANIFEST, pushed.digest, layout.path(pushed.digest).stat().st_size)
        return pushed, await publish(layout, local, manifest, remote)
