"""`wherry scale NAME=N`: how many replicas of a workload there are to be."""

import sys
from typing import Any

import click

from wherry.cli.options import USAGE, fail
from wherry.cli.progress import MODES, reporter, summary
from wherry.cli.target import FAILED, TIMED_OUT, Seconds, run, target_of, target_options
from wherry.deploy.errors import DeployError


@click.command()
@click.argument("wishes", metavar="NAME=N...", nargs=-1, required=True)
@target_options
@click.option("--timeout", type=Seconds(), default="5m", show_default=True, help="How long to wait.")
@click.option("--no-wait", is_flag=True, help="Do not wait until they are there.")
@click.option("--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How it is shown.")
def command(wishes: tuple[str, ...], timeout: float, no_wait: bool, progress: str, **given: Any) -> None:
    """Set the number of replicas, and wait until they are ready. NAME is an app's or a Deployment's.

    \b
    Examples:
      wherry scale webapp=5
      wherry scale web=3 statefulset/db=1 -n shop
    """
    from wherry.client.http import HttpClient
    from wherry.clock import SystemClock
    from wherry.deploy.rollout import Rollout
    from wherry.deploy.scale import find, set_replicas

    counts = [_wish(text) for text in wishes]
    target = target_of(given)

    async def work() -> int:
        async with HttpClient(target.access) as client:
            refs = [await find(client, name, target.access.namespace) for name, _ in counts]
            for ref, (_, count) in zip(refs, counts, strict=True):
                before = await set_replicas(client, ref, count)
                click.echo(f"{ref.name}: {before} -> {count} replicas")
            if no_wait:
                return 0
            with reporter(progress) as told:
                told.begin("rollout", ", ".join(ref.name for ref in refs))
                outcome = await Rollout(client, SystemClock(), told.rollout, timeout).watch(refs)
        if outcome.failed is not None and outcome.trouble is not None:
            trouble = outcome.trouble
            message = f"{outcome.failed.name}: {trouble.reason}: {trouble.message}"
            fail("\n  ".join((message, *(f"| {line}" for line in outcome.log), f"what to do: {trouble.hint}")), FAILED)
        if outcome.timed_out:
            fail("not ready in time (--timeout): " + "; ".join(map(summary, outcome.verdicts.values())), TIMED_OUT)
        for ref, verdict in outcome.verdicts.items():
            click.echo(f"{ref.name}: {summary(verdict)}")
        return 0

    try:
        sys.exit(run(work(), target))
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), FAILED)


def _wish(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not (name and equals and count.isdecimal()) or len(count) > 6:
        fail(f"{text!r} is not NAME=N, as in webapp=3", USAGE)
    return name, int(count)
