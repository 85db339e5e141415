"""A container's environment, from values, ConfigMaps, Secrets, the pod's own fields, and the Services. Pure."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.client.lister import Lister
from wherry.objects import Obj
from wherry.objects.quantities import parse

REFERENCE = re.compile(r"\$(\$|\(([^()]+)\))")


class ConfigError(Exception):
    """The environment cannot be made: `CreateContainerConfigError`. The message is the kubelet's."""


@dataclass(frozen=True)
class Surroundings:
    """What the pod's fields do not say themselves."""

    node: str
    host_ip: str
    pod_ip: str


def environment(pod: Obj, container: Obj, lister: Lister, around: Surroundings) -> list[tuple[str, str]]:
    """The variables in order, later ones winning; raises ConfigError where a source is missing."""
    namespace = pod["metadata"]["namespace"]
    out: dict[str, str] = dict(service_variables(pod, lister))
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        for key, value in _whole(source, lister, namespace).items():
            out[prefix + key] = value
    for variable in container.get("env") or ():
        name = variable["name"]
        if "valueFrom" in variable:
            found = _from(variable["valueFrom"], pod, container, lister, around)
            if found is not None:
                out[name] = found
        else:
            out[name] = expand(variable.get("value", ""), out)
    return list(out.items())


def expand(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` becomes NAME's value where it is known; `$$` is one dollar sign."""
    return REFERENCE.sub(lambda m: "$" if m[1] == "$" else known.get(m[2], m[0]), text)


def _whole(source: Obj, lister: Lister, namespace: str) -> dict[str, str]:
    kind, ref = ("ConfigMap", source["configMapRef"]) if "configMapRef" in source else ("Secret", source["secretRef"])
    found = lister.get(kind, namespace, ref.get("name", ""))
    if found is None:
        if ref.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{ref.get("name", "")}" not found')
    return {key: text_of(found, key) for key in found.get("data") or {}}


def text_of(obj: Obj, key: str) -> str:
    """One entry of a ConfigMap, or of a Secret decoded."""
    value: str = obj["data"][key]
    return base64.b64decode(value).decode(errors="replace") if obj["kind"] == "Secret" else value


def _from(source: Obj, pod: Obj, container: Obj, lister: Lister, around: Surroundings) -> str | None:
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in source:
            return _key(source[field], kind, lister, pod["metadata"]["namespace"])
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"], around)
    if "resourceFieldRef" in source:
        return resource_of(pod, container, source["resourceFieldRef"])
    raise ConfigError("a variable's valueFrom names no source that this node knows")


def _key(ref: Obj, kind: str, lister: Lister, namespace: str) -> str | None:
    name, key = ref.get("name", ""), ref["key"]
    found = lister.get(kind, namespace, name)
    if found is not None and key in (found.get("data") or {}):
        return text_of(found, key)
    if ref.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def field_of(pod: Obj, path: str, around: Surroundings) -> str:
    """A field of the pod for the downward API."""
    meta, spec = pod["metadata"], pod["spec"]
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if keyed:
        return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        return "\n".join(f'{k}="{v}"' for k, v in sorted((meta.get(path.partition(".")[2]) or {}).items()))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": around.node,
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": around.host_ip,
        "status.hostIPs": around.host_ip,
        "status.podIP": around.pod_ip,
        "status.podIPs": around.pod_ip,
    }
    if path not in known:
        raise ConfigError(f"fieldPath {path} is not supported")
    return str(known[path])


def resource_of(pod: Obj, container: Obj, ref: Obj) -> str:
    """A request or limit of a container, in units of the divisor, rounded up."""
    name = ref.get("containerName") or container["name"]
    named = next((c for c in pod["spec"]["containers"] if c["name"] == name), container)
    where, _, resource = ref["resource"].partition(".")
    text = ((named.get("resources") or {}).get(where) or {}).get(resource, "0")
    divisor = parse(ref.get("divisor") or "1")
    amount, unit = parse(text).as_float(), divisor.as_float() or 1.0
    return str(int(-(-amount // unit)))


def service_variables(pod: Obj, lister: Lister) -> Iterator[tuple[str, str]]:
    """NAME_SERVICE_HOST and friends for the API and, unless the pod says no, for its namespace's Services."""
    namespace = pod["metadata"]["namespace"]
    services: Iterable[Obj] = lister.list("Service", namespace) if pod["spec"].get("enableServiceLinks", True) else ()
    own = lister.get("Service", "default", "kubernetes")
    seen = {id(own)}
    for service in (*((own,) if own else ()), *(s for s in services if id(s) not in seen)):
        address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or ()
        if not ports or address in (None, "", "None"):
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        yield f"{prefix}_SERVICE_HOST", address
        yield f"{prefix}_SERVICE_PORT", str(ports[0]["port"])
        for index, port in enumerate(ports):
            if port.get("name"):
                yield f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}", str(port["port"])
            protocol = port.get("protocol", "TCP")
            url = f"{protocol.lower()}://{address}:{port['port']}"
            if index == 0:
                yield f"{prefix}_PORT", url
            base = f"{prefix}_PORT_{port['port']}_{protocol}"
            yield base, url
            yield f"{base}_PROTO", protocol.lower()
            yield f"{base}_PORT", str(port["port"])
            yield f"{base}_ADDR", address
