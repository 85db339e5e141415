"""`wherry logs`: what the replicas of an app write."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.completion import replica_names
from wherry.cli.options import coloured, fail
from wherry.cli.target import run, target_of, target_options

if TYPE_CHECKING:
    from wherry.replicas.log_streams import Line, Source

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")


@click.command()
@click.argument("replicas", metavar="NAME", shell_complete=replica_names)
@target_options
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, of new replicas too, until Ctrl-C.")
@click.option("--since", help="Only what is newer: 10m, 2h, 1d, or a time.")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last lines of each replica.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was written.")
@click.option("--grep", help="Only lines that this regular expression is found in.")
@click.option("--previous", is_flag=True, help="Of each container's run before the last restart.")
@click.option("-c", "--container", default="", help="Which container.  [default: the pod's first]")
@click.option("--all-containers", is_flag=True, help="Of every container, init containers too.")
@click.option("--no-prefix", is_flag=True, help="Do not say which replica a line is from.")
def command(replicas: str, **given: Any) -> None:
    """What the replicas of NAME write: an app, a Deployment (web or deploy/web), a Service (svc/web) or a pod.

    \b
    Examples:
      wherry logs web                       all replicas, in the order of time
      wherry logs web -f --tail 20          go on; replicas that come later join
      wherry logs web --since 10m --grep 'error|timeout'
      wherry logs pod/web-5d4f8-x2x --previous
    """
    from wherry.replicas.find import Unknown

    pattern = _pattern(given["grep"])
    target = target_of(given)
    try:
        run(_print(replicas, target.access, given, pattern), target)
    except Unknown as error:
        fail(str(error))


def _pattern(text: str | None) -> "re.Pattern[bytes] | None":
    try:
        return re.compile(text.encode()) if text else None
    except re.error as error:
        raise click.BadParameter(f"{text!r} is not a regular expression: {error}", param_hint="--grep") from None


async def _print(name: str, access: Any, given: dict[str, Any], pattern: "re.Pattern[bytes] | None") -> None:
    from wherry.client.http import HttpClient
    from wherry.replicas.find import find
    from wherry.replicas.log_streams import Wanted, followed, past, sources

    wanted = Wanted(
        container=given["container"],
        every=given["all_containers"],
        previous=given["previous"],
        tail=given["tail"],
        since=_since(given["since"]),
    )
    async with HttpClient(access) as client:
        replicas = await find(client, access.namespace, name)
        if given["follow"] and not given["previous"]:
            shown = _shower(given, prefixed=replicas.several or wanted.every)
            stream = followed(client, replicas, wanted, lambda text: click.echo(text, err=True))
        else:
            pods = [pod for pod in (await client.list("Pod", access.namespace)).items if pod in replicas]
            every = sources(pods, wanted)
            if not every:
                waiting = ", ".join(pod["metadata"]["name"] for pod in pods)
                click.echo(f"nothing was written yet by {waiting}" if pods else f"{name} has no replica", err=True)
            shown = _shower(given, prefixed=len(every) > 1)
            stream = past(client, access.namespace, every, wanted)
        async for line in stream:
            if pattern is None or pattern.search(line.text):
                sys.stdout.buffer.write(shown(line))
                sys.stdout.buffer.flush()


def _since(text: str | None) -> str:
    from wherry.host.engine_log import ago

    try:
        return ago(text, datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds") if text else ""
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _shower(given: dict[str, Any], *, prefixed: bool) -> "Callable[[Line], bytes]":
    """How a line is printed: with its replica in a colour of its own at a terminal, unless NO_COLOR says otherwise."""
    colours: dict[str, str] = {}
    paint = coloured()

    def prefix(source: "Source") -> bytes:
        label = f"{source.pod} {source.container}" if given["all_containers"] else source.pod
        colour = colours.setdefault(source.pod, COLOURS[len(colours) % len(COLOURS)])
        return (click.style(label, fg=colour) if paint else label).encode() + b" | "

    def shown(line: "Line") -> bytes:
        start = prefix(line.source) if prefixed and not given["no_prefix"] else b""
        return start + (line.time.encode() + b" " if given["timestamps"] else b"") + line.text + b"\n"

    return shown
