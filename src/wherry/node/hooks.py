"""Lifecycle hooks: what runs in (or is asked of) a container after its start and before its end."""

from dataclasses import dataclass

from wherry.clock import Clock
from wherry.node.connecting import container_port
from wherry.node.http_get import GetFailed, get, headers_of, url_of
from wherry.node.runtime import Runtime, RuntimeFailure
from wherry.node.seen import pod_label
from wherry.objects import Obj

HTTP_SECONDS = 30.0


class HookFailed(Exception):
    """The hook failed. The message may hold secrets of its output: it goes to the status, not into an Event."""


@dataclass(frozen=True)
class Hooks:
    runtime: Runtime
    clock: Clock

    async def run(self, pod: Obj, container: Obj, container_id: str, hook: Obj, pod_ip: str, limit: float) -> None:
        """Run one LifecycleHandler to its end. Raises HookFailed."""
        where = f'for Container "{container["name"]}" in Pod "{pod_label(pod)}" failed - error:'
        if hook.get("exec") is not None:
            command = hook["exec"].get("command") or []
            said = f"Exec lifecycle hook ([{' '.join(command)}]) {where}"
            try:
                result = await self.runtime.exec(container_id, command, limit)
            except RuntimeFailure as error:
                raise HookFailed(f'{said} {error}, message: ""') from error
            if result.code:
                output = (result.stdout + result.stderr).decode(errors="replace")
                raise HookFailed(f'{said} command exited with {result.code}, message: "{output}"')
        elif hook.get("httpGet") is not None:
            action = hook["httpGet"]
            try:
                port = container_port(action["port"], container)
                headers = headers_of(action, "kube-lifecycle")
                await get(url_of(action, port, pod_ip), headers, min(limit, HTTP_SECONDS))
            except (GetFailed, ValueError) as error:
                raise HookFailed(f"HTTP lifecycle hook ({action.get('path', '')}) {where} {error}") from error
        elif hook.get("sleep") is not None:
            await self.clock.sleep(float(hook["sleep"].get("seconds", 0)))
        else:
            raise HookFailed("Cannot run handler: invalid handler")
