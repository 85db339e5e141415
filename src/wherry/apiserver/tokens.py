"""Service account tokens: signed (ES256) JSON web tokens, bound to the account and, when asked, to one pod."""

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from wherry.apiserver.verbs.context import Target, User
from wherry.apiserver.verbs.registry import Registry, object_of
from wherry.clock import Clock
from wherry.objects import Obj
from wherry.objects.errors import Invalid, NotFound, Unauthorized
from wherry.objects.times import format_time
from wherry.store import Key

SHORTEST, LONGEST, USUAL = 600, 2**32, 3600  # seconds
SIZE = 32  # bytes of each half of a P-256 signature


@dataclass(frozen=True)
class Tokens:
    """Issues and checks tokens; a token dies with its account or its pod."""

    key: ec.EllipticCurvePrivateKey
    issuer: str
    clock: Clock

    def request(self, registry: Registry, target: Target, body: Obj) -> Obj:
        """Answer a TokenRequest for the account that `target` names."""
        account = object_of(registry.find(target))
        spec = body.get("spec") or {}
        seconds = spec.get("expirationSeconds") or USUAL
        if not SHORTEST <= seconds <= LONGEST:
            raise Invalid(
                f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {seconds}: '
                "may not specify a duration less than 10 minutes"
            )
        audiences = spec.get("audiences") or [self.issuer]
        now = self.clock.now()
        end = now + timedelta(seconds=seconds)
        names: dict[str, Any] = {
            "namespace": target.namespace,
            "serviceaccount": {"name": target.name, "uid": account["metadata"]["uid"]},
        }
        bound = spec.get("boundObjectRef")
        if bound:
            names[str(bound.get("kind", "")).lower()] = self._bound(registry, target.namespace, bound)
        claims = {
            "aud": audiences,
            "iss": self.issuer,
            "sub": f"system:serviceaccount:{target.namespace}:{target.name}",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int(end.timestamp()),
            "kubernetes.io": names,
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": format_time(now)},
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": bound},
            "status": {"token": self._sign(claims), "expirationTimestamp": format_time(end)},
        }

    def _bound(self, registry: Registry, namespace: str, bound: Obj) -> Obj:
        resource = {"Pod": "pods", "Secret": "secrets"}.get(bound.get("kind", ""))
        record = resource and registry.store.get(Key(resource, namespace, bound.get("name", "")))
        if not record:
            raise NotFound(f'{resource or bound.get("kind")} "{bound.get("name")}" not found')
        uid = object_of(record)["metadata"]["uid"]
        if bound.get("uid") not in (None, "", uid):
            raise NotFound(f'{resource} "{bound.get("name")}" with this uid not found')
        return {"name": bound["name"], "uid": uid}

    def _sign(self, claims: Obj) -> str:
        signed = _text(orjson.dumps({"alg": "ES256", "typ": "JWT"})) + "." + _text(orjson.dumps(claims))
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return signed + "." + _text(r.to_bytes(SIZE, "big") + s.to_bytes(SIZE, "big"))

    def user(self, registry: Registry, token: str, audiences: tuple[str, ...] = ()) -> tuple[User, float]:
        """Whom a token speaks for, and until when (seconds since the epoch). Raises Unauthorized."""
        claims = self._claims(token)
        wanted = set(audiences or (self.issuer,))
        if claims.get("iss") != self.issuer or not wanted & set(claims.get("aud") or ()):
            raise Unauthorized("Unauthorized")
        if not claims["nbf"] - 60 <= self.clock.now().timestamp() < claims["exp"]:
            raise Unauthorized("Unauthorized")
        names = claims["kubernetes.io"]
        namespace, account = names["namespace"], names["serviceaccount"]
        self._lives(registry, Key("serviceaccounts", namespace, account["name"]), account["uid"])
        extra: dict[str, tuple[str, ...]] = {}
        pod = names.get("pod")
        if pod:
            self._lives(registry, Key("pods", namespace, pod["name"]), pod["uid"])
            extra["authentication.kubernetes.io/pod-name"] = (pod["name"],)
            extra["authentication.kubernetes.io/pod-uid"] = (pod["uid"],)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(claims["sub"], groups, account["uid"], extra), float(claims["exp"])

    def _lives(self, registry: Registry, key: Key, uid: str) -> None:
        record = registry.store.get(key)
        if record is None or object_of(record)["metadata"]["uid"] != uid:
            raise Unauthorized("Unauthorized")

    def _claims(self, token: str) -> Obj:
        try:
            head, body, signature = token.split(".")
            raw = _bytes(signature)
            pair = utils.encode_dss_signature(int.from_bytes(raw[:SIZE], "big"), int.from_bytes(raw[SIZE:], "big"))
            self.key.public_key().verify(pair, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
            claims: Obj = orjson.loads(_bytes(body))
        except (ValueError, binascii.Error, InvalidSignature) as error:
            raise Unauthorized("Unauthorized") from error
        return claims


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
