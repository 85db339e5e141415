"""Root CA: each namespace has the ConfigMap `kube-root-ca.crt`, by which pods know the API server."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Create, Update
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.objects import Obj, Ref

NAME = "kube-root-ca.crt"
KEY = "ca.crt"
DESCRIPTION = "kubernetes.io/description"
_TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


@dataclass(frozen=True)
class Observed:
    namespace: str
    root_ca: str
    configmap: Obj | None


def plan(seen: Observed) -> Iterator[Action]:
    data = {KEY: seen.root_ca}
    if seen.configmap is None:
        meta = {"name": NAME, "namespace": seen.namespace, "annotations": {DESCRIPTION: _TEXT}}
        yield Create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    elif seen.configmap.get("data") != data:
        yield Update({**seen.configmap, "data": data})


def _namespace_of(configmap: Obj, lister: Lister) -> Iterator[Ref]:
    if configmap["metadata"]["name"] == NAME:
        yield Ref("Namespace", "", configmap["metadata"]["namespace"])


def rootca(root_ca: str) -> Controller[Observed]:
    """The controller that publishes `root_ca` (PEM)."""

    def observe(namespace: Obj, lister: Lister, now: datetime) -> Observed | None:
        meta = namespace["metadata"]
        if meta.get("deletionTimestamp"):
            return None
        return Observed(meta["name"], root_ca, lister.get("ConfigMap", meta["name"], NAME))

    return Controller(name="rootca", kind="Namespace", observe=observe, plan=plan, watches={"ConfigMap": _namespace_of})
