"""Where an app answers: the URLs of its Services, and a real GET that proves it."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from wherry.client.follow import Followed, following
from wherry.client.http import HttpClient
from wherry.objects import Obj, Ref, ref_of

HTTP_PORTS = frozenset((80, 8000, 8080, 3000, 5000, 8888))
HTTPS_PORTS = frozenset((443, 8443))
GET_SECONDS, FIRST_WAIT, LONGEST_WAIT = 5.0, 0.01, 0.5


@dataclass(frozen=True)
class Answer:
    """A URL and what it said: an HTTP status, 0 where nothing answered, None where it is not HTTP."""

    url: str
    status: int | None = None

    @property
    def good(self) -> bool:
        return self.status is None or 0 < self.status < 500


def urls(service: Obj, *, embedded: bool) -> list[str]:
    """From where this machine reaches a Service; a cluster's inner addresses only where it is this machine's."""
    spec = service["spec"]
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    hosts = [str(one.get("hostname") or one.get("ip")) for one in ingress if one.get("hostname") or one.get("ip")]
    if (
        not hosts
        and embedded
        and spec.get("clusterIP") not in (None, "", "None")
        and spec.get("type") != "LoadBalancer"
    ):
        hosts = [spec["clusterIP"]]
    return [_url(host, port) for host in hosts for port in spec.get("ports") or ()]


def _url(host: str, port: Obj) -> str:
    scheme, number = _scheme(port), port["port"]
    host = f"[{host}]" if ":" in host else host
    return (
        f"{scheme}://{host}/" if (scheme, number) in (("http", 80), ("https", 443)) else f"{scheme}://{host}:{number}/"
    )


def _scheme(port: Obj) -> str:
    """As the embedded node balances it: by appProtocol, else by the port's name, else by its number."""
    if port.get("protocol", "TCP") != "TCP":
        return str(port["protocol"]).lower()
    for said in (port.get("appProtocol"), str(port.get("name") or "").partition("-")[0]):
        if said in ("http", "https"):
            return str(said)
    if port["port"] in HTTPS_PORTS:
        return "https"
    return "http" if port["port"] in HTTP_PORTS else "tcp"


def waits_for_address(service: Obj) -> bool:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return service["spec"].get("type") == "LoadBalancer" and not ingress


async def find_urls(client: HttpClient, services: Sequence[Ref], seconds: float, *, embedded: bool) -> list[str]:
    """The Services' URLs, waited for while load balancers are being made."""
    if not services:
        return []
    wanted = set(services)
    found: list[Obj] = []
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(seconds),
            following(client, *(Followed("Service", each) for each in {ref.namespace for ref in services})) as view,
        ):
            while True:
                found = [obj for obj in view.of("Service") if ref_of(obj) in wanted]
                if not any(map(waits_for_address, found)):
                    break
                await view.change()
    return [url for service in found for url in urls(service, embedded=embedded)]


async def first_answer(url: str, path: str, seconds: float) -> Answer:
    """GET until there is an answer that is no server error; at last, whatever there was."""
    if not url.startswith(("http://", "https://")):
        return Answer(url)
    end, wait, status = time.monotonic() + seconds, FIRST_WAIT, 0
    timeout = aiohttp.ClientTimeout(total=GET_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(url.rstrip("/") + path, allow_redirects=False, ssl=False) as answer:
                    status = answer.status
            if 0 < status < 500 or time.monotonic() + wait > end:
                return Answer(url, status)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
