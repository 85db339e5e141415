"""Projected ServiceAccount tokens: bound to their pod, asked of the API, renewed at 80 % of their life."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.node.volume_sources import TokenAsked, tokens_asked
from wherry.objects import Obj
from wherry.objects.times import parse

LONGEST = timedelta(hours=24)  # a token is renewed after a day, however long it lives


@dataclass(frozen=True)
class _Token:
    text: str
    renew: datetime


@dataclass
class Tokens:
    client: Client
    clock: Clock
    _held: dict[tuple[str, TokenAsked], _Token] = field(default_factory=dict)

    async def tokens(self, pod: Obj) -> dict[TokenAsked, str]:
        """All that the pod's volumes ask for, fresh. Raises ApiError."""
        out = {}
        for asked in tokens_asked(pod):
            key = (pod["metadata"]["uid"], asked)
            held = self._held.get(key)
            if held is None or held.renew <= self.clock.now():
                held = self._held[key] = await self._request(pod, asked)
            out[asked] = held.text
        return out

    def renewal(self, uid: str) -> datetime | None:
        """When the pod's next token is to be renewed."""
        return min((token.renew for (owner, _), token in self._held.items() if owner == uid), default=None)

    def forget(self, uid: str) -> None:
        for key in [key for key in self._held if key[0] == uid]:
            del self._held[key]

    async def _request(self, pod: Obj, asked: TokenAsked) -> _Token:
        meta = pod["metadata"]
        spec: Obj = {
            "expirationSeconds": asked.seconds,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
        }
        if asked.audience:
            spec["audiences"] = [asked.audience]
        account = pod["spec"].get("serviceAccountName") or "default"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        now = self.clock.now()
        granted = await self.client.post("ServiceAccount", meta["namespace"], account, "token", body)
        life = parse(granted["status"]["expirationTimestamp"]) - now
        return _Token(granted["status"]["token"], now + min(life * 0.8, LONGEST))
