"""`wherry doctor`: what keeps wherry from working here, and what to do."""

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import coloured, config_of, fail, settings
from wherry.config import Config

if TYPE_CHECKING:
    from wherry.host.doctor.facts import Facts
    from wherry.host.doctor.finding import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
ANSWER_SECONDS = 3.0


@click.command()
@settings
@click.option(
    "--fix", is_flag=True, help="Repair what can be repaired without harm: kernel limits, until the next boot."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def command(fix: bool, output: str, **given: Any) -> None:
    """What on this machine keeps wherry from working, and what to do. Exit code 1 if something does.

    \b
    Examples:
      sudo wherry doctor
      sudo wherry doctor -o json | jq '.findings[] | select(.level != "ok")'
      sudo wherry doctor --fix
    """
    config = config_of(given)
    found = asyncio.run(_look(config))
    if fix:
        found = _fix(config, found)
    if output == "json":
        import json

        worst = "fail" if any(each.level == "fail" for each in found) else "ok"
        click.echo(json.dumps({"result": worst, "findings": [each.as_json() for each in found]}, indent=2))
    else:
        for each in found:
            _print(each)
    sys.exit(1 if any(each.level == "fail" for each in found) else 0)


async def _look(config: Config) -> "list[Finding]":
    from wherry.host.doctor import facts, machine, network, node

    seen = await facts.collect(config, os.environ)
    if seen.engine is not None and seen.engine.ready:
        seen = await _asked(seen, config)
    return [*machine.judge(seen, config), *network.judge(seen, config), *node.judge(seen, config)]


async def _asked(seen: "Facts", config: Config) -> "Facts":
    """With whether the engine answers."""
    from wherry.client.http import HttpClient
    from wherry.client.kubeconfig import KubeconfigError
    from wherry.deploy.target import choose
    from wherry.objects.errors import ApiError

    try:
        async with asyncio.timeout(ANSWER_SECONDS), HttpClient(choose(config, {}).access) as client:
            await client.version()
    except (ApiError, KubeconfigError, TimeoutError) as error:
        return replace(seen, answers=str(error) or f"no answer within {ANSWER_SECONDS:g} s")
    return replace(seen, answers="")


def _fix(config: Config, found: "list[Finding]") -> "list[Finding]":
    from wherry.host.doctor.fixes import apply

    for each in found:
        try:
            done = apply(each)
        except OSError as error:
            fail(f"{each.what} could not be repaired: {error.strerror}: try again with sudo")
        if done:
            click.echo(done, err=True)
    return asyncio.run(_look(config))


def _print(finding: "Finding") -> None:
    level = f"{finding.level.value:<5}"
    click.echo((click.style(level, fg=COLOURS[finding.level]) if coloured() else level) + finding.what)
    for label, text in (("why", finding.why), ("fix", finding.fix)):
        if text:
            click.echo(f"     {label}: {text}")
