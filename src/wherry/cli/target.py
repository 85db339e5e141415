"""The options that say which cluster and namespace a command is about, and how its failures become exit codes."""

import asyncio
import os
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from wherry.cli.options import USAGE, config_of, fail, settings
from wherry.client.kubeconfig import KubeconfigError
from wherry.deploy.target import NodeDown, Target, choose
from wherry.objects.errors import ApiError, Conflict

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")

FAILED, TIMED_OUT, CONFLICT, INTERRUPTED = 1, 4, 5, 130


class Seconds(click.ParamType[float]):
    """`90`, `90s`, `5m`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", str(value))
        if not value or match is None:
            self.fail(f"{value!r} is no duration: 90, 90s, 5m, 1h30m", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds


def target_options(command: Command) -> Command:
    """Add --namespace, --context, --kubeconfig and the engine's settings; `target_of` makes a Target of them."""
    command = settings(command)
    for option in (
        click.option("--kube-context", "kube_context", hidden=True),
        click.option(
            "--kubeconfig",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A kubeconfig that is not kubectl's own.",
        ),
        click.option(
            "--context",
            envvar="WHERRY_CONTEXT",
            help="The kubeconfig's context of another cluster; without it, the node on this machine.",
        ),
        click.option("-n", "--namespace", envvar="WHERRY_NAMESPACE", default="", help="The namespace."),
    ):
        command = option(command)
    return command


def target_of(given: dict[str, Any], *, context: str = "", namespace: str = "") -> Target:
    """The cluster that the flags mean, else what a profile names. Ends with exit code 2 where there is none."""
    try:
        return find_target(given, context=context, namespace=namespace)
    except KubeconfigError as error:
        fail(str(error), FAILED if isinstance(error, NodeDown) else USAGE)


def find_target(given: dict[str, Any], *, context: str = "", namespace: str = "") -> Target:
    """As `target_of`, but raises KubeconfigError."""
    return choose(
        config_of(given),
        os.environ,
        context=given.get("context") or given.get("kube_context") or context,
        kubeconfig=given.get("kubeconfig"),
        namespace=given.get("namespace") or namespace,
    )


def run(work: Coroutine[Any, Any, Result], target: Target) -> Result:
    """Run `work` to its end; what fails becomes a message and an exit code."""
    from wherry.client.connection import NeverSent

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        click.echo("", err=True)
        raise SystemExit(INTERRUPTED) from None
    except NeverSent as error:
        hint = "; is the node up? `wherry node start` starts it" if target.embedded else ""
        fail(f"{error}{hint}")
    except Conflict as error:
        fail(str(error), CONFLICT)
    except ApiError as error:
        fail(str(error))
    except KubeconfigError as error:
        fail(str(error), USAGE)
