"""`wherry kubeconfig`: print the administrator's kubeconfig."""

from typing import Any

import click

from wherry.cli.options import config_of, fail, settings


@click.command()
@settings
def command(**given: Any) -> None:
    """Print the administrator's kubeconfig.

    \b
    Example:
      kubectl --kubeconfig <(wherry kubeconfig) get pods
    """
    path = config_of(given).state / "kubeconfig"
    try:
        click.echo(path.read_text())
    except FileNotFoundError:
        fail(f"{path} does not exist: `wherry node start` makes it")
    except PermissionError:
        fail(f"{path} belongs to root: try again with sudo")
