"""`wherry image rebase`: an image, or all that runs, onto another base."""

from typing import TYPE_CHECKING, Any

import click

from wherry.cli.image.store import layout_of
from wherry.cli.options import USAGE, fail
from wherry.cli.progress import MODES, reporter, summary
from wherry.cli.target import FAILED, TIMED_OUT, Seconds, run, target_of, target_options
from wherry.images.errors import ImageError

if TYPE_CHECKING:
    from wherry.client.http import HttpClient
    from wherry.deploy.rebasing import Use
    from wherry.deploy.rollout import Outcome
    from wherry.deploy.target import Target
    from wherry.images.layout import Layout
    from wherry.images.rebase.rebase import Image, Rebased


@click.command("rebase")
@click.argument("reference", required=False)
@click.option("--onto", required=True, metavar="BASE", help="The base image to stand on, as `image ls` names it.")
@click.option("--as", "target_name", default="", help="The new image's name.  [default: REFERENCE, which moves]")
@click.option("--deployed", is_flag=True, help="Also what Deployments on the node run on the same old base.")
@click.option("--timeout", type=Seconds(), default="5m", show_default=True, help="How long to wait for the rollouts.")
@click.option("--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How they are shown.")
@target_options
def command(reference: str | None, onto: str, target_name: str, deployed: bool, **given: Any) -> None:
    """Put an image onto another base without a build: only its lowest layers change.

    First it is checked that the app's files fit: the same Python, every library and symbol version that they need. With
    --deployed and no REFERENCE, all that runs on an image that was built on a base of BASE's name is moved.

    \b
    Examples:
      wherry image rebase webapp --onto localhost/wherry/python:3.11-runtime
      wherry image base --refresh && sudo wherry image rebase --deployed --onto localhost/wherry/python:3.11-runtime
    """
    if not reference and not deployed:
        fail("which image? Name it, or move all that runs with --deployed", USAGE)
    if target_name and not reference:
        fail("--as names the new image of one REFERENCE", USAGE)
    from wherry.images.rebase.rebase import base_of, named, rebase

    layout = layout_of(given)
    try:
        base, old = named(layout, onto), ""
        if reference:
            image = named(layout, reference)
            old = base_of(layout, image).digest
            _tell(rebase(layout, image, base, onto, target_name or reference))
    except ImageError as error:
        fail(f"{reference or onto}: {error}")
    if deployed:
        _move(layout, base, onto, old, given)


def _tell(made: "Rebased") -> None:
    if not made.changed:
        click.echo(f"{made.reference} stands on that base already", err=True)
    else:
        click.echo(f"base {made.old[:19]} -> {made.new[:19]}", err=True)
    click.echo(f"{made.reference}@{made.digest}")


def _move(layout: "Layout", base: "Image", onto: str, old: str, given: dict[str, Any]) -> None:
    from wherry.client.http import HttpClient

    target = target_of(given)
    if not target.embedded:
        fail("--deployed is for the node of this machine: other clusters pull from a registry", USAGE)

    async def work() -> "Outcome | None":
        async with HttpClient(target.access) as client:
            return await _carry_out(layout, base, onto, old, client, target, given)

    try:
        outcome = run(work(), target)
    except ImageError as error:
        fail(f"nothing that runs was changed: {error}")
    if outcome is not None:
        _end(outcome)


async def _carry_out(
    layout: "Layout",
    base: "Image",
    onto: str,
    old: str,
    client: "HttpClient",
    target: "Target",
    given: dict[str, Any],
) -> "Outcome | None":
    """All images first: where one does not fit, nothing is rolled out."""
    from wherry.clock import SystemClock
    from wherry.deploy import rebasing
    from wherry.deploy.rollout import Rollout
    from wherry.deploy.slimming import into_node
    from wherry.images.rebase.rebase import descriptor
    from wherry.node.runtime import RuntimeFailure

    moved = [use for use in await rebasing.uses(client, layout) if _is_to_move(layout, use, old, onto, base)]
    images: dict[str, str] = {}
    for use in moved:
        if use.digest not in images:
            made = _rebased(layout, use, base, onto)
            try:
                images[use.digest] = await into_node(
                    target.containerd, layout, made.reference, descriptor(layout, made.digest)
                )
            except RuntimeFailure as error:
                fail(f"the node did not take {made.reference}: {error}")
    changes = rebasing.patches(moved, images)
    if not changes:
        click.echo("no Deployment runs an image that was to be moved", err=True)
        return None
    for ref in changes:
        click.echo(f"{ref.namespace}/{ref.name}: onto {base.digest[:19]}")
    await rebasing.move(client, changes)
    with reporter(given["progress"]) as told:
        told.begin("rollout", ", ".join(ref.name for ref in changes))
        return await Rollout(client, SystemClock(), told.rollout, given["timeout"]).watch(list(changes))


def _rebased(layout: "Layout", use: "Use", base: "Image", onto: str) -> "Rebased":
    from wherry.deploy.rebasing import name_for
    from wherry.images.rebase.rebase import load, rebase

    try:
        return rebase(layout, load(layout, use.digest), base, onto, name_for(layout, use))
    except ImageError as error:
        raise ImageError(f"{use.deployment.namespace}/{use.deployment.name}: {error}") from error


def _is_to_move(layout: "Layout", use: "Use", old: str, onto: str, base: "Image") -> bool:
    """Whether it is built on the base `old`, or without that on any earlier one of the name `onto`."""
    from wherry.images.names import full_name
    from wherry.images.rebase.rebase import BASE_NAME, base_of, load

    image = load(layout, use.digest)
    try:
        found = base_of(layout, image)
    except ImageError:
        return False
    if found.diff_ids == base.diff_ids:
        return "@" not in use.image  # the tag has moved, and what runs is what it meant before
    if old:
        return found.digest == old
    return bool((image.manifest.get("annotations") or {}).get(BASE_NAME) == full_name(onto))


def _end(outcome: "Outcome") -> None:
    if outcome.failed is not None and outcome.trouble is not None:
        trouble = outcome.trouble
        message = f"{outcome.failed.name}: {trouble.reason}: {trouble.message}"
        hints = (
            *(f"| {line}" for line in outcome.log),
            f"what to do: kubectl rollout undo deployment/{outcome.failed.name}",
        )
        fail("\n  ".join((message, *hints)), FAILED)
    if outcome.timed_out:
        fail("not ready in time (--timeout): " + "; ".join(map(summary, outcome.verdicts.values())), TIMED_OUT)
    for ref, verdict in outcome.verdicts.items():
        click.echo(f"{ref.name}: {summary(verdict)}")
