"""`wherry node`: run, start, stop and ask after the engine on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from wherry.cli.options import PortRange, config_of, settings
from wherry.config import Config

START_SECONDS, STOP_SECONDS = 30.0, 20.0


@click.group()
def command() -> None:
    """The engine on this machine."""


@command.command()
@settings
def run(**given: Any) -> None:
    """Run the engine in the foreground; Ctrl-C ends it, pods run on."""
    import logging

    from wherry import engine
    from wherry.process import ProgramError
    from wherry.store import StoreError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        engine.main(config_of(given))
    except (StoreError, ProgramError, OSError) as error:
        raise click.ClickException(str(error)) from None


@command.command()
@settings
def start(**given: Any) -> None:
    """Start the engine in the background and wait until it answers. A second start changes nothing."""
    config = config_of(given)
    began = time.monotonic()
    if pid := _pid(config):
        click.echo(f"{config.name} is up already (pid {pid})")
    else:
        _launch(config)
        click.echo(f"{config.name} is up after {time.monotonic() - began:.2f} s")
    click.echo(f"API         https://{config.listen}:{config.port}")
    click.echo(f"kubeconfig  {config.state / 'kubeconfig'}")
    click.echo(f"log         {config.run / 'engine.log'}")


@command.command()
@settings
def stop(**given: Any) -> None:
    """Stop the engine. Pods run on, and the next start adopts them."""
    config = config_of(given)
    if _pid(config) is None:
        click.echo(f"{config.name} is not up")
        return
    _end(config)
    click.echo(f"{config.name} is down; its pods run on")


@command.command()
@settings
def status(**given: Any) -> None:
    """Whether the engine is up. Exit code 1 if it is not."""
    config = config_of(given)
    pid = _pid(config)
    click.echo(f"{config.name} is up (pid {pid})" if pid else f"{config.name} is down")
    if pid is None:
        sys.exit(1)


def _pid(config: Config) -> int | None:
    """The process that holds the store's lock, by the store's own word."""
    lock = config.state / "db" / "lock"
    try:
        pid = int(lock.read_text().split()[0])
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return None
    return pid if b"node" in words and b"run" in words else None


def _end(config: Config) -> None:
    """SIGTERM, and wait for the process to be gone."""
    pid = _pid(config)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while _pid(config) is not None:
        if time.monotonic() > end:
            raise click.ClickException(f"process {pid} has not ended after {STOP_SECONDS:g} s")
        time.sleep(0.02)


def _launch(config: Config) -> None:
    config.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = config.run / "engine.log"
    argv = [sys.executable, "-m", "wherry.cli", "node", "run", "--name", config.name, "--state", str(config.state)]
    argv += ["--run-dir", str(config.run), "--port", str(config.port), "--bridge", config.bridge]
    argv += ["--pods", config.pods, "--services", config.services]
    argv += ["--node-ports", PortRange.written(config.node_ports)]
    marker = config.run / "ready"
    marker.unlink(missing_ok=True)
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    end = time.monotonic() + START_SECONDS
    while not marker.exists():
        if child.poll() is not None or time.monotonic() > end:
            said = log.read_text(errors="replace").strip().splitlines()
            raise click.ClickException("the engine did not come up: " + (said[-1] if said else f"see {log}"))
        time.sleep(0.01)


@command.command()
@settings
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def reset(yes: bool, **given: Any) -> None:
    """Stop the engine and its pods, and remove everything it keeps: the host is as it was before."""
    import asyncio
    import shutil

    from wherry import engine

    config = config_of(given)
    if not yes:
        click.confirm(f"Remove all pods, images and objects of {config.name}?", abort=True)
    if _pid(config) is not None:
        _end(config)
    asyncio.run(engine.reset(config))
    for directory in (config.state, config.run):
        shutil.rmtree(directory, ignore_errors=True)
    click.echo(f"{config.name} is gone")
