"""The objects that every cluster has from the first moment: namespaces, roles, priorities, the API's own Service."""

from collections.abc import Iterator

from wherry.apiserver.local import LocalClient
from wherry.objects import Obj, kind_of
from wherry.objects.errors import AlreadyExists
from wherry.store import Key

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
RBAC = "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
WORKLOADS = [
    ("", ["pods", "pods/log", "pods/status", "services", "configmaps", "endpoints", "events", "serviceaccounts"]),
    ("", ["namespaces"]),
    ("apps", ["deployments", "deployments/scale", "replicasets", "replicasets/scale", "controllerrevisions"]),
    ("discovery.k8s.io", ["endpointslices"]),
]
POWERS = [("", ["pods/exec", "pods/attach", "pods/portforward", "pods/eviction", "secrets", "serviceaccounts/token"])]
PRIORITIES = (
    ("system-cluster-critical", 2_000_000_000, "the cluster needs, and that could run on another node"),
    ("system-node-critical", 2_000_001_000, "must stay on their node"),
)


async def bootstrap(client: LocalClient, service_address: str, endpoint: tuple[str, int]) -> None:
    """Create what is missing; what is there stays as it is."""
    for obj in objects(service_address, endpoint):
        kind, meta = client.registry.kinds[kind_of(obj)], obj["metadata"]
        if client.registry.store.get(Key(kind.resource, meta.get("namespace", ""), meta["name"])) is None:
            try:
                await client.create(obj)
            except AlreadyExists:
                continue


def objects(service_address: str, endpoint: tuple[str, int]) -> Iterator[Obj]:
    for name in NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield _role("cluster-admin", [_rule(["*"], [("*", ["*"])]), {"nonResourceURLs": ["*"], "verbs": ["*"]}])
    yield _role("admin", [_rule(READ + WRITE, WORKLOADS + POWERS + [(RBAC, ["roles", "rolebindings"])])])
    yield _role("edit", [_rule(READ + WRITE, WORKLOADS + POWERS)])
    yield _role("view", [_rule(READ, WORKLOADS)])
    yield _binding("cluster-admin", "cluster-admin", "system:masters")
    for name, value, said in PRIORITIES:
        yield {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": f"Used for system critical pods that {said}.",
        }
    yield from _own_service(service_address, endpoint)


def _own_service(address: str, endpoint: tuple[str, int]) -> Iterator[Obj]:
    """`kubernetes.default`: how pods find the API."""
    host, port = endpoint
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "type": "ClusterIP",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Endpoints",  # the older form: charts look the API's address up in it
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": host}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def _role(name: str, rules: list[Obj]) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "rules": [rule for group in rules for rule in group.get("every", [group])],
    }


def _rule(verbs: list[str], resources: list[tuple[str, list[str]]]) -> Obj:
    return {"every": [{"apiGroups": [group], "resources": names, "verbs": verbs} for group, names in resources]}


def _binding(name: str, role: str, group: str) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
    }
