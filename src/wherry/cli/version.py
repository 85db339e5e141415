"""`wherry version`: what this is, and which API it speaks."""

import json

import click

from wherry.version import KUBERNETES_VERSION, __version__


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
def command(output: str) -> None:
    """The versions of wherry, and of the API it speaks.

    \b
    Example:
      wherry version -o json
    """
    versions = {"version": __version__, "kubernetesVersion": KUBERNETES_VERSION}
    if output == "json":
        click.echo(json.dumps(versions))
    else:
        click.echo(f"wherry {__version__}, Kubernetes API {KUBERNETES_VERSION}")
