"""Requests to one API server: credentials shown, warnings passed on, failures turned into errors of `objects.errors`.

Only what cannot happen twice is tried again: reads, server-side apply, and requests that never left this machine.
"""

import asyncio
import contextlib
import ipaddress
import os
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from wherry.client.credentials import Credentials
from wherry.client.kubeconfig import Access, Cluster, KubeconfigError
from wherry.objects import Obj
from wherry.objects.errors import ApiError, ServiceUnavailable, Timeout, TooManyRequests, from_status
from wherry.version import __version__

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 4, 0.1, 5.0


class Unreachable(ServiceUnavailable):
    """There was no answer: nobody listens there, the certificate is not trusted, or the connection broke."""


class NeverSent(Unreachable):
    """No connection came about, so that nothing can have happened."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call. Parameters with an empty value are not sent; `read_seconds` is the longest silence, None for ever."""

    method: str = "GET"
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    content: str = JSON
    accept: str = JSON
    read_seconds: float | None = ANSWER_SECONDS

    @property
    def repeatable(self) -> bool:
        return self.method == "GET" or self.content == APPLY

    @property
    def params(self) -> list[tuple[str, str]]:
        return [(key, value) for key, value in self.query if value]

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [("Accept", self.accept)] + ([("Content-Type", self.content)] if self.body is not None else [])


@dataclass
class Connection:
    """Use as a context manager; `warnings` gets what the server warns of."""

    access: Access
    warnings: Callable[[str], None] = lambda text: None
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._credentials = Credentials(self.access)
        self._proxy = proxy_for(self.access.cluster)

    async def __aenter__(self) -> "Connection":
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": f"wherry/{__version__}"}, connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**20
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def where(self) -> str:
        return f"the API server {self.access.cluster.server}"

    async def json(self, request: Request) -> Obj:
        """The answer's object. Raises the ApiError that it stands for."""
        async with await self.answer(request) as answer:
            try:
                whole: Obj = orjson.loads(await answer.read())
            except orjson.JSONDecodeError:
                raise ApiError(f"{self.where} answered no JSON: is this a Kubernetes API?") from None
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unreachable(f"{self.where}: the answer broke off: {error}") from None
        return whole

    async def status(self, request: Request) -> int:
        """The HTTP status of one attempt, of whatever kind; 0 where nothing answered."""
        try:
            answer = await self._send(request)
        except Unreachable:
            return 0
        except ApiError as error:
            return error.code
        answer.release()
        return answer.status

    async def lines(self, request: Request) -> AsyncGenerator[bytes]:
        """The answer's lines as they come, of any length."""
        rest = b""
        async with contextlib.aclosing(self.chunks(request)) as chunks:
            async for chunk in chunks:
                if b"\n" not in chunk:
                    rest += chunk
                    continue
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if line:
                        yield line

    async def chunks(self, request: Request) -> AsyncGenerator[bytes]:
        """The answer's bytes as they come; a connection that breaks raises Unreachable."""
        async with await self.answer(request) as answer:
            try:
                async for chunk in answer.content.iter_any():
                    yield chunk
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unreachable(f"{self.where}: the answer broke off: {error or type(error).__name__}") from None

    async def answer(self, request: Request) -> aiohttp.ClientResponse:
        """An answer that is no error; its body is still to be read. What is safe to repeat is tried again."""
        renewed = False
        for attempt in range(ATTEMPTS):
            try:
                return await self._send(request)
            except ApiError as error:
                if error.code == 401 and self._credentials.renewable and not renewed:
                    self._credentials.renew()
                    renewed = True
                    continue
                if attempt == ATTEMPTS - 1 or not _again(error, request.repeatable):
                    raise
                await asyncio.sleep(_pause(error, attempt))
        raise Unreachable(f"{self.where}: no answer after {ATTEMPTS} attempts")

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        shown = await self._credentials.shown()
        try:
            answer = await self._open().request(
                request.method,
                self.access.cluster.server + request.path,
                params=request.params,
                headers=[*request.headers, *shown.headers],
                data=orjson.dumps(request.body) if request.body is not None else None,
                allow_redirects=False,
                proxy=self._proxy,
                ssl=shown.context if shown.context is not None else False,
                server_hostname=self.access.cluster.server_name or None,
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=request.read_seconds),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from None
        for warning in answer.headers.getall("Warning", ()):
            self.warnings(_warned(warning))
        if answer.status >= 300:
            raise await _failure(answer)
        return answer

    @contextlib.asynccontextmanager
    async def websocket(
        self, request: Request, protocols: Sequence[str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Raises the ApiError with which the server refuses the upgrade."""
        shown = await self._credentials.shown()
        try:
            socket = await self._open().ws_connect(
                self.access.cluster.server + request.path,
                params=request.params,
                headers=list(shown.headers),
                protocols=protocols,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=5.0),
                proxy=self._proxy,
                ssl=shown.context if shown.context is not None else False,
                server_hostname=self.access.cluster.server_name or None,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise await self._refusal(request, error) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from None
        async with socket:
            yield socket

    async def _refusal(self, request: Request, error: aiohttp.WSServerHandshakeError) -> ApiError:
        """Why an upgrade was refused: asked again without one, as aiohttp throws the answer's body away."""
        try:
            (await self._send(request)).release()
        except ApiError as said:
            if said.code == error.status:
                return said
        return from_status({"message": f"no upgrade: HTTP {error.status} {error.message}"}, error.status)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with`")
        return self._session

    def _unreachable(self, error: Exception) -> ApiError:
        where = self.where
        match error:
            case aiohttp.ClientConnectorCertificateError():
                said = f"{where}: its certificate is not trusted: {error.certificate_error}"
            case aiohttp.ConnectionTimeoutError():
                return NeverSent(f"{where} cannot be reached: no connection within {CONNECT_SECONDS:g} s")
            case aiohttp.ClientConnectorError():
                return NeverSent(f"{where} cannot be reached: {_why(error.os_error)}")
            case TimeoutError():
                return Timeout(f"{where} did not answer in time")
            case _:
                said = f"{where}: the connection broke: {error or type(error).__name__}"
        return Unreachable(said)


def _why(error: OSError) -> str:
    """asyncio's own text of a failed connect leaves out why."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _again(error: ApiError, repeatable: bool) -> bool:
    if isinstance(error, NeverSent | TooManyRequests):
        return True
    return repeatable and isinstance(error, ServiceUnavailable | Timeout)


def _pause(error: ApiError, attempt: int) -> float:
    asked = error.details.get("retryAfterSeconds")
    return min(float(asked or FIRST_WAIT * 2**attempt), LONGEST_WAIT)


def _warned(header: str) -> str:
    """The text of `299 - "text"`."""
    text = header.split(" ", 2)[-1].strip()
    return text[1:-1].replace('\\"', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


async def _failure(answer: aiohttp.ClientResponse) -> ApiError:
    try:
        raw = await answer.read()
    except aiohttp.ClientError:
        raw = b""
    answer.release()
    try:
        status = orjson.loads(raw)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = raw[:300].decode(errors="replace").strip() or answer.reason or ""
        status = {"message": f"HTTP {answer.status}: {text}"}
    error = from_status(status, answer.status)
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        error.details.setdefault("retryAfterSeconds", int(after))
    return error


def proxy_for(cluster: Cluster) -> str | None:
    """The proxy of the kubeconfig, else of the environment; none for this machine. Raises KubeconfigError."""
    parts = urlsplit(cluster.server)
    host = parts.hostname or ""
    proxy = cluster.proxy
    if not proxy:
        if _is_loopback(host) or urllib.request.proxy_bypass(host):
            return None
        proxy = urllib.request.getproxies().get(parts.scheme, "")
    if proxy and not proxy.startswith(("http://", "https://")):
        raise KubeconfigError(f"the proxy {proxy} for {cluster.server} is no http(s) proxy; others are not supported")
    return proxy or None


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
