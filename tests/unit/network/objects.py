"""Services and EndpointSlices for these tests."""

from pathlib import Path
from typing import Any

from wherry.network.settings import NetworkSettings
from wherry.objects import Obj


def service(name: str = "web-app", **spec: Any) -> Obj:
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"type": "NodePort", "clusterIP": "10.96.0.10", "ports": ports, "selector": {"app": name}, **spec},
    }


def slice_of(name: str, *endpoints: Obj, port: int = 8080) -> Obj:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": port}],
        "endpoints": list(endpoints),
    }


def endpoint(address: str, *, ready: bool = True, terminating: bool = False, node: str = "one") -> Obj:
    return {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": ready, "terminating": terminating},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "namespace": "default", "name": address, "uid": f"pod-{address}"},
    }


def settings(directory: Path = Path("/nowhere"), name: str = "wherry-test") -> NetworkSettings:
    return NetworkSettings(
        name=name,
        bridge="wherrytest0",
        pods="10.85.0.0/16",
        services="10.96.0.0/16",
        node_ports=(30000, 32767),
        state=directory / "state",
        run=directory / "run",
        cluster_domain="cluster.local",
        balancer_addresses="127.80.0.0/16",
        api_port=6443,
    )
