"""Who is calling: a client certificate of our CA, a bearer token, or nobody (`system:anonymous`)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiohttp import web

from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs.context import User
from wherry.apiserver.verbs.registry import Registry
from wherry.objects.errors import Unauthorized

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
IN_PROTOCOL = "base64url.bearer.authorization.k8s.io."
REMEMBERED, MOST_REMEMBERED = 10.0, 4096  # a checked token holds for so many seconds; so many are kept


@dataclass
class Authenticator:
    """`static` maps the SHA-256 of a bearer token to its user: the tokens themselves are not kept."""

    registry: Registry
    tokens: Tokens
    static: Mapping[bytes, User] = field(default_factory=dict)
    _known: dict[str, tuple[User, float]] = field(default_factory=dict)

    def user(self, request: web.BaseRequest) -> User:
        """Raises Unauthorized for credentials that are wrong; none at all is anonymous."""
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Unauthorized("Unauthorized")
            return self.bearer(token.strip())
        protocol = request.headers.get("Sec-WebSocket-Protocol", "")
        if IN_PROTOCOL in protocol:
            return self.bearer(_token_of(protocol))
        return _certified(request)

    def bearer(self, token: str) -> User:
        now = self.registry.clock.now().timestamp()
        known = self._known.get(token)
        if known is not None and known[1] > now:
            return known[0]
        digest = hashlib.sha256(token.encode()).digest()
        for wanted, user in self.static.items():
            if hmac.compare_digest(wanted, digest):
                return user
        user, until = self.tokens.user(self.registry, token)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[token] = (user, min(until, now + REMEMBERED))
        return user


def _token_of(protocols: str) -> str:
    """The token that a browser's WebSocket carries, where no header can."""
    for name in protocols.split(","):
        text = name.strip()
        if text.startswith(IN_PROTOCOL):
            coded = text.removeprefix(IN_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
            except ValueError as error:
                raise Unauthorized("Unauthorized") from error
    raise Unauthorized("Unauthorized")


def _certified(request: web.BaseRequest) -> User:
    """The subject of the connection's verified certificate."""
    transport = request.transport
    certificate: Any = transport.get_extra_info("peercert") if transport is not None else None
    return _subject(certificate.get("subject", ())) if certificate else ANONYMOUS


@lru_cache(256)
def _subject(parts: tuple[tuple[tuple[str, str], ...], ...]) -> User:
    names = [pair for part in parts for pair in part]
    common = next((value for key, value in names if key == "commonName"), "")
    groups = tuple(value for key, value in names if key == "organizationName")
    return User(common, (*groups, "system:authenticated")) if common else ANONYMOUS
