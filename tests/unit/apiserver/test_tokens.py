"""Tokens end: by their time, with their account, with the pod that they are bound to; and they cannot be made up."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.clock import START
from tests.unit.apiserver.verbs.conftest import client as client
from tests.unit.apiserver.verbs.conftest import meta
from wherry.apiserver.local import LocalClient
from wherry.apiserver.tokens import Tokens
from wherry.clock import Clock, SystemClock
from wherry.objects import Obj
from wherry.objects.errors import ApiError, Unauthorized


class Later(SystemClock):
    """A clock that is some seconds ahead of the test's start."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def tokens(clock: Clock) -> Tokens:
    return Tokens(ec.generate_private_key(ec.SECP256R1()), "test", clock)


async def issue(client: LocalClient, issuer: Tokens, **spec: object) -> str:
    body = {"spec": {"expirationSeconds": 600, **spec}}
    answer = await replace(client, tokens=issuer).post("ServiceAccount", "default", "default", "token", body)
    token: str = answer["status"]["token"]
    return token


async def test_a_token_holds_for_its_time(client: LocalClient) -> None:
    issuer = tokens(Later(0))
    token = await issue(client, issuer)
    user, until = issuer.user(client.registry, token)
    assert (user.name, until) == ("system:serviceaccount:default:default", START.timestamp() + 600)
    for seconds in (600, 10**6, -3600):
        with pytest.raises(Unauthorized):
            replace(issuer, clock=Later(seconds)).user(client.registry, token)


async def test_a_time_too_short_is_refused_with_the_kinds_full_name(client: LocalClient) -> None:
    with pytest.raises(ApiError) as refused:
        await issue(client, tokens(Later(0)), expirationSeconds=1)
    assert str(refused.value) == (
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 1: '
        "may not specify a duration less than 10 minutes"
    )


async def test_a_token_is_for_its_audience(client: LocalClient) -> None:
    issuer = tokens(Later(0))
    token = await issue(client, issuer, audiences=["vault"])
    assert issuer.user(client.registry, token, ("vault",))[0].name.endswith(":default")
    with pytest.raises(Unauthorized):
        issuer.user(client.registry, token)


async def test_a_token_dies_with_its_pod(client: LocalClient) -> None:
    issuer = tokens(Later(0))
    pod: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": meta("web")}
    await client.create({**pod, "spec": {"containers": [{"name": "app", "image": "app:1"}]}})
    token = await issue(client, issuer, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "web"})
    assert issuer.user(client.registry, token)[0].extra["authentication.kubernetes.io/pod-name"] == ("web",)
    await client.delete("Pod", "default", "web", grace_seconds=0)
    with pytest.raises(Unauthorized):
        issuer.user(client.registry, token)


async def test_a_token_of_another_key_or_with_other_claims_is_nobodys(client: LocalClient) -> None:
    issuer = tokens(Later(0))
    head, claims, signature = (await issue(client, issuer)).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**said, "exp": said["exp"] + 1}).encode()).decode().rstrip("=")
    made_up = (f"{head}.{other}.{signature}", f"{head}.{claims}.", f"{head}.{claims}.{'A' * 86}", "", "..", "é.é.é")
    for token in (*made_up, await issue(client, tokens(Later(0)))):
        with pytest.raises(Unauthorized):
            issuer.user(client.registry, token)


@pytest.mark.parametrize("seconds", [1, 599, 2**33])
async def test_a_token_is_neither_too_short_nor_too_long(client: LocalClient, seconds: int) -> None:
    with pytest.raises(ApiError, match="may not specify a duration"):
        await issue(client, tokens(Later(0)), expirationSeconds=seconds)
