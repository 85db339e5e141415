"""Requests at a steady rate, counted by how they ended. Only for addresses on this machine."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

_REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n"


@dataclass
class Load:
    """`failures` holds what went wrong and how often; a request is sent again only where every client does so: when a
    kept connection turns out to be closed before one byte of an answer.
    """

    address: str
    port: int
    keep: bool
    rate: float
    clients: int = 8
    answers: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    who: Counter[bytes] = field(default_factory=Counter)

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.clients):
                tasks.create_task(self._client(stop, number))

    async def _client(self, stop: asyncio.Event, number: int) -> None:
        loop, period = asyncio.get_running_loop(), self.clients / self.rate
        due = loop.time() + period * number / self.clients
        kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while not stop.is_set():
            due = max(due + period, loop.time() - 1)  # a machine that was away does not catch up with everything
            await asyncio.sleep(max(due - loop.time(), 0))
            started = time.monotonic()
            try:
                async with asyncio.timeout(10):
                    kept = await self._request(kept)
                self.answers += 1
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failures[f"{type(error).__name__}: {error}"] += 1
                if kept:
                    kept[1].close()
                kept = None
            self.slowest = max(self.slowest, time.monotonic() - started)
        if kept:
            kept[1].close()

    async def _request(
        self, kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """One request; the connection, if it may be used again."""
        if kept and not kept[0].at_eof():
            try:
                kept[1].write(_REQUEST + b"\r\n")
                line = await kept[0].readline()
            except OSError:
                line = b""
            if line:
                return await self._rest(line, *kept)
        if kept:
            kept[1].close()
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(_REQUEST + (b"\r\n" if self.keep else b"Connection: close\r\n\r\n"))
            return await self._rest(await reader.readline(), reader, writer)
        except BaseException:
            writer.close()
            raise

    async def _rest(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(headers.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(size)
        if line.split()[1:2] != [b"200"]:
            raise ValueError(line.decode(errors="replace").strip())
        self.who[body] += 1
        if self.keep and b"connection: close" not in headers:
            return reader, writer
        writer.close()
        return None
