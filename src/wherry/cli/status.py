"""`wherry status`: the apps that are up, their replicas, revisions and URLs."""

import sys
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import fail
from wherry.cli.printing import output_option, print_json, print_table, print_yaml
from wherry.cli.target import FAILED, run, target_of, target_options
from wherry.deploy.errors import DeployError

if TYPE_CHECKING:
    from wherry.deploy.status import AppStatus


@click.command()
@click.argument("app", required=False)
@target_options
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@output_option
def command(app: str | None, all_namespaces: bool, output: str | None, **given: Any) -> None:
    """What is up, and how it is. With APP, also each pod; exit code 1 if it is not all there.

    \b
    Examples:
      wherry status
      wherry status webapp
      wherry status -A -o json
    """
    from wherry.client.http import HttpClient
    from wherry.clock import SystemClock
    from wherry.deploy.status import status

    target = target_of(given)

    async def work() -> "list[AppStatus]":
        async with HttpClient(target.access) as client:
            namespace = "" if all_namespaces else target.access.namespace
            return await status(client, SystemClock(), namespace, app or "", embedded=target.embedded)

    try:
        found = run(work(), target)
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), FAILED)
    _print(found, output, one=app is not None)
    if app is not None and not all(each.good for each in found):
        sys.exit(FAILED)


def _print(found: "list[AppStatus]", output: str | None, *, one: bool) -> None:
    match output:
        case "json" | "yaml":
            (print_json if output == "json" else print_yaml)({"apps": [each.as_json() for each in found]})
        case "name":
            for each in found:
                click.echo(each.app)
        case _:
            if not found:
                click.echo("No apps are up here: `wherry up FOLDER` brings one up.", err=True)
                return
            _table(found, wide=output == "wide")
            if one or output == "wide":
                _pods(found)


def _table(found: "list[AppStatus]", *, wide: bool) -> None:
    header = ["APP", "NAMESPACE", "WORKLOAD", "READY", "STATE", "URL"] + (["IMAGES"] if wide else [])
    rows = []
    for each in found:
        urls = ", ".join(each.urls)
        for work in each.workloads or [None]:
            cells = [work.name, f"{work.ready}/{work.wanted}", work.state] if work else ["-", "-", "no workloads"]
            images = [", ".join(work.images) if work else ""] if wide else []
            rows.append([each.app, each.namespace, *cells, urls or "-", *images])
    print_table(header, rows)


def _pods(found: "list[AppStatus]") -> None:
    rows = [[pod.name, str(pod)] for each in found for work in each.workloads for pod in work.pods]
    if rows:
        click.echo()
        print_table(["POD", "STATE"], rows)
    for each in found:
        for work in each.workloads:
            if work.trouble is not None:
                click.echo(f"\n{work.name}: {work.trouble.reason}: {work.trouble.message}")
                if work.trouble.hint:
                    click.echo(f"  what to do: {work.trouble.hint}")
