"""One HTTP GET as probes and hooks do it: no proxy, no keep-alive, no certificate check, redirects on the same host."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from wherry.node.connecting import dial_error
from wherry.version import KUBERNETES_VERSION

MOST_BODY = 10 * 1024
_MOST_HEAD = 64 * 1024
_MOST_REDIRECTS = 10
_AGENT = ".".join(KUBERNETES_VERSION.split(".")[:2])


class GetFailed(Exception):
    """There was no answer; the message is worded as upstream's."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    location: str = ""


def url_of(action: Mapping[str, object], port: int, pod_ip: str) -> str:
    scheme = str(action.get("scheme") or "HTTP").lower()
    host = str(action.get("host") or pod_ip)
    path = str(action.get("path") or "/")
    if ":" in host:
        host = f"[{host}]"
    return f"{scheme}://{host}:{port}{path if path.startswith('/') else f'/{path}'}"


def headers_of(action: Mapping[str, object], agent: str) -> dict[str, str]:
    """The pod's own headers, which may replace ours."""
    given = action.get("httpHeaders") or ()
    assert isinstance(given, list | tuple)
    own = {str(one["name"]).title(): str(one.get("value", "")) for one in given}
    return {"User-Agent": f"{agent}/{_AGENT}", "Accept": "*/*", **own}


async def get(url: str, headers: Mapping[str, str], timeout: float) -> Answer:
    """The last answer: of a redirect to another host, the redirect itself. Raises GetFailed."""
    first, at = urlsplit(url).hostname, url
    try:
        async with asyncio.timeout(timeout):
            for _ in range(_MOST_REDIRECTS):
                answer = await _get(at, headers)
                target = urljoin(at, answer.location) if answer.location else ""
                if answer.status not in (301, 302, 303, 307, 308) or not target or urlsplit(target).hostname != first:
                    return answer
                at = target
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise GetFailed(f'Get "{at}": {why}') from None
    except (OSError, EOFError, ValueError) as error:
        raise GetFailed(f'Get "{at}": {_reason(at, error)}') from error
    raise GetFailed(f'Get "{at}": stopped after {_MOST_REDIRECTS} redirects')


def _reason(url: str, error: Exception) -> str:
    parts = urlsplit(url)
    if isinstance(error, OSError):
        return dial_error(parts.hostname or "", parts.port or 0, error)
    return "EOF" if isinstance(error, EOFError) else f"malformed HTTP response: {error}"


async def _get(url: str, headers: Mapping[str, str]) -> Answer:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    context = _unchecked() if secure else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context, limit=_MOST_HEAD)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = {"Host": parts.netloc, **headers, "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace"))
        await writer.drain()
        return await _read(reader)
    finally:
        writer.transport.abort()  # nothing more is wanted of it; a polite end would leave it in TIME_WAIT on this side


async def _read(reader: asyncio.StreamReader) -> Answer:
    while True:
        status = await _line(reader)
        words = status.split(" ", 2)
        if not status.startswith("HTTP/") or len(words) < 2:
            raise ValueError(status[:80])
        headers: dict[str, str] = {}
        while line := await _line(reader):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > 500:
                raise ValueError("too many headers")
        code = int(words[1])
        if code >= 200 or code == 101:
            break
    body = b"" if code == 204 else await _body(reader, headers)
    return Answer(code, body.decode(errors="replace"), headers.get("location", ""))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """The beginning of the body, for people to read; its framing need not be understood fully."""
    length = headers.get("content-length", "")
    wanted = min(int(length), MOST_BODY) if length.isdigit() else MOST_BODY
    body = b""
    while len(body) < wanted:
        chunk = await reader.read(wanted - len(body))
        if not chunk:
            break
        body += chunk
    return body


async def _line(reader: asyncio.StreamReader) -> str:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line.decode("latin-1").rstrip("\r\n")


def _unchecked() -> ssl.SSLContext:
    """A pod's own certificate is signed by nobody that the node knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
