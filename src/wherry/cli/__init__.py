"""One file per command: parse, call, print. No logic. Commands load late, so that `wherry --version` is quick."""

import os
import sys
from typing import Any

import click

from wherry.version import __version__

COMMANDS = {
    "up": ("wherry.cli.up", "Build the app in a folder, run it, and wait until it answers."),
    "down": ("wherry.cli.down", "Remove everything that `up` has made of an app, and nothing else."),
    "status": ("wherry.cli.status", "What is up, and how it is."),
    "scale": ("wherry.cli.scale", "Set the number of replicas, and wait until they are ready."),
    "logs": ("wherry.cli.logs", "What the replicas of an app write, all of them at once."),
    "exec": ("wherry.cli.exec", "Run a command in a replica that runs."),
    "run": ("wherry.cli.run", "Run an image once, in a pod of its own, and remove it."),
    "init": ("wherry.cli.init", "Write the few files that a folder lacks, or map a compose file."),
    "check": ("wherry.cli.check", "What a senior reviewer would say of a Dockerfile and manifests."),
    "build": ("wherry.cli.build", "Build a folder's image into the node."),
    "image": ("wherry.cli.image", "The images of this machine: list, base, size, load, save, remove."),
    "push": ("wherry.cli.push", "Send an image to a registry."),
    "pull": ("wherry.cli.pull", "Fetch an image from a registry."),
    "node": ("wherry.cli.node", "The engine on this machine: start, stop, status, logs, reset."),
    "kubeconfig": ("wherry.cli.kubeconfig", "Print the administrator's kubeconfig."),
    "doctor": ("wherry.cli.doctor", "What on this machine keeps wherry from working, and what to do."),
    "completion": ("wherry.cli.completion", "The completion script of a shell."),
    "version": ("wherry.cli.version", "The versions of wherry, and of the API it speaks."),
}
"""Where each command is, and its line in the help: no module is loaded to show it."""

INTERRUPTED, BROKEN_PIPE = 130, 141


class LateGroup(click.Group):
    """Imports a command's module when the command is asked for; ends without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from wherry.config import nearest

            ctx.fail(f"there is no command {args[0]!r}{nearest(args[0], list(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # `wherry logs | head`: whoever read has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        return result

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        run: Any = super().main
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        try:
            code = run(*args, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        except Exception as error:
            if os.environ.get("WHERRY_DEBUG"):
                raise
            click.echo(f"Error: {type(error).__name__}: {error} (a defect: WHERRY_DEBUG=1 shows where)", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wherry")
def main() -> None:
    """A Kubernetes node in one process: from a web app's folder to load-balanced replicas.

    \b
    Examples:
      sudo wherry node start          start the node on this machine
      wherry logs web -f              follow every replica of an app
      wherry exec web -it -- sh       a shell in the newest ready one
      wherry run -it busybox -- sh    a pod of its own, gone when it ends
      wherry doctor                   what is missing on this machine

    \b
    Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 rolled back, 4 out of time, 5 conflict, 130 Ctrl-C.
    `exec` and `run` end with the exit code of the command.
    """
