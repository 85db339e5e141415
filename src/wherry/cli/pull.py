"""`wherry pull`: an image of a registry to this machine."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import config_of, fail, settings

if TYPE_CHECKING:
    from wherry.images.layout import Descriptor, Layout


@click.command()
@click.argument("reference")
@settings
@click.option("--platform", default="", help="As linux/arm64; without it, this machine's.")
def command(reference: str, platform: str, **given: Any) -> None:
    """Pull the image REFERENCE into this machine's store, and into the node if it is up.

    \b
    Examples:
      wherry pull python:3.13-slim
      wherry pull registry.example/team/webapp@sha256:...
    """
    from wherry.cli.image.store import into_node, layout_of
    from wherry.images.errors import ImageError
    from wherry.images.names import full_name

    layout = layout_of(given)
    try:
        name = full_name(reference)
        found = asyncio.run(_pull(config_of(given).state, layout, name, platform))
    except ImageError as error:
        fail(str(error))
    socket = config_of(given).run / "containerd" / "containerd.sock"
    if socket.exists() and not platform:
        into_node(str(socket), layout, name, found.digest)
    click.echo(f"{name}  {found.digest}")


async def _pull(state: Path, layout: "Layout", name: str, platform: str) -> "Descriptor":
    import platform as machine

    from wherry.cli.transfers import login_of, shown
    from wherry.clock import SystemClock
    from wherry.images.registry.transfer import connect, pull

    here = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(machine.machine(), "linux/amd64")
    tag = name.partition("@")[2] or name.rpartition(":")[2]
    async with connect(name, SystemClock(), os.environ, Path.home(), login=login_of(state)) as remote:
        with shown() as tell:
            return await pull(remote, tag, layout, name, platform or here, tell)
