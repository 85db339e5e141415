"""`wherry run`: an image once, in a pod of its own."""

import asyncio
import os
import secrets
import signal
import sys
from typing import Any

import click

from wherry.cli.options import USAGE, fail
from wherry.cli.target import Seconds, run, target_of, target_options


@click.command()
@click.argument("image")
@click.argument("words", metavar="[-- COMMAND...]", nargs=-1)
@target_options
@click.option("-i", "--stdin", is_flag=True, help="Pass on what comes in.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal.")
@click.option(
    "-e", "--env", "environment", multiple=True, metavar="NAME=VALUE", help="Set a variable; NAME takes it over."
)
@click.option("-p", "--publish", multiple=True, metavar="PORT[:CONTAINERPORT]", help="Make a port reachable from here.")
@click.option("--rm/--keep", "remove", default=True, help="Remove the pod at the end (the default), or keep it.")
@click.option("--timeout", type=Seconds(), default="5m", show_default=True, help="For the start: 90, 90s, 5m.")
def command(image: str, words: tuple[str, ...], **given: Any) -> None:
    """Run IMAGE once, in a pod of its own, and remove it. The exit code of the command is wherry's own.

    COMMAND takes the place of the image's CMD; its ENTRYPOINT stays. With -i what is written before the terminal is
    joined is not shown.

    \b
    Examples:
      wherry run busybox -- date
      wherry run -it python:3.12 -- python
      wherry run -e LOG=debug -p 8080:5000 webapp
    """
    from wherry.replicas.oneoff import OneOff, name_for, published
    from wherry.replicas.running import NotStarted

    target = target_of(given)
    try:
        wanted = OneOff(
            name=name_for(image, secrets.token_hex(3)),
            namespace=target.access.namespace,
            image=image,
            command=words,
            environment=dict(map(_variable, given["environment"])),
            ports=[published(text) for text in given["publish"]],
            stdin=given["stdin"],
            tty=given["tty"],
        )
    except ValueError as error:
        fail(str(error), USAGE)
    try:
        code = run(_run(wanted, target.access, given), target)
    except NotStarted as error:
        fail(str(error))
    if not given["remove"]:
        click.echo(f"kept: pod/{wanted.name}", err=True)
    sys.exit(code)


async def _run(wanted: Any, access: Any, given: dict[str, Any]) -> int:
    from wherry.client.http import HttpClient
    from wherry.replicas import running

    # Whoever ends this process by SIGTERM wants the pod gone too, as with Ctrl-C.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os.kill, os.getpid(), signal.SIGINT)
    async with HttpClient(access) as client:
        return await running.run(
            client,
            wanted,
            keep=not given["remove"],
            seconds=given["timeout"],
            said=lambda text: click.echo(text, err=True),
        )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    if equals:
        return name, value
    if name not in os.environ:
        raise ValueError(f"-e {name}: no such variable here; give it a value, as in -e {name}=VALUE")
    return name, os.environ[name]
