"""What the API server needs of a node: to reach into its pods. The engine hands an implementation in."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from wherry.objects import Obj


@dataclass(frozen=True)
class LogOptions:
    """`v1.PodLogOptions`: what part of a container's log to send."""

    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None
    stream: str = "All"  # All, Stdout, Stderr


@dataclass(frozen=True)
class ExecOptions:
    """`v1.PodExecOptions` and `PodAttachOptions`: which streams of which container's process."""

    container: str
    command: Sequence[str] = ()
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


class PodAccess(Protocol):
    """Streams in and out of running pods. Raises ApiError: BadRequest while a container is not running, NotFound."""

    def logs(self, pod: Obj, options: LogOptions) -> AsyncIterator[bytes]:
        """Chunks of whole lines. Raises before the first chunk where there is no such log."""
        ...

    async def exec(self, pod: Obj, options: ExecOptions) -> str:
        """The http:// URL of a single-use SPDY/3.1 remote-command server for this one session."""
        ...

    async def attach(self, pod: Obj, options: ExecOptions) -> str:
        """As `exec`, to the container's main process."""
        ...

    async def port_forward(self, pod: Obj, ports: Sequence[int]) -> str:
        """The http:// URL of a single-use SPDY/3.1 port-forward server for this pod."""
        ...
