"""`wherry down`: remove exactly what `up` has made of an app."""

import sys
from pathlib import Path
from typing import Any

import click

from wherry.cli.options import USAGE, fail
from wherry.cli.progress import object_name
from wherry.cli.target import FAILED, TIMED_OUT, Seconds, run, target_of, target_options
from wherry.deploy.errors import DeployError, InputError


@click.command()
@click.argument("app", metavar="FOLDER|APP", default=".")
@target_options
@click.option("-p", "--profile", envvar="WHERRY_PROFILE", default="", help="A profile of wherry.toml.")
@click.option("--timeout", type=Seconds(), default="2m", show_default=True, help="How long to wait for its end.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the replicas have ended.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, where it would: for another cluster than this machine's.")
def command(app: str, profile: str, timeout: float, no_wait: bool, yes: bool, **given: Any) -> None:
    """Remove everything that `wherry up` has made of an app, and nothing else.

    \b
    Examples:
      wherry down                 the app of the folder I am in
      wherry down examples/webapp
      wherry down webapp -n shop
    """
    from wherry.client.http import HttpClient
    from wherry.deploy.up import down, gone

    try:
        name, context, namespace = _app(app, profile)
        target = target_of(given, context=context, namespace=namespace)
        if not target.embedded and not yes:
            if not sys.stdin.isatty():
                fail(f"this removes {name} from {target}: say --yes", USAGE)
            click.confirm(f"Remove {name} from {target}?", abort=True, err=True)

        async def work() -> None:
            async with HttpClient(target.access) as client:
                deleted, kept = await down(client, name, target.access.namespace)
                if deleted and not no_wait:
                    click.echo(f"waiting until the replicas of {name} have ended", err=True)
                late = not no_wait and not await gone(client, deleted, timeout)
            for ref in deleted:
                click.echo(f"{object_name(ref)} deleted")
            for ref in kept:
                click.echo(f"Warning: {object_name(ref)} stays: it is no longer {name}'s", err=True)
            if late:
                fail(f"not all of it is gone after {timeout:g} s (--timeout); it goes on", TIMED_OUT)

        run(work(), target)
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), USAGE if isinstance(error, InputError) else FAILED)


def _app(text: str, profile: str) -> tuple[str, str, str]:
    """(app, context, namespace) of a folder, or of a name where there is no such folder."""
    from wherry.deploy.plan import app_name, wishes_of
    from wherry.deploy.reading import read_folder

    folder = Path(text)
    if not folder.is_dir():
        if "/" in text or text != app_name(text):
            raise InputError(f"{text}: there is no such folder, and this is no name of an app")
        return text, "", ""
    wishes = wishes_of(read_folder(folder), profile)
    return wishes.name or app_name(folder.resolve().name), wishes.context, wishes.namespace
