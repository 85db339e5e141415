"""One API server under measurement: plain calls on connections that are kept, with as little client as can be."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import orjson

from wherry.client import kubeconfig
from wherry.client.credentials import Credentials
from wherry.objects import Obj

T = TypeVar("T")

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, text: bytes) -> None:
        super().__init__(f"HTTP {status}: {text[:300].decode(errors='replace')}")
        self.status = status


class Cluster:
    """Use as a context manager. `namespace` is there from `begin` until `end`."""

    def __init__(self, path: Path) -> None:
        config = kubeconfig.load([path], must_exist=True)
        self.access = config.access(config.current) if config.current else config.only()
        self.url = self.access.cluster.server.rstrip("/")
        self.namespace = f"bench-{int(time.time())}"
        self._credentials = Credentials(self.access)

    async def __aenter__(self) -> Self:
        shown = await self._credentials.shown()
        self._headers = dict(shown.headers)
        connector = aiohttp.TCPConnector(ssl=shown.context or True, limit=0)
        self._http = aiohttp.ClientSession(connector=connector, read_bufsize=2**20)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def raw(self, method: str, path: str, body: Obj | None = None, content: str = "application/json") -> bytes:
        """The answer's bytes. Raises Refused."""
        data = None if body is None else orjson.dumps(body)
        headers = {**self._headers, "Content-Type": content}
        async with self._http.request(method, self.url + path, data=data, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 400:
                raise Refused(answer.status, text)
            return text

    async def call(self, method: str, path: str, body: Obj | None = None, content: str = "application/json") -> Obj:
        found: Obj = orjson.loads(await self.raw(method, path, body, content))
        return found

    async def watch(self, path: str) -> AsyncGenerator[Obj]:
        """The objects that a watch tells of, those that are there first."""
        headers, patience = self._headers, aiohttp.ClientTimeout(total=600)
        async with self._http.get(self.url + path, headers=headers, timeout=patience) as answer:
            async for line in answer.content:
                yield orjson.loads(line)["object"]

    async def begin(self) -> None:
        """Make the namespace, and wait for its default ServiceAccount."""
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        await self.there(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default")

    async def end(self) -> float:
        """Delete the namespace and all in it; the seconds it took."""
        began, path = time.perf_counter(), f"/api/v1/namespaces/{self.namespace}"
        await self.call("DELETE", path)
        await self.gone(path)
        return time.perf_counter() - began

    async def there(self, path: str) -> Obj:
        return await until(lambda: self.call("GET", path), 120)

    async def gone(self, path: str) -> None:
        async def missing() -> None:
            try:
                await self.raw("GET", path)
            except Refused as refused:
                if refused.status == 404:
                    return
            raise Refused(409, b"it is still there")

        await until(missing, 600)


async def until(look: Callable[[], Awaitable[T]], seconds: float) -> T:
    """What `look` finds, asked again and again while it raises."""
    end = time.monotonic() + seconds
    while True:
        try:
            return await look()
        except (Refused, aiohttp.ClientError, TimeoutError):
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.01)
