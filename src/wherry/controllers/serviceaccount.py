"""ServiceAccount: each namespace has one named `default`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Create
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref

NAME = "default"


@dataclass(frozen=True)
class Observed:
    """A namespace without its default account."""

    namespace: str


def observe(namespace: Obj, lister: Lister, now: datetime) -> Observed | None:
    meta = namespace["metadata"]
    if meta.get("deletionTimestamp") or lister.get("ServiceAccount", meta["name"], NAME) is not None:
        return None
    return Observed(meta["name"])


def plan(seen: Observed) -> Iterator[Action]:
    meta = {"name": NAME, "namespace": seen.namespace}
    yield Create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})


def _namespace_of(account: Obj, lister: Lister) -> Iterator[Ref]:
    if account["metadata"]["name"] == NAME:
        yield Ref("Namespace", "", account["metadata"]["namespace"])


SERVICEACCOUNT = Controller(
    name="serviceaccount", kind="Namespace", observe=observe, plan=plan, watches={"ServiceAccount": _namespace_of}
)
