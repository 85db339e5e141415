"""The registry's doors: a socket of its owner's, and a port on loopback that asks for the password."""

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from wherry.images.registry.server.handler import Registry

log = logging.getLogger("wherry.registry")

LOOPBACK = "127.0.0.1"
_STOP_SECONDS = 1.0
_BACKLOG = 128

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def claim(port: int) -> socket.socket | None:
    """The port on loopback, before anything is named after it; None for port 0, and where it is taken."""
    if not port:
        return None
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((LOOPBACK, port))
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        log.warning("no registry on %s:%d: %s. Set registry-port to a free port, or to 0", LOOPBACK, port, reason)
        return None
    return door


async def listen(registry: Registry, path: Path, door: socket.socket | None, stack: AsyncExitStack) -> None:
    """Serve on a socket at `path`, and at the door that was claimed, until the stack ends."""
    stack.push_async_callback(registry.blobs.uploads.close)
    by_socket = await _runner(registry.by_socket, stack)
    mask = os.umask(0o177)  # nobody else may get in between bind and chmod
    try:
        await web.UnixSite(by_socket, str(path), backlog=_BACKLOG).start()
    finally:
        os.umask(mask)
    if door:
        await web.SockSite(await _runner(registry.by_loopback, stack), door, backlog=_BACKLOG).start()


async def _runner(handle: Handle, stack: AsyncExitStack) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)  # an application, as only that answers Expect: 100-continue
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner
