"""Which headers cross the proxy, and how a redirect of the pod's stays behind it. Pure."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from multidict import CIMultiDict, MultiMapping

HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade"),
    )
)
SECRET = frozenset(("authorization",))
OURS = ("impersonate-", "x-remote-")
BEARER = "base64url.bearer.authorization.k8s.io."


class Caller(NamedTuple):
    """Who asked the API server, as the X-Forwarded headers tell the pod."""

    address: str
    host: str
    uri: str


def to_pod(headers: MultiMapping[str], caller: Caller, *, upgrading: bool = False) -> CIMultiDict[str]:
    """A client's headers as the pod gets them: no credential, nothing that is for this connection alone."""
    passed = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in SECRET and not name.lower().startswith(OURS) and not _of_the_hop(name, headers)
    )
    if upgrading:
        passed["Connection"], passed["Upgrade"] = "Upgrade", headers["Upgrade"]
    offered = [text.strip() for value in passed.popall("Sec-WebSocket-Protocol", []) for text in value.split(",")]
    if offered := [text for text in offered if text and not text.startswith(BEARER)]:
        passed["Sec-WebSocket-Protocol"] = ", ".join(offered)
    passed["X-Forwarded-For"] = ", ".join([*passed.popall("X-Forwarded-For", []), caller.address])
    passed["X-Forwarded-Host"], passed["X-Forwarded-Proto"] = caller.host, "https"
    passed["X-Forwarded-Uri"] = caller.uri
    return passed


def to_client(headers: MultiMapping[str], prefix: str, hosts: Iterable[str]) -> CIMultiDict[str]:
    """A pod's headers as the client gets them. `prefix` is the proxy's own path, `hosts` the names of the pod there."""
    passed = CIMultiDict((name, value) for name, value in headers.items() if not _of_the_hop(name, headers))
    if "Location" in passed:
        passed["Location"] = behind(passed["Location"], prefix, hosts)
    return passed


def behind(location: str, prefix: str, hosts: Iterable[str]) -> str:
    """A redirect to the pod's own host, led through the proxy; others stay as they are."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if (parts.netloc and parts.netloc not in hosts) or not parts.path.startswith("/"):
        return location
    path = parts.path if parts.path.startswith(prefix) else prefix + parts.path
    return parts._replace(scheme="", netloc="", path=path).geturl()


def _of_the_hop(name: str, headers: MultiMapping[str]) -> bool:
    named = [part.strip().lower() for value in headers.getall("Connection", []) for part in value.split(",")]
    return name.lower() in HOP_BY_HOP or name.lower() in named
