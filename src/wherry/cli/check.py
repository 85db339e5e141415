"""`wherry check`: what a senior reviewer would say of a folder's Dockerfile and manifests."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import USAGE, coloured, config_of, fail
from wherry.cli.target import run, target_of, target_options

if TYPE_CHECKING:
    from wherry.deploy.check.review import Review
    from wherry.images.check.finding import Finding

FOUND = 6  # the exit code where something of the asked level was found
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--dockerfile", default="Dockerfile", show_default=True, help="Another Dockerfile of the folder.")
@click.option("--strict", is_flag=True, help="Also the rules that are right for some only.")
@click.option("--fix", is_flag=True, help="Carry out the fixes that are safe, and say which.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "note", "never"]),
    default="error",
    show_default=True,
    help="From which level on the exit code is 6.",
)
@click.option("--run", "image", default="", help="Also start this image on the node, and judge what is seen.")
@click.option("--run-path", default="/", show_default=True, help="What the started image is asked.")
@target_options
@click.option("-o", "--output", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
def command(
    folder: Path, dockerfile: str, strict: bool, fix: bool, fail_on: str, output: str, image: str, **given: Any
) -> None:
    """Check the Dockerfile and the manifests of FOLDER, each alone and against each other.

    Every finding names what it costs to leave it, the place, and the fix. `# wherry: allow D05 because REASON` above an
    instruction, or the annotation `wherry.dev/allow` on an object, keeps a rule quiet.

    \b
    Examples:
      wherry check
      wherry check examples/article --fix
      wherry check . -o sarif > findings.sarif
      wherry check . --run webapp --run-path /healthz
    """
    import asyncio
    from dataclasses import replace
    from datetime import UTC, datetime

    from wherry.deploy.check import review as room
    from wherry.deploy.errors import DeployError
    from wherry.images.builders.at_hand import at_hand
    from wherry.images.check.finding import Level

    try:
        builder = asyncio.run(at_hand(config_of(given).builder))
        today = datetime.now(UTC).date()
        found = room.review(folder, dockerfile=dockerfile, today=today, builder=builder, strict=strict)
        if not found.looked_at:
            fail(f"{folder}: there is neither a {dockerfile} nor a manifest to check", USAGE)
        if fix:
            for name in room.fix(folder, found.edits):
                click.echo(f"{name}: fixed", err=True)
            found = room.review(folder, dockerfile=dockerfile, today=today, builder=builder, strict=strict)
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), USAGE)
    if image:
        found = replace(found, findings=[*found.findings, *_tried(found, image, dockerfile, given)])
    _print(found, output)
    if fail_on != "never" and any(one.level >= Level[fail_on.upper()] for one in found.findings):
        sys.exit(FOUND)


def _tried(found: "Review", image: str, dockerfile: str, given: dict[str, Any]) -> "list[Finding]":
    """What a run of the image shows; the measurements go to stderr."""
    from wherry.client.http import HttpClient
    from wherry.clock import SystemClock
    from wherry.deploy.errors import DeployError
    from wherry.deploy.trial.findings import judge, told
    from wherry.deploy.trial.trial import Subject, Trial, attempt

    target = target_of(given)
    subject = Subject(image=image, path=given["run_path"], namespace=target.access.namespace)

    async def work() -> Trial:
        async with HttpClient(target.access) as client:
            return await attempt(client, SystemClock(), subject)

    try:
        trial = run(work(), target)
    except DeployError as error:
        fail(str(error))
    for line in told(trial):
        click.echo(line, err=True)
    return list(judge(trial, dockerfile, found.manifests))


def _print(found: "Review", output: str) -> None:
    from wherry.images.check import sarif
    from wherry.version import __version__

    if output != "text":
        from wherry.cli.printing import print_json

        print_json(sarif.sarif(found.findings, __version__) if output == "sarif" else sarif.plain(found.findings))
        return
    colour = coloured()
    for one in found.findings:
        place = f"{one.file}:{one.line}" if one.line else one.file
        level = one.level.name.lower()
        click.echo(f"{place}: {click.style(level, fg=_COLOURS[level]) if colour else level} {one.rule}: {one.message}")
        click.echo(f"    cost: {one.cost}")
        click.echo(f"    fix:  {one.fix}{'  (--fix does it)' if one.edit else ''}")
    levels = [one.level.name.lower() for one in found.findings]
    counts = ", ".join(
        f"{levels.count(level)} {level}{'s' if levels.count(level) != 1 else ''}"
        for level in ("error", "warning", "note")
        if level in levels
    )
    click.echo(f"{', '.join(found.looked_at)}: {counts or 'nothing to say'}", err=True)
