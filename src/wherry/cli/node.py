"""`wherry node`: run, start, stop, watch and remove the engine on this machine."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from wherry.cli.options import config_of, fail, settings, settings_of
from wherry.config import Config

OUTPUT = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")


@click.group()
def command() -> None:
    """The engine on this machine.

    \b
    Examples:
      sudo wherry node start           start it, and wait until it answers
      sudo wherry node logs -f         what it says
      sudo wherry node stop            stop it; pods run on
      sudo wherry node reset           remove everything it has put on this machine
    """


def kubeconfig_options(command: Any) -> Any:
    """Where the context goes, and whether it does."""
    file = click.Path(path_type=Path, dir_okay=False)
    named = "The file that gets the context.  [default: the first of KUBECONFIG, else ~/.kube/config]"
    command = click.option("--kubeconfig", "user_file", type=file, default=None, help=named)(command)
    return click.option("--no-kubeconfig", is_flag=True, help="Leave the user's kubeconfig alone.")(command)


@command.command()
@settings
def run(**given: Any) -> None:
    """Run the engine in the foreground; Ctrl-C ends it, pods run on.

    \b
    Example:
      sudo wherry node run --log-level debug
    """
    _engine(config_of(given), foreground=True)


def _background(config: Config) -> int:
    """The engine in a process that nobody looks at: its exit code."""
    try:
        _engine(config, foreground=False)
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    return 0


def _engine(config: Config, *, foreground: bool) -> None:
    import gc
    import logging

    gc.disable()  # until the engine is up: collecting what was just imported is a quarter of its start
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # it would say on stderr that it saw a fork, for each program run
    from wherry.host import engine_log, launch, preflight

    try:
        preflight.check(config)
        with launch.holding(config):
            engine_log.begin(config, foreground=foreground)
            _launch_containerd(config)
            with _without_authorities():
                from wherry import engine  # takes most of a start, and is not needed to say what is wrong
            engine.main(config)
    except (preflight.NotReady, launch.LaunchError) as error:
        fail(str(error))
    except Exception as error:
        logging.getLogger("wherry").exception("the engine ended")
        fail(_why(config, error))


@contextlib.contextmanager
def _without_authorities() -> Iterator[None]:
    """aiohttp reads the machine's authorities as it is imported, for 40 ms, and the engine asks nobody who needs them.

    Only for the import: containerd and other programs, which do ask such servers, get the environment as it was.
    """
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ["SSL_CERT_FILE"]
        else:
            os.environ["SSL_CERT_FILE"] = before


def _launch_containerd(config: Config) -> None:
    """It gets ready while the engine is loaded; the engine adopts it, and says what is wrong if it has ended."""
    from wherry.node.containerd_process import ContainerdProcess

    containerd = ContainerdProcess(*config.containerd, oci_runtime=config.oci_runtime)
    if containerd.find() is None:
        containerd.launch()


def _why(config: Config, error: BaseException) -> str:
    """One sentence a failure; the log has the rest."""
    import errno

    from wherry.host.preflight import port_problem
    from wherry.process import ProgramError
    from wherry.store import StoreError

    if isinstance(error, BaseExceptionGroup):
        return "\n".join(dict.fromkeys(_why(config, each) for each in error.exceptions))
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
        return port_problem(config, error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space left for {error.filename or config.state}: free some, then start again"
    if isinstance(error, StoreError | ProgramError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error} (`wherry node logs` has all of it)"


@command.command()
@settings
@kubeconfig_options
def start(user_file: Path | None, no_kubeconfig: bool, **given: Any) -> None:
    """Start the engine in the background and wait until it answers. A second start changes nothing.

    \b
    Examples:
      sudo wherry node start
      sudo wherry node start --name two --state /var/lib/two --run-dir /run/two --port 7443 \\
          --bridge two0 --pods 10.95.0.0/16 --services 10.96.0.0/16
    """
    from wherry.host import launch

    config = config_of(given)
    _need_root(["node", "start", *(["--no-kubeconfig"] if no_kubeconfig else [])], config, user_file)
    began = time.monotonic()
    try:
        new = launch.start(config, partial(_background, config))
    except launch.LaunchError as error:
        fail(str(error))
    engine = launch.running(config)
    pid = f"(pid {engine.pid})" if engine else ""
    took = f"after {time.monotonic() - began:.2f} s"
    click.echo(f"{config.name} is up {took if new else 'already'} {pid}")
    click.echo(f"API         https://{config.listen}:{config.port}")
    click.echo(f"kubeconfig  {config.state / 'kubeconfig'}")
    if (config.state / "registry" / "config.json").exists():
        click.echo(f"registry    {_registry(config)}")
    if not no_kubeconfig:
        _merge(config, user_file)


def _registry(config: Config) -> str:
    """Where images are pushed to, and the login for it; without its port only the socket is left."""
    import json

    login = config.state / "registry" / "config.json"
    addresses = list(json.loads(login.read_text())["auths"])
    at = f"{addresses[0]}  (login: {login})" if addresses else ""
    return at or f"{config.run / 'registry.sock'}  (port {config.registry_port} is taken or off)"


def _merge(config: Config, named: Path | None) -> None:
    """The context goes into the user's kubeconfig; where it cannot, the engine is up all the same."""
    from wherry.host import user_kubeconfig
    from wherry.host.kubeconfig_text import KubeconfigProblem
    from wherry.host.sudo import invoking

    person = invoking(os.environ)
    file = named or user_kubeconfig.location(os.environ, person)
    try:
        user_kubeconfig.put(file, person, config.state / "kubeconfig", config.state)
    except KubeconfigProblem as error:
        click.echo(f"Warning: no context was written: {error}", err=True)
    else:
        click.echo(f"context     {config.name} in {file}")


@command.command()
@click.option("--pods", "with_pods", is_flag=True, help="Stop the pods too, and take the network away.")
@settings_of("--pods")
def stop(with_pods: bool, **given: Any) -> None:
    """Stop the engine. Pods run on, and the next start adopts them.

    With --pods, every container ends and nothing of the engine is left running or routed on this machine; objects and
    images stay, so the next start runs the same pods anew.

    \b
    Examples:
      sudo wherry node stop
      sudo wherry node stop --pods
    """
    import asyncio

    from wherry.host import launch
    from wherry.process import ProgramError

    config = config_of(given)
    _need_root(["node", "stop", *(["--pods"] if with_pods else [])], config, None)
    try:
        was_up = launch.stop(config)
        if with_pods:
            from wherry import engine

            asyncio.run(engine.stop_pods(config))
    except (launch.LaunchError, ProgramError) as error:
        fail(str(error))
    pods = "so are its pods" if with_pods else "its pods run on"
    click.echo(f"{config.name} is down; {pods}" if was_up or with_pods else f"{config.name} is not up")


@command.command()
@settings
@OUTPUT
def status(output: str, **given: Any) -> None:
    """Whether the engine is up, and where. Exit code 1 if it is not.

    \b
    Examples:
      sudo wherry node status
      sudo wherry node status -o json | jq .ready
    """
    from wherry.host import launch, report

    config = config_of(given)
    try:
        found = report.of(config, launch.running(config))
    except PermissionError as error:
        fail(f"{error.filename} belongs to root: try again with sudo")
    if output == "json":
        import json

        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(report.text(found))
    if not found["ready"]:
        sys.exit(1)


@command.command()
@settings
@OUTPUT
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C or the engine's end.")
@click.option("--since", help="Only what is newer: 10m, 2h, 1d, or a time.")
@click.option("-n", "--tail", "last", type=click.IntRange(min=0), help="Only the last lines.  [default: 200]")
def logs(output: str, follow: bool, since: str | None, last: int | None, **given: Any) -> None:
    """What the engine says. It keeps 24 MiB of it at most, as JSON lines, in the state directory.

    \b
    Examples:
      sudo wherry node logs -f
      sudo wherry node logs --since 10m -o json
    """
    import json
    from datetime import UTC, datetime

    from wherry.host import engine_log, launch

    config = config_of(given)
    file = engine_log.path(config)
    shown = json.dumps if output == "json" else engine_log.shown
    try:
        moment = engine_log.ago(since, datetime.now(UTC)) if since else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    if last is None and since is None:
        last = 200
    try:
        for entry in engine_log.recent(file, since=moment, last=last):
            click.echo(shown(entry))
        if follow:
            for entry in engine_log.follow(file, lambda: launch.running(config) is None):
                click.echo(shown(entry))
    except FileNotFoundError:
        fail(f"{file} is not there: this engine has not been started yet")
    except PermissionError:
        fail(f"{file} belongs to root: try again with sudo")


@command.command()
@settings
@kubeconfig_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def reset(yes: bool, user_file: Path | None, no_kubeconfig: bool, **given: Any) -> None:
    """Stop the engine and its pods, and remove everything it keeps: the host is as it was before.

    \b
    Example:
      sudo wherry node reset --yes
    """
    import asyncio
    import shutil

    from wherry import engine
    from wherry.host import launch, run_directory
    from wherry.process import ProgramError

    config = config_of(given)
    words = ["node", "reset", *(["--yes"] if yes else []), *(["--no-kubeconfig"] if no_kubeconfig else [])]
    _need_root(words, config, user_file)
    _ask(f"Remove all pods, images and objects of {config.name} ({config.state})?", yes)
    try:
        launch.stop(config)
        asyncio.run(engine.reset(config))
        if config.state.exists():
            shutil.rmtree(config.state)
        run_directory.remove(config.run)
    except (launch.LaunchError, ProgramError, OSError) as error:
        fail(f"{config.name} is not all gone: {error}")
    if not no_kubeconfig:
        _take_out(config, user_file)
    click.echo(f"{config.name} is gone")


def _take_out(config: Config, named: Path | None) -> None:
    from wherry.host import user_kubeconfig
    from wherry.host.kubeconfig_text import KubeconfigProblem
    from wherry.host.sudo import invoking

    person = invoking(os.environ)
    file = named or user_kubeconfig.location(os.environ, person)
    try:
        user_kubeconfig.take_out(file, person, config.name, config.state)
    except KubeconfigProblem as error:
        click.echo(f"Warning: its context is still there: {error}", err=True)


def _ask(question: str, yes: bool) -> None:
    """Nothing is removed unasked; where nobody can be asked, that is a wrong call."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Say --yes where nobody can be asked", 2)
    if not click.confirm(question, err=True):
        fail("nothing was changed")


def _need_root(words: Sequence[str], config: Config, user_file: Path | None) -> None:
    """Root has the machine's containers and networks. At a terminal sudo asks, for exactly the command shown."""
    if os.geteuid() == 0:
        return
    import shutil

    from wherry.host import sudo, user_kubeconfig

    if words[1] != "stop" and user_file is None and os.environ.get("KUBECONFIG"):
        user_file = user_kubeconfig.location(os.environ, sudo.invoking(os.environ))
    argv = sudo.again(words, config, user_file)
    if not (sys.stdin.isatty() and shutil.which("sudo")):
        fail(f"wherry needs root for containers and networks: {sudo.written(argv)}")
    click.echo(f"wherry needs root for containers and networks: {sudo.written(argv)}", err=True)
    os.execvp("sudo", argv)  # noqa: S606 - an argument list, and this process becomes it
