"""No request is lost while pods come and go, with an app that dies at the first SIGTERM, mid-answer if need be."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import IMAGE, Engine
from tests.support.load import Load

pytestmark = pytest.mark.root

# Answers take some milliseconds, so that there is always somebody to lose.
SERVER = r"""
import asyncio, os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
NAME = socket.gethostname().encode()
async def talk(reader, writer):
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.01)
            last = b"connection: close" in request.lower()
            end = b"Connection: close\r\n" if last else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(NAME), end, NAME))
            if last:
                break
    except (OSError, EOFError):
        pass
    writer.close()
async def main():
    async with await asyncio.start_server(talk, "", 5000, backlog=512) as server:
        await server.serve_forever()
asyncio.run(main())
"""
HOST = ("usr", "lib", "lib64")
CONTAINER = {
    "name": "app",
    "image": IMAGE,
    "command": ["/usr/bin/python3", "-c", SERVER],
    "ports": [{"containerPort": 5000, "name": "http"}],
    "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
    "volumeMounts": [{"name": name, "mountPath": f"/{name}", "readOnly": True} for name in HOST],
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "lossless"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "lossless"}},
        "template": {
            "metadata": {"labels": {"app": "lossless"}},
            "spec": {
                "terminationGracePeriodSeconds": 20,
                "containers": [CONTAINER],
                # The image has no Python, and this machine does.
                "volumes": [{"name": name, "hostPath": {"path": f"/{name}"}} for name in HOST],
            },
        },
    },
}


@pytest.fixture(scope="module")
def services(engine: Engine) -> Iterator[dict[str, tuple[str, int]]]:
    """Address and port of the same pods by a cluster IP and by the load balancer."""
    ports = [{"name": "http", "port": 18080, "targetPort": "http"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "lossless"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "lossless"}, "ports": ports},
    }
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": [DEPLOYMENT, service]})
    engine.kubectl("apply", "-f", "-", stdin=items)
    engine.kubectl("rollout", "status", "deployment/lossless", "--timeout=50s")
    engine.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/lossless", "--timeout=20s")
    found = json.loads(engine.kubectl("get", "service", "lossless", "-o", "json"))
    outer = found["status"]["loadBalancer"]["ingress"][0]["ip"]
    yield {"cluster address": (found["spec"]["clusterIP"], 18080), "load balancer": (outer, 18080)}
    engine.kubectl("delete", "-f", "-", "--timeout=50s", stdin=items)


def churn(engine: Engine) -> None:
    """Every way in which a pod goes, and another load balancer that comes and goes meanwhile."""
    engine.kubectl("create", "service", "loadbalancer", "beside", "--tcp=18090:5000")
    engine.kubectl("wait", "--for=jsonpath={.status.loadBalancer.ingress}", "service/beside", "--timeout=20s")
    engine.kubectl("rollout", "restart", "deployment/lossless")
    engine.kubectl("rollout", "status", "deployment/lossless", "--timeout=55s")
    engine.kubectl("delete", "service", "beside")
    engine.kubectl("scale", "deployment/lossless", "--replicas=1")
    engine.kubectl("wait", "--for=jsonpath={.status.replicas}=1", "deployment/lossless", "--timeout=50s")
    engine.kubectl("scale", "deployment/lossless", "--replicas=3")
    engine.kubectl("rollout", "status", "deployment/lossless", "--timeout=50s")
    pods = json.loads(engine.kubectl("get", "pods", "-l", "app=lossless", "-o", "json"))["items"]
    name = next(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    engine.kubectl("delete", "pod", name, "--timeout=50s")
    engine.kubectl("rollout", "status", "deployment/lossless", "--timeout=50s")


@pytest.mark.parametrize("keep", [False, True], ids=["a connection each", "kept connections"])
async def test_no_request_is_lost(engine: Engine, services: dict[str, tuple[str, int]], keep: bool) -> None:
    loads = {name: Load(*at, keep=keep, rate=150) for name, at in services.items()}
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for load in loads.values():
            tasks.create_task(load.run(stop))
        await asyncio.to_thread(churn, engine)
        stop.set()
    assert {name: dict(load.failures) for name, load in loads.items()} == {name: {} for name in loads}
    for load in loads.values():
        assert load.answers > 300
        assert len({pod.split(b"-")[1] for pod in load.who}) >= 2  # pods of before and after
        assert keep or len(load.who) >= 6  # all of them; eight kept connections may well miss one
