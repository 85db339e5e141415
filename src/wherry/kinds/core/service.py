"""Service: one address for many pods. Which addresses and node ports it gets is admission."""

from wherry.kinds.columns import AGE, NONE, UNKNOWN, path
from wherry.kinds.core import service_checks, service_warnings
from wherry.kinds.core.service_checks import externally_accessible, needs_health_check
from wherry.kinds.defaults import fill, fill_absent, fill_zero, items, section
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names

_AFFINITY_SECONDS = 10800
_WITH_CLUSTER_IP = ("ClusterIP", "NodePort", "LoadBalancer")
_WITH_NODE_PORT = ("NodePort", "LoadBalancer")


def default(obj: Obj) -> None:
    spec = section(obj, "spec")
    fill(spec, "sessionAffinity", "None")
    fill(spec, "type", "ClusterIP")
    _default_affinity(spec)
    for port in items(spec, "ports"):
        fill(port, "protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    if externally_accessible(spec):
        fill(spec, "externalTrafficPolicy", "Cluster")
    if spec["type"] in _WITH_CLUSTER_IP:
        fill_absent(spec, "internalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, "allocateLoadBalancerNodePorts", True)
    balancer = section(section(obj, "status"), "loadBalancer")
    for ingress in items(balancer, "ingress") if spec["type"] == "LoadBalancer" else ():
        if ingress.get("ip"):
            fill(ingress, "ipMode", "VIP")


def _default_affinity(spec: Obj) -> None:
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = section(section(spec, "sessionAffinityConfig"), "clientIP")
        fill(client, "timeoutSeconds", _AFFINITY_SECONDS)


def prepare(obj: Obj) -> None:
    obj["status"] = {"loadBalancer": {}}
    _pair_cluster_ips(obj["spec"])


def prepare_update(new: Obj, old: Obj) -> None:
    """What was given out stays where a client leaves it out; what the new type has no use for goes, if unchanged."""
    after, before = new["spec"], old["spec"]
    if "ExternalName" not in (after.get("type"), before.get("type")):
        _keep_cluster_ip(after, before)
    elif before.get("type") != "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            _drop_same(after, before, field)
    _keep_or_drop_ports(after, before)
    if needs_health_check(before):
        if needs_health_check(after):
            fill_zero(after, "healthCheckNodePort", before.get("healthCheckNodePort") or 0)
        else:
            _drop_same(after, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" != after.get("type"):
        _drop_same(after, before, "allocateLoadBalancerNodePorts")
        _drop_same(after, before, "loadBalancerClass")
    if externally_accessible(before) and not externally_accessible(after):
        _drop_same(after, before, "externalTrafficPolicy")
    if after.get("type") != "LoadBalancer":
        section(new, "status")["loadBalancer"] = {}
    _pair_cluster_ips(after)


def _pair_cluster_ips(spec: Obj) -> None:
    """`clusterIP` is the first of `clusterIPs`; clients of old know the one only."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def _keep_cluster_ip(after: Obj, before: Obj) -> None:
    if before.get("clusterIP"):
        fill(after, "clusterIP", before["clusterIP"])
    if before.get("clusterIPs") and not after.get("clusterIPs"):
        after["clusterIPs"] = list(before["clusterIPs"])
    if after.get("clusterIP") != before.get("clusterIP") and after.get("clusterIPs") == before.get("clusterIPs"):
        after["clusterIPs"] = [after["clusterIP"]]


def _keep_or_drop_ports(after: Obj, before: Obj) -> None:
    old = {port.get("name") or "": port.get("nodePort") for port in items(before, "ports")}
    taken = {port.get("nodePort") for port in items(after, "ports")}
    if after.get("type") in _WITH_NODE_PORT:
        for port in items(after, "ports"):
            number = old.get(port.get("name") or "")
            if number and not port.get("nodePort") and number not in taken:
                port["nodePort"] = number
    elif before.get("type") in _WITH_NODE_PORT and taken <= {*_node_ports(before), None, 0}:
        for port in items(after, "ports"):
            port.pop("nodePort", None)


def _node_ports(spec: Obj) -> set[int]:
    return {port["nodePort"] for port in items(spec, "ports") if port.get("nodePort")}


def _drop_same(after: Obj, before: Obj, field: str) -> None:
    if field in after and after[field] == before.get(field):
        del after[field]


def _cluster_ip(obj: Obj) -> Cell:
    ips = obj["spec"].get("clusterIPs") or [obj["spec"].get("clusterIP")]
    return ips[0] or NONE


def _external_ip(obj: Obj) -> Cell:
    spec = obj["spec"]
    given = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(given) or NONE
        case "LoadBalancer":
            return ",".join([*_balanced(obj), *given]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return UNKNOWN


def _balanced(obj: Obj) -> list[str]:
    """The load balancer's addresses. A server prints them whole only where `-o wide` is asked, which it cannot see."""
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return sorted({one.get("ip") or one.get("hostname") for one in ingress} - {None, ""})


def _ports(obj: Obj) -> Cell:
    return ",".join(_port(port) for port in items(obj["spec"], "ports")) or NONE


def _port(port: Obj) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node}/{port.get('protocol', 'TCP')}"


def _selector(obj: Obj) -> Cell:
    labels = obj["spec"].get("selector") or {}
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) or NONE


SERVICE = Kind(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    schema="io.k8s.api.core.v1.Service",
    short_names=("svc",),
    categories=("all",),
    status=True,
    subresources=("proxy",),
    selectable=("spec.clusterIP", "spec.type"),
    default=default,
    prepare=prepare,
    prepare_update=prepare_update,
    validate=service_checks.validate,
    validate_update=service_checks.validate_update,
    validate_status=service_checks.validate_status,
    warn=service_warnings.of_service,
    validate_name=names.dns1035_label,
    columns=(
        Column(name="Type", cell=path("spec.type"), description="How it can be reached."),
        Column(name="Cluster-IP", cell=_cluster_ip, description="Its address inside the cluster."),
        Column(name="External-IP", cell=_external_ip, description="Its addresses outside."),
        Column(name="Port(s)", cell=_ports, description="Its ports, with the node's after a colon."),
        AGE,
        Column(name="Selector", cell=_selector, wide=True, description="Labels of the pods behind it."),
    ),
    create_on_update=True,
    generation=False,
    delete_returns_object=True,
)
