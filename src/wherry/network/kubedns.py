"""`kube-dns` in `kube-system`: what programs look for that find the cluster's DNS by its Service.

Pods themselves are told the bridge's address, so that resolving works while no Service does.
"""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network

from wherry.client.client import Client
from wherry.network.settings import NetworkSettings
from wherry.objects import Obj
from wherry.objects.errors import AlreadyExists, Invalid

_NAME = {"name": "kube-dns", "namespace": "kube-system"}
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))
_TENTH = 10  # of the Service range, as every installer gives it


async def ensure(client: Client, settings: NetworkSettings) -> None:
    """Create what is missing; what is there stays as it is."""
    for obj in objects(settings):
        try:
            await client.create(obj)
        except AlreadyExists:
            continue
        except Invalid:  # the address is this very Service's, or another's in a state from before
            obj["spec"].pop("clusterIP")
            with suppress(AlreadyExists):
                await client.create(obj)


def objects(settings: NetworkSettings) -> Iterator[Obj]:
    labels = {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    ports = [{"name": name, "protocol": protocol, "port": 53, "targetPort": 53} for name, protocol in _PORTS]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_NAME, "labels": labels},
        "spec": {"clusterIP": str(IPv4Network(settings.services)[_TENTH]), "ports": ports},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**_NAME, "labels": {"k8s-app": "kube-dns", "kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(settings.gateway)], "conditions": {"ready": True}}],
        "ports": [{"name": name, "protocol": protocol, "port": 53} for name, protocol in _PORTS],
    }
