"""A command in a container, joined to this terminal: exec and attach, until the command ends."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from wherry.client.http import HttpClient
from wherry.client.remote_command import Channel, RemoteCommand
from wherry.replicas import terminal


@dataclass(frozen=True)
class Session:
    """What is joined to what. `tty` merges stdout and stderr, as a terminal does."""

    namespace: str
    pod: str
    container: str
    command: Sequence[str] = ()  # empty: attach to the container's own
    stdin: bool = False
    tty: bool = False

    @property
    def query(self) -> list[tuple[str, str]]:
        flags = {"stdin": self.stdin, "stdout": True, "stderr": not self.tty, "tty": self.tty}
        asked = [("command", word) for word in self.command]
        return [*asked, ("container", self.container), *((key, str(on).lower()) for key, on in flags.items())]


async def join(client: HttpClient, session: Session) -> int:
    """Run to the end; the command's exit code. Raises ApiError where it could not be run."""
    kind = "exec" if session.command else "attach"
    async with client.remote_command(session.namespace, session.pod, kind, session.query) as remote:
        with terminal.raw(session.tty and session.stdin):
            sending = [asyncio.create_task(_send(remote))] if session.stdin else []
            if session.tty and terminal.is_terminal():
                sending.append(asyncio.create_task(_resize(remote)))
            try:
                async for channel, data in remote.output():
                    terminal.write(data, error=channel is Channel.STDERR)
            finally:
                for task in sending:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*sending)
    return remote.exit_code


async def _send(remote: RemoteCommand) -> None:
    source = terminal.Input()
    while data := await source.read():
        await remote.write(data)
    await remote.close_stdin()


async def _resize(remote: RemoteCommand) -> None:
    with terminal.resized() as changed:
        while True:
            await remote.resize(*terminal.size())
            await changed.wait()
            changed.clear()
