"""The registry's doors: a socket of its owner's, and a port on loopback that asks for the password."""

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from wherry.images.registry.server.handler import Registry

log = logging.getLogger("wherry.registry")

_STOP_SECONDS = 1.0
_BACKLOG = 128

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


async def listen(registry: Registry, socket: Path, port: int, stack: AsyncExitStack) -> bool:
    """Serve until the stack ends. A port of 0 is none. Whether the port could be had; without it the socket serves."""
    stack.push_async_callback(registry.blobs.uploads.close)
    by_socket = await _runner(registry.by_socket, stack)
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mask = os.umask(0o177)  # nobody else may get in between bind and chmod
    try:
        await web.UnixSite(by_socket, str(socket), backlog=_BACKLOG).start()
    finally:
        os.umask(mask)
    if not port:
        return False
    by_loopback = await _runner(registry.by_loopback, stack)
    try:
        await web.TCPSite(by_loopback, "127.0.0.1", port, backlog=_BACKLOG).start()
    except OSError as error:
        log.warning(
            "the registry is not on 127.0.0.1:%d: %s. Set registry-port to a free one, or 0 for none; it is at %s",
            port,
            os.strerror(error.errno) if error.errno else error,
            socket,
        )
        return False
    log.info("registry: 127.0.0.1:%d", port)
    return True


async def _runner(handle: Handle, stack: AsyncExitStack) -> web.AppRunner:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)  # an application, as only that answers Expect: 100-continue
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner
