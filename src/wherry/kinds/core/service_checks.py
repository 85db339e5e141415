"""What holds of a Service, and what of it may change."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.defaults import items
from wherry.objects import Obj, names
from wherry.objects.field_errors import duplicate, forbidden, invalid, required

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("Cluster", "Local")
_LONGEST_AFFINITY = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"


def headless(spec: Obj) -> bool:
    return spec.get("clusterIPs") == ["None"]


def externally_accessible(spec: Obj) -> bool:
    """Whether traffic from outside the cluster may come by this Service."""
    type_ = spec.get("type")
    return type_ in ("LoadBalancer", "NodePort") or (type_ == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate(obj: Obj) -> Errors:
    spec = obj["spec"]
    yield from _type(spec)
    yield from _ports(spec)
    yield from checks.labels("spec.selector", spec.get("selector"))
    yield from _affinity(spec)
    if spec.get("type") != "ExternalName":
        yield from _cluster_ips(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{index}]"
        wrong = list(checks.ip(at, address))
        yield from wrong or checks.endpoint_ip(at, address)
    yield from _balancer(spec)
    yield from _traffic(spec)


def _type(spec: Obj) -> Errors:
    type_ = spec.get("type")
    if not spec.get("ports") and not headless(spec) and type_ != "ExternalName":
        yield required("spec.ports")
    if type_ in ("LoadBalancer", "NodePort") and headless(spec):
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {type_} services")
    if type_ == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field):
                yield forbidden(f"spec.{field}", "may not be set for ExternalName services")
        name = (spec.get("externalName") or "").removesuffix(".")
        yield from checks.required_name("spec.externalName", name, names.dns1123_subdomain)
    yield from checks.required_word("spec.type", type_, TYPES)


def _ports(spec: Obj) -> Errors:
    ports = list(items(spec, "ports"))
    seen: set[object] = set()
    for index, port in enumerate(ports):
        at, name, protocol = f"spec.ports[{index}]", port.get("name"), port.get("protocol")
        yield from _port(at, port, needs_name=len(ports) > 1)
        if port.get("nodePort") and spec.get("type") == "ClusterIP":
            yield forbidden(f"{at}.nodePort", "may not be used when `type` is 'ClusterIP'")
        pair = {"protocol": protocol, "port": port.get("port")}
        unique: list[tuple[str, object, object]] = [(f"{at}.name", ("name", name), name)] if name else []
        if port.get("nodePort"):
            unique.append((f"{at}.nodePort", ("nodePort", protocol, port["nodePort"]), port["nodePort"]))
        for where, key, shown in (*unique, (at, ("port", protocol, port.get("port")), pair)):
            if key in seen:
                yield duplicate(where, shown)
            seen.add(key)


def _port(path: str, port: Obj, *, needs_name: bool) -> Errors:
    if needs_name or port.get("name"):
        yield from checks.required_name(f"{path}.name", port.get("name"), names.dns1123_label)
    yield from checks.port_number(f"{path}.port", port.get("port"))
    yield from checks.required_word(f"{path}.protocol", port.get("protocol"), checks.PROTOCOLS)
    yield from checks.port(f"{path}.targetPort", port.get("targetPort"))
    if port.get("appProtocol") is not None:
        yield from checks.named(f"{path}.appProtocol", port["appProtocol"], names.qualified_name)


def _affinity(spec: Obj) -> Errors:
    affinity, path = spec.get("sessionAffinity"), "spec.sessionAffinityConfig"
    yield from checks.required_word("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            yield required(f"{path}.clientIP.timeoutSeconds", "when session affinity type is ClientIP")
        elif not 0 < seconds <= _LONGEST_AFFINITY:
            message = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
            yield invalid(f"{path}.clientIP.timeoutSeconds", seconds, message)


def _cluster_ips(spec: Obj) -> Errors:
    first, every, path = spec.get("clusterIP") or "", spec.get("clusterIPs") or [], "spec.clusterIPs"
    if first and not every:
        yield required(path)
    elif first and every[0] != first:
        yield invalid(path, every, "first value must match `clusterIP`")
    elif every and not first:
        yield invalid(path, every, "must be empty when `clusterIP` is not specified")
    yield from _families(spec)
    if every[:1] == ["None"]:
        if len(every) > 1:
            yield invalid(path, every, "'None' must be the first and only value")
        return
    wrong = [error for index, address in enumerate(every) for error in checks.ip(f"{path}[{index}]", address)]
    yield from wrong
    if len(every) > 2:
        yield invalid(path, every, "may only hold up to 2 values")
    if wrong:
        return
    versions = [parsed.version for parsed in map(checks.parse_ip, every) if parsed]
    if len(versions) > len(set(versions)):
        yield invalid(path, every, "may specify no more than one IP for each IP family")
    for index, (version, family) in enumerate(zip(versions, spec.get("ipFamilies") or (), strict=False)):
        if family != f"IPv{version}" and family in _FAMILIES:
            yield invalid(
                f"{path}[{index}]", every[index], f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            )


def _families(spec: Obj) -> Errors:
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        yield from checks.supported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    if spec.get("ipFamilyPolicy") is not None:
        words = ("PreferDualStack", "RequireDualStack", "SingleStack")
        yield from checks.supported("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], words)


def _balancer(spec: Obj) -> Errors:
    balanced = spec.get("type") == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and not balanced:
        yield forbidden("spec.LoadBalancerSourceRanges", _ONLY_BALANCED)  # upstream's capital
    for index, text in enumerate(ranges):
        yield from checks.cidr(f"spec.LoadBalancerSourceRanges[{index}]", text.strip())
    if not balanced:
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) is not None:
                yield forbidden(f"spec.{field}", _ONLY_BALANCED)
    elif spec.get("loadBalancerClass") is not None:
        yield from checks.named("spec.loadBalancerClass", spec["loadBalancerClass"], names.qualified_name)


def _traffic(spec: Obj) -> Errors:
    outer = spec.get("externalTrafficPolicy")
    if externally_accessible(spec):
        yield from checks.required_word("spec.externalTrafficPolicy", outer, _POLICIES)
    elif outer:
        yield invalid("spec.externalTrafficPolicy", outer, "may only be set for externally-accessible services")
    port = spec.get("healthCheckNodePort")
    if port and needs_health_check(spec):
        yield from checks.port_number("spec.healthCheckNodePort", port)
    elif port:
        message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", port, message)
    if spec.get("internalTrafficPolicy") is not None:
        yield from checks.supported("spec.internalTrafficPolicy", spec["internalTrafficPolicy"], _POLICIES)
    if spec.get("trafficDistribution") is not None:
        yield from checks.supported("spec.trafficDistribution", spec["trafficDistribution"], _DISTRIBUTIONS)


def validate_update(new: Obj, old: Obj) -> Errors:
    after, before = new["spec"], old["spec"]
    if "ExternalName" not in (after.get("type"), before.get("type")) and not (headless(after) and headless(before)):
        yield from _same_addresses(after, before)
    if after.get("type") == before.get("type") == "LoadBalancer":
        if after.get("loadBalancerClass") != before.get("loadBalancerClass"):
            yield invalid("spec.loadBalancerClass", after.get("loadBalancerClass"), "may not change once set")
        both = needs_health_check(after) and needs_health_check(before)
        if both and after.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
            yield forbidden("spec.healthCheckNodePort", checks.IMMUTABLE)


def _same_addresses(after: Obj, before: Obj) -> Errors:
    new, old = after.get("clusterIPs") or [], before.get("clusterIPs") or []
    if old and not new:
        yield invalid("spec.clusterIPs[0]", new, "primary clusterIP can not be unset")
    for index, (address, previous) in enumerate(zip(new, old, strict=False)):
        if address != previous:
            yield invalid(f"spec.clusterIPs[{index}]", new, "may not change once set")
    if len(new) == 1 < len(old) and after.get("ipFamilyPolicy") != "SingleStack":
        message = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        yield invalid("spec.ipFamilyPolicy", after.get("ipFamilyPolicy"), message)


def validate_status(new: Obj, _old: Obj) -> Errors:
    """The load balancer's addresses."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    path = "status.loadBalancer.ingress"
    if ingress and new["spec"].get("type") != "LoadBalancer":
        yield forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, one in enumerate(ingress):
        if one.get("ip"):
            yield from checks.ip(f"{path}[{index}].ip", one["ip"])
        elif one.get("ipMode") is not None:
            yield forbidden(f"{path}[{index}].ipMode", "may not be specified when `ip` is not set")
        if one.get("hostname"):
            yield from checks.named(f"{path}[{index}].hostname", one["hostname"], names.dns1123_subdomain)
            if checks.parse_ip(one["hostname"]) is not None:
                yield invalid(f"{path}[{index}].hostname", one["hostname"], "must be a DNS name, not an IP address")
