"""`wherry completion`: the script that makes a shell complete wherry's commands, flags and live names."""

from typing import Any

import click

ADVICE = {
    "bash": "source <(wherry completion bash)            # in ~/.bashrc",
    "zsh": "source <(wherry completion zsh)             # in ~/.zshrc, after compinit",
    "fish": "wherry completion fish > ~/.config/fish/completions/wherry.fish",
}
SECONDS = 2.0  # a shell that waits longer than that for a name is worse than one without


@click.command()
@click.argument("shell", type=click.Choice(list(ADVICE)))
def command(shell: str) -> None:
    """The completion script of a shell.

    \b
    Examples:
      source <(wherry completion bash)            # in ~/.bashrc
      source <(wherry completion zsh)             # in ~/.zshrc, after compinit
      wherry completion fish > ~/.config/fish/completions/wherry.fish
    """
    from click.shell_completion import get_completion_class

    from wherry.cli import main

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "wherry", "_WHERRY_COMPLETE").source())


def replica_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of apps, Deployments and pods that begin so; none where the cluster does not answer soon."""
    import asyncio

    from wherry.cli.target import find_target
    from wherry.client.http import HttpClient
    from wherry.client.kubeconfig import KubeconfigError
    from wherry.objects.errors import ApiError
    from wherry.replicas.find import names

    async def live(target: Any) -> list[str]:
        async with asyncio.timeout(SECONDS), HttpClient(target.access) as client:
            return await names(client, target.access.namespace)

    try:
        found = asyncio.run(live(find_target(ctx.params)))
    except (ApiError, KubeconfigError, OSError, TimeoutError, click.ClickException):
        return []
    return [name for name in found if name.startswith(incomplete)]
