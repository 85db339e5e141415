"""`wherry image gc`: free what pods of the past have pulled."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import click

from wherry.cli.options import config_of, fail, settings


@click.command("gc")
@click.option("--untagged", is_flag=True, help="Also what later builds and pushes of the same tag left without one.")
@settings
def command(untagged: bool, **given: Any) -> None:
    """Free the images on the node that were pulled and that no container has.

    What was built, loaded or pushed here stays, and so does what has come within the last hour.

    \b
    Examples:
      wherry image gc
      wherry image gc --untagged
    """
    from wherry.node.runtime import RuntimeFailure

    socket = config_of(given).run / "containerd" / "containerd.sock"
    try:
        if not socket.exists():
            fail("the node is not up: its images are with containerd. Start it with `wherry node start`")
        gone = asyncio.run(_collect(str(socket), untagged))
    except PermissionError:
        fail(f"{socket} belongs to root: try again with sudo")
    except RuntimeFailure as error:
        fail(f"the node's containerd at {socket}: {error}")
    for name in gone:
        click.echo(f"{name} removed")
    click.echo(f"{len(gone)} names removed", err=True)


async def _collect(socket: str, untagged: bool) -> list[str]:
    from wherry.node.cri import CriRuntime
    from wherry.node.image_gc import collect

    async with CriRuntime(socket) as runtime:
        return await collect(socket, runtime, datetime.now(UTC), untagged=untagged)
