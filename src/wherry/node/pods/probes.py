"""Probes: asking a container whether it is ready, alive, started. One task per probe, one timer each.

The first readiness and startup probes come after 10, 20, 40 ... ms until the period is reached: a container that starts
in 50 ms is ready in 70. What upstream's kubelet does with thresholds and delays holds otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from wherry.clock import Clock
from wherry.node.runtime import Runtime, RuntimeFailure
from wherry.objects import Obj

FIRST = 0.01  # seconds

Told = Callable[[str, bool, str], None]
"""Which probe (readiness, liveness, startup), whether it passes now, what the last one said."""


@dataclass(frozen=True)
class Probe:
    """One probe of one running container."""

    what: str  # readiness, liveness, startup
    spec: Obj
    container: Obj
    container_id: str
    pod_ip: str
    runtime: Runtime
    clock: Clock

    async def run(self, told: Told, failed: Callable[[str, str], None], *, held: bool | None) -> None:
        """Probe until cancelled (a startup probe: until it passes). `held` is the result that held before, if any."""
        spec = self.spec
        period, delay = float(spec.get("periodSeconds", 10)), float(spec.get("initialDelaySeconds", 0))
        eager = self.what != "liveness" and not held
        await self.clock.sleep(delay or (FIRST if eager else period))
        now, streak, pause = held, 0, FIRST
        passed_before = held
        while True:
            passed, said = await self._ask()
            streak = streak + 1 if passed == passed_before else 1
            passed_before = passed
            needed = spec.get("successThreshold", 1) if passed else spec.get("failureThreshold", 3)
            pause = period if passed else min(pause * 2, period)
            if not passed and (not eager or pause >= period):
                failed(self.what, said)
            counts = passed or now or not eager or pause >= period
            if streak >= needed and passed != now and counts:
                now = passed
                told(self.what, passed, said)
                if self.what == "startup" and passed:
                    return
                eager = False
            await self.clock.sleep(pause if eager else period)

    async def _ask(self) -> tuple[bool, str]:
        seconds = float(self.spec.get("timeoutSeconds", 1))
        kinds: dict[str, Callable[[float], Awaitable[tuple[bool, str]]]] = {
            "httpGet": self._http,
            "tcpSocket": self._tcp,
            "exec": self._exec,
        }
        for field, ask in kinds.items():
            if field in self.spec:
                return await ask(seconds)
        return False, "this node has no such probe"

    def _port(self, port: int | str) -> int:
        """A port by number, or by the name that the container gave it."""
        if isinstance(port, int):
            return port
        named = {p.get("name"): p["containerPort"] for p in self.container.get("ports") or ()}
        return int(named.get(port, 0))

    async def _http(self, seconds: float) -> tuple[bool, str]:
        get = self.spec["httpGet"]
        scheme, host = get.get("scheme", "HTTP").lower(), get.get("host") or self.pod_ip
        path = get.get("path") or "/"
        url = f"{scheme}://{host}:{self._port(get['port'])}{path if path.startswith('/') else '/' + path}"
        headers = {"User-Agent": "kube-probe/1.34", "Accept": "*/*", "Connection": "close"}
        headers |= {header["name"]: header["value"] for header in get.get("httpHeaders") or ()}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds)) as session,
                session.get(url, headers=headers, ssl=False, allow_redirects=False) as answer,
            ):
                if 200 <= answer.status < 400:
                    return True, ""
                return False, f"HTTP probe failed with statuscode: {answer.status}"
        except TimeoutError:
            return False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except (aiohttp.ClientError, OSError) as error:
            return False, f'Get "{url}": {error}'

    async def _tcp(self, seconds: float) -> tuple[bool, str]:
        tcp = self.spec["tcpSocket"]
        host, port = tcp.get("host") or self.pod_ip, self._port(tcp["port"])
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            return False, f"dial tcp {host}:{port}: {error or 'i/o timeout'}"
        writer.close()
        return True, ""

    async def _exec(self, seconds: float) -> tuple[bool, str]:
        command = self.spec["exec"].get("command") or []
        try:
            done = await self.runtime.exec(self.container_id, command, seconds)
        except RuntimeFailure as error:
            return False, error.message
        return done.code == 0, (done.stdout + done.stderr).decode(errors="replace")[:1024]
