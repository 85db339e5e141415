"""Debian's docker-registry, as a registry that is not wherry's own."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_CONFIG = """\
version: 0.1
log: {{level: info}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: 127.0.0.1:0}}
"""


@asynccontextmanager
async def docker_registry(directory: Path) -> AsyncIterator[str]:
    """One that keeps its images in `directory`; its address, as soon as it says that it listens."""
    program = shutil.which("docker-registry")
    assert program is not None, "docker-registry is a package of Debian: `make test` installs it"
    config = directory / "registry.yml"
    config.write_text(_CONFIG.format(root=directory / "registry"))
    child = await asyncio.create_subprocess_exec(
        program, "serve", str(config), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert child.stderr is not None
    listens: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(child.stderr, listens))
    try:
        async with asyncio.timeout(20):
            address = await listens
        yield address
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
        await reading


async def _read(stderr: asyncio.StreamReader, listens: "asyncio.Future[str]") -> None:
    """To the end: a program whose pipe is full waits."""
    async for line in stderr:
        match = re.search(rb"listening on (127\.0\.0\.1:\d+)", line)
        if match and not listens.done():
            listens.set_result(match[1].decode())
    if not listens.done():
        listens.set_exception(AssertionError("docker-registry ended before it listened"))
