"""Probes of one pod's containers: a task and a timer for each, thresholds and Events as upstream has them.

The first readiness and startup probes come after 10, 20, 40 and 80 ms, each 80 ms for two seconds, and then ever more
seldom until the period is reached. They can only find a container ready sooner: their failures are neither counted nor
told.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wherry.clock import Clock
from wherry.node.connecting import container_port, dial_error
from wherry.node.environment import expand
from wherry.node.grpc_health import check
from wherry.node.http_get import GetFailed, get, headers_of, url_of
from wherry.node.runtime import Container, Runtime, RuntimeFailure, State
from wherry.node.seen import Probed, Seen, container_spec, old_status, stopping
from wherry.objects import Obj

FIRST_SECONDS = 0.01
STEADY_SECONDS, STEADY_FOR = 0.08, 2.0  # most web apps start within these: doubled on, a pause is as long as the start
FIRST_EXEC_SECONDS = 0.1  # a process for each
_FIELDS = {"startup": "startupProbe", "readiness": "readinessProbe", "liveness": "livenessProbe"}

Tell = Callable[[Obj, str, str, str], None]
"""An Event about a container: type, reason, message."""


@dataclass(frozen=True)
class Outcome:
    """`broken`: there is no result, as the probe itself cannot be done."""

    passed: bool
    said: str = ""
    warning: bool = False
    broken: bool = False


@dataclass
class Probes:
    """Of one pod. `results` are by container id; `changed` is called after each change of one."""

    runtime: Runtime
    clock: Clock
    tell: Tell
    changed: Callable[[], None]
    results: dict[str, Probed] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)

    def keep(self, seen: Seen, pod_ip: str, tasks: asyncio.TaskGroup) -> None:
        """Probe exactly what runs now; called whenever the pod has been looked at."""
        wanted: dict[tuple[str, str], tuple[Container, Obj]] = {}
        running = {}
        for container in seen.containers:
            spec = container_spec(seen.pod, container.name)
            if container.state is not State.RUNNING or spec is None or f"start:{container.name}" in seen.busy:
                continue
            running[container.id] = container
            if container.id not in self.results:
                self.results[container.id] = _first_result(seen, container, spec)
            for kind in self._kinds(seen, container, spec):
                wanted[container.id, kind] = (container, spec)
        for key in [key for key in self._tasks if key not in wanted]:
            self._tasks.pop(key).cancel()
        for ended in [container_id for container_id in self.results if container_id not in running]:
            del self.results[ended]
        for key, (container, spec) in wanted.items():
            if key not in self._tasks:
                probe = _Probe(self, key[1], spec, container, pod_ip)
                self._tasks[key] = tasks.create_task(probe.run())

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _kinds(self, seen: Seen, container: Container, spec: Obj) -> list[str]:
        result = self.results[container.id]
        if not result.started:
            kinds = ["startup"]
        else:
            kinds = [kind for kind in ("readiness", "liveness") if spec.get(_FIELDS[kind])]
        if stopping(seen):  # its end has been decided already, and what is out of the routing need not be ready
            kinds = [kind for kind in kinds if kind == "readiness" and not seen.withdrawn]
        return kinds

    def set(self, container_id: str, result: Probed) -> None:
        if container_id in self.results and self.results[container_id] != result:
            self.results[container_id] = result
            self.changed()


def next_pause(pause: float, passed: float, period: float) -> float:
    """Seconds until the next early probe, `passed` seconds after the first pause began."""
    return pause if pause == STEADY_SECONDS and passed < STEADY_FOR else min(pause * 2, period)


def _first_result(seen: Seen, container: Container, spec: Obj) -> Probed:
    """Before any probe: not ready. After a restart of the engine: as it was, so that Ready does not flip."""
    old = old_status(seen.pod, container.name)
    if old.get("containerID") == f"containerd://{container.id}" and "running" in (old.get("state") or {}):
        started = not spec.get("startupProbe") or bool(old.get("started"))
        return Probed(started=started, ready=not spec.get("readinessProbe") or bool(old.get("ready")))
    return Probed(started=not spec.get("startupProbe"), ready=not spec.get("readinessProbe"))


@dataclass
class _Probe:
    probes: Probes
    kind: str
    container: Obj
    target: Container
    pod_ip: str
    _last: bool | None = None
    _run: int = 0

    async def run(self) -> None:
        spec = self.container[_FIELDS[self.kind]]
        clock, period = self.probes.clock, float(spec.get("periodSeconds") or 10)
        held = self.probes.results[self.target.id]
        adopted = self.kind == "readiness" and held.ready
        self._last = True if adopted else None
        pause = (FIRST_EXEC_SECONDS if spec.get("exec") else FIRST_SECONDS) if self.kind != "liveness" else period
        if adopted:
            pause = period * (zlib.crc32(self.target.id.encode()) % 1000 + 1) / 1000  # all at once would be a burst
        await clock.sleep(self._delay(float(spec.get("initialDelaySeconds") or 0)))
        early = self.kind != "liveness" and not adopted and pause < period
        begun = clock.monotonic()
        while True:
            await clock.sleep(pause)
            outcome = await self._ask(spec)
            if early and not outcome.passed:
                pause = next_pause(pause, clock.monotonic() - begun, period)
                early = pause < period
                continue
            early, pause = False, period
            if self._count(spec, outcome):
                return

    def _delay(self, initial: float) -> float:
        started = self.target.started or self.target.created
        return max(initial - (self.probes.clock.now() - started).total_seconds(), 0.0) if initial else 0.0

    def _count(self, spec: Obj, outcome: Outcome) -> bool:
        """Take one result in; whether this probe has done its part."""
        self._tell(outcome)
        if outcome.broken:
            return False
        self._run = self._run + 1 if outcome.passed is self._last else 1
        self._last = outcome.passed
        needed = (spec.get("successThreshold") or 1) if outcome.passed else (spec.get("failureThreshold") or 3)
        if self._run < needed:
            return False
        result = self.probes.results.get(self.target.id)
        if result is None:
            return True
        if self.kind == "readiness":
            self.probes.set(self.target.id, replace(result, ready=outcome.passed))
            return False
        if not outcome.passed:
            self.probes.set(self.target.id, replace(result, failed=self.kind))
            return True
        if self.kind == "startup":
            self.probes.set(self.target.id, replace(result, started=True))
            return True
        return False

    def _tell(self, outcome: Outcome) -> None:
        name = self.kind.capitalize()
        tell, about = self.probes.tell, self.container
        if outcome.broken:
            tell(about, "Warning", "Unhealthy", f"{name} probe errored and resulted in unknown state: {outcome.said}")
        elif not outcome.passed:
            tell(about, "Warning", "Unhealthy", f"{name} probe failed: {outcome.said}")
        elif outcome.warning:
            tell(about, "Warning", "ProbeWarning", f"{name} probe warning: {outcome.said}")

    async def _ask(self, spec: Obj) -> Outcome:
        timeout = float(spec.get("timeoutSeconds") or 1)
        try:
            if spec.get("exec") is not None:
                return await self._exec(spec["exec"].get("command") or (), timeout)
            if spec.get("httpGet") is not None:
                return await self._http(spec["httpGet"], timeout)
            if spec.get("tcpSocket") is not None:
                return await self._tcp(spec["tcpSocket"], timeout)
            if spec.get("grpc") is not None:
                action = spec["grpc"]
                passed, said = await check(self.pod_ip, int(action["port"]), action.get("service") or "", timeout)
                return Outcome(passed, said)
        except ValueError as error:
            return Outcome(False, str(error), broken=True)
        return Outcome(False, f"missing probe handler for {self.container['name']}", broken=True)

    async def _exec(self, command: Sequence[str], timeout: float) -> Outcome:
        static: Mapping[str, str] = {
            one["name"]: one["value"] for one in self.container.get("env") or () if one.get("value")
        }
        words = [expand(word, static) for word in command]
        try:
            result = await self.probes.runtime.exec(self.target.id, words, timeout)
        except RuntimeFailure as error:
            if error.code == "DEADLINE_EXCEEDED":
                return Outcome(False, f'command timed out: "{" ".join(words)}" timed out after {timeout:g}s')
            return Outcome(False, str(error), broken=True)
        output = (result.stdout + result.stderr)[: 10 * 1024].decode(errors="replace")
        return Outcome(result.code == 0, output)

    async def _http(self, action: Obj, timeout: float) -> Outcome:
        url = url_of(action, container_port(action["port"], self.container), self.pod_ip)
        try:
            answer = await get(url, headers_of(action, "kube-probe"), timeout)
        except GetFailed as error:
            return Outcome(False, str(error))
        if 300 <= answer.status < 400:
            return Outcome(True, f"Probe terminated redirects, Response body: {answer.body}", warning=True)
        if 200 <= answer.status < 300:
            return Outcome(True, answer.body)
        return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")

    async def _tcp(self, action: Obj, timeout: float) -> Outcome:
        host, port = action.get("host") or self.pod_ip, container_port(action["port"], self.container)
        try:
            async with asyncio.timeout(timeout):
                _, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
        except OSError as error:
            return Outcome(False, dial_error(host, port, error))
        writer.transport.abort()
        return Outcome(True)
