"""One file per command: parse, call, print. No logic. Commands load late, so that `wherry --version` is quick."""

import click

from wherry.version import __version__

COMMANDS = {"node": "wherry.cli.node", "kubeconfig": "wherry.cli.kubeconfig"}


class LateGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wherry")
def main() -> None:
    """A Kubernetes node in one process.

    \b
    Examples:
      wherry node start        start the node on this machine
      wherry node status       is it up, and where
      wherry kubeconfig        print the administrator's kubeconfig
    """
