"""HTTP with one registry: tokens by its challenge, retries of what is safe, errors in words."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from wherry.clock import Clock
from wherry.images.errors import ImageError
from wherry.images.registry.credentials import Credentials

_TRIES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0  # seconds
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=60.0)
_LARGEST_ANSWER = 8 * 1024 * 1024  # bytes of a manifest, token or error
_PARAMETER = re.compile(r'([a-zA-Z_]+)="([^"]*)"')

Body = bytes | Callable[[], Any] | None
"""Bytes, or what makes a stream anew for every try."""


class RegistryError(ImageError):
    """The registry refused. `status` is HTTP's, `code` its own (`MANIFEST_UNKNOWN`...); 0 and "" if none came."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class Answer:
    """A response whose body has been read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Session:
    """One registry by host. `credentials` are used when it asks; tokens are kept per scope."""

    http: aiohttp.ClientSession
    host: str  # with its port
    clock: Clock
    credentials: Credentials | None = None
    plain: bool = False  # http instead of https
    _tokens: dict[str, str] = field(default_factory=dict)
    _basic: bool = False  # it wants the password at every request

    @property
    def base(self) -> str:
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return f"{'http' if self.plain else 'https'}://{host}"

    async def call(
        self, method: str, url: str, scope: str, *, body: Body = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request with a small answer. `url` is a path or a whole address. Status 4xx and 5xx raise RegistryError."""
        response = await self.open(method, url, scope, body=body, headers=headers)
        try:
            data = await response.content.read(_LARGEST_ANSWER + 1)
            if len(data) > _LARGEST_ANSWER:
                raise RegistryError(f"{self.host}: the answer to {method} {url} is larger than {_LARGEST_ANSWER} bytes")
            return Answer(response.status, response.headers, data)
        finally:
            response.release()

    async def open(
        self, method: str, url: str, scope: str, *, body: Body = None, headers: Mapping[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        """As `call`, with the body still to be read; the caller releases the response."""
        pause = _FIRST_PAUSE
        challenged = False
        for attempt in range(1, _TRIES + 1):
            try:
                response = await self._send(method, url, scope, body, headers or {})
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                if attempt == _TRIES or isinstance(error, aiohttp.ClientConnectorCertificateError):
                    raise RegistryError(f"{self.host} cannot be reached: {error}") from error
            else:
                if response.status == 401 and not challenged:
                    challenged = True
                    challenge = response.headers.get("WWW-Authenticate", "")
                    response.release()
                    await self._answer(challenge, scope)
                    continue
                if response.status < 400:
                    return response
                if (response.status not in (408, 429) and response.status < 500) or attempt == _TRIES:
                    raise await self._error(response, method, url)
                pause = max(pause, _retry_after(response))
                response.release()
            await self.clock.sleep(min(pause, _LONGEST_PAUSE))
            pause *= 2
        raise RegistryError(f"{self.host} does not let {method} {url} through")

    async def _send(
        self, method: str, url: str, scope: str, body: Body, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        address = url if "://" in url else f"{self.base}{url}"
        sent = dict(headers)
        if address.startswith(f"{self.base}/"):  # nobody else is told: uploads and blobs may be elsewhere
            authorization = self._authorization(scope)
            if authorization:
                sent["Authorization"] = authorization
        data = body() if callable(body) else body
        return await self.http.request(
            method, address, data=data, headers=sent, timeout=_TIMEOUT, allow_redirects=method != "PUT"
        )

    def _authorization(self, scope: str) -> str:
        if self._basic and self.credentials is not None:
            return self.credentials.basic
        token = self._tokens.get(scope)
        return f"Bearer {token}" if token else ""

    async def _answer(self, challenge: str, scope: str) -> None:
        """Do what a 401 asks for: send the password from now on, or fetch a token."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            if self.credentials is None:
                raise RegistryError(f"{self.host} wants a login: docker login {self.host}", 401, "UNAUTHORIZED")
            self._basic = True
        elif kind.lower() == "bearer":
            parameters = dict(_PARAMETER.findall(rest))
            if "realm" not in parameters:
                raise RegistryError(f"{self.host} asks for a token and does not say where", 401)
            self._tokens[scope] = await self._token(parameters, scope)
        else:
            raise RegistryError(f"{self.host} asks for {kind or 'nothing known'}, which is not spoken here", 401)

    async def _token(self, parameters: Mapping[str, str], scope: str) -> str:
        realm, service = parameters["realm"], parameters.get("service", "")
        if not realm.startswith("https://") and not self.plain:
            raise RegistryError(f"{self.host} sends passwords to {realm} in the clear; they are not sent there", 401)
        scopes = [each for each in (scope or parameters.get("scope", "")).split(" ") if each]
        identity = self.credentials.identity_token if self.credentials else ""
        try:
            if identity:
                form = {
                    "grant_type": "refresh_token",
                    "service": service,
                    "client_id": "wherry",
                    "refresh_token": identity,
                }
                form["scope"] = " ".join(scopes)
                response = await self.http.post(realm, data=form, timeout=_TIMEOUT)
            else:
                headers = {"Authorization": self.credentials.basic} if self.credentials else {}
                query = [("service", service), *(("scope", each) for each in scopes)]
                response = await self.http.get(realm, params=query, headers=headers, timeout=_TIMEOUT)
            async with response:
                if response.status >= 400:
                    what = "refuses the credentials" if self.credentials else f"wants a login: docker login {self.host}"
                    raise RegistryError(f"{self.host} {what}", response.status, "UNAUTHORIZED")
                answer = orjson.loads(await response.content.read(_LARGEST_ANSWER))
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            raise RegistryError(f"{self.host}: no token from {realm}: {error}") from error
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise RegistryError(f"{self.host}: {realm} gave no token")
        return token

    async def _error(self, response: aiohttp.ClientResponse, method: str, url: str) -> RegistryError:
        data = await response.content.read(65536)
        response.release()
        code, said = "", ""
        try:
            first = (orjson.loads(data).get("errors") or [{}])[0]
            code, said = str(first.get("code") or ""), str(first.get("message") or "")
        except (orjson.JSONDecodeError, AttributeError, IndexError, KeyError):
            said = data.decode(errors="replace").strip()[:200]
        path = url.partition("://")[2] or url
        message = f"{self.host} answers {response.status} to {method} {path.partition('?')[0]}"
        if response.status in (401, 403):
            message += ": this login may not do that" if self.credentials else f": log in with docker login {self.host}"
        return RegistryError(f"{message}{f': {said}' if said else ''}", response.status, code)


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds that the server asks to wait, 0 where it does not."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0


def is_loopback(host: str) -> bool:
    """Whether a registry is on this machine, and so may be spoken to without TLS, as docker does."""
    name = host.rpartition(":")[0] or host
    return name == "localhost" or name.startswith("127.") or name == "[::1]"


async def gathered(limit: int, *jobs: Callable[[], Any]) -> None:
    """Run jobs, `limit` at a time; the first that fails ends the others."""
    slots = asyncio.Semaphore(limit)

    async def one(job: Callable[[], Any]) -> None:
        async with slots:
            await job()

    try:
        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                tasks.create_task(one(job))
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
