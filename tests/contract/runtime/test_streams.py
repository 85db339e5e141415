"""Where the runtime serves streams into a container, and for how long a URL is good."""

import asyncio
from urllib.parse import SplitResult, urlsplit

import pytest

from tests.contract.runtime.conftest import SLEEPS, World


async def upgrade(url: SplitResult, protocol: str) -> str:
    """The first line of the answer to a client that wants SPDY."""
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = f"Host: {url.netloc}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}"
    writer.write(f"POST {url.path} HTTP/1.1\r\n{head}\r\nContent-Length: 0\r\n\r\n".encode())
    async with asyncio.timeout(10):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line.decode()


@pytest.mark.root
async def test_streams_are_served_on_this_machine_only(real: World) -> None:
    container_id = await real.start(SLEEPS)
    runtime, sandbox_id = real.runtime, (await real.only()).sandbox_id
    urls = [
        await runtime.exec_url(container_id, ["ls"], stdin=False, stdout=True, stderr=True, tty=False),
        await runtime.attach_url(container_id, stdin=False, stdout=True, stderr=True, tty=False),
        await runtime.port_forward_url(sandbox_id, [80]),
    ]
    for url in map(urlsplit, urls):
        assert (url.scheme, url.hostname) == ("http", "127.0.0.1")
        protocol = "portforward.k8s.io" if "portforward" in url.path else "v4.channel.k8s.io"
        answers = [await upgrade(url, protocol) for _ in range(2)]
        assert answers[0].startswith("HTTP/1.1 101 ")
        assert answers[1].startswith("HTTP/1.1 404 "), "a URL is good for one session"
