"""Names as a pod resolves them: Services by every name they have, and the cluster's own DNS Service."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

CLIENT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "client", "labels": {"app": "db"}},
    "spec": {
        "hostname": "db-0",
        "subdomain": "db",
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "client", "image": IMAGE, "command": ["busybox", "sleep", "3600"]}],
    },
}
PORTS = [{"name": "http", "port": 80, "targetPort": 5000}]
WEB = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": PORTS},
}
DB = {**WEB, "metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": PORTS}}


@pytest.fixture(scope="module")
def cluster(engine: Engine) -> Iterator[Engine]:
    items = {"apiVersion": "v1", "kind": "List", "items": [CLIENT, WEB, DB]}
    engine.kubectl("apply", "-f", "-", stdin=json.dumps(items))
    engine.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=40s")
    engine.kubectl(
        "wait",
        "--for=jsonpath={.endpoints[0].conditions.ready}=true",
        "endpointslice",
        "-l",
        "app!=x,kubernetes.io/service-name=db",
    )
    yield engine
    engine.kubectl("delete", "-f", "-", "--timeout=40s", stdin=json.dumps(items))


def nslookup(engine: Engine, name: str, *options: str) -> str:
    return engine.kubectl("exec", "client", "--", "busybox", "nslookup", *options, name)


def address(engine: Engine, what: str, path: str) -> str:
    return engine.kubectl("get", *what.split(), "-o", f"jsonpath={{{path}}}")


def test_a_service_by_its_short_name_and_its_full_name(cluster: Engine) -> None:
    ip = address(cluster, "service web", ".spec.clusterIP")
    fetched = cluster.kubectl("exec", "client", "--", "busybox", "ping", "-c1", "-W1", "web", check=False)
    assert f"PING web ({ip})" in fetched  # by the search list
    for name in ("web.default.svc.cluster.local", "kubernetes.default.svc.cluster.local"):
        want = address(cluster, f"service {name.split('.')[0]}", ".spec.clusterIP")
        assert f"Address: {want}" in nslookup(cluster, name)


def test_a_headless_service_and_the_pod_s_own_name_in_it(cluster: Engine) -> None:
    ip = address(cluster, "pod client", ".status.podIP")
    for name in ("db.default.svc.cluster.local", "db-0.db.default.svc.cluster.local"):
        assert f"Address: {ip}" in nslookup(cluster, name)
    dashed = ip.replace(".", "-")
    assert f"Address: {ip}" in nslookup(cluster, f"{dashed}.default.pod.cluster.local")


def test_ports_by_srv_and_names_by_address(cluster: Engine) -> None:
    found = nslookup(cluster, "_http._tcp.web.default.svc.cluster.local", "-type=srv")
    assert "service = 0 100 80 web.default.svc.cluster.local" in found
    found = nslookup(cluster, address(cluster, "service web", ".spec.clusterIP"))
    assert "name = web.default.svc.cluster.local" in found


def test_a_name_that_is_not_there_is_said_not_to_be(cluster: Engine) -> None:
    done = cluster.kubectl("exec", "client", "--", "sh", "-c", "busybox nslookup none.default.svc.cluster.local; true")
    assert "NXDOMAIN" in done


def test_the_dns_has_a_service_that_answers(cluster: Engine) -> None:
    server = address(cluster, "-n kube-system service kube-dns", ".spec.clusterIP")
    ip = address(cluster, "service web", ".spec.clusterIP")
    found = cluster.kubectl("exec", "client", "--", "busybox", "nslookup", "web.default.svc.cluster.local", server)
    assert f"Address: {ip}" in found
