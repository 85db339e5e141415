"""`wherry exec`: a command in a replica that runs."""

import sys
from typing import Any

import click

from wherry.cli.completion import replica_names
from wherry.cli.options import fail
from wherry.cli.target import run, target_of, target_options


@click.command()
@click.argument("replicas", metavar="NAME", shell_complete=replica_names)
@click.argument("words", metavar="-- COMMAND...", nargs=-1, required=True)
@target_options
@click.option("-i", "--stdin", is_flag=True, help="Pass on what comes in.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal.")
@click.option("-c", "--container", default="", help="Which container.  [default: the pod's first]")
@click.option("--replica", default="", help="Which pod.  [default: the newest ready one]")
def command(replicas: str, words: tuple[str, ...], **given: Any) -> None:
    """Run a command in a replica of NAME: an app, a Deployment, a Service or a pod. Its exit code is wherry's own.

    \b
    Examples:
      wherry exec web -- env
      wherry exec web -it -- sh
      wherry exec pod/web-5d4f8-x2x -i -- tar xf - < files.tar
    """
    from wherry.replicas.find import Unknown

    target = target_of(given)
    try:
        code = run(_exec(replicas, words, target.access, given), target)
    except Unknown as error:
        fail(str(error))
    sys.exit(code)


async def _exec(name: str, words: tuple[str, ...], access: Any, given: dict[str, Any]) -> int:
    from wherry.client.http import HttpClient
    from wherry.replicas.find import Unknown, choose, container_of, find
    from wherry.replicas.session import Session, join
    from wherry.replicas.terminal import is_terminal

    async with HttpClient(access) as client:
        replicas = await find(client, access.namespace, name)
        pods = [pod for pod in (await client.list("Pod", access.namespace)).items if pod in replicas]
        if given["replica"]:
            pods = [pod for pod in pods if pod["metadata"]["name"] == given["replica"]]
            if not pods:
                raise Unknown(f"{given['replica']} is no replica of {name}")
        pod = choose(pods)
        if given["tty"] and not is_terminal():
            click.echo("stdin is no terminal: the command gets one, this side stays as it is", err=True)
        session = Session(
            namespace=access.namespace,
            pod=pod["metadata"]["name"],
            container=container_of(pod, given["container"]),
            command=words,
            stdin=given["stdin"],
            tty=given["tty"],
        )
        return await join(client, session)
