"""A container's environment: values, ConfigMaps, Secrets, the pod's own fields, Services. Pure."""

import base64
from collections.abc import Iterator, Mapping, Sequence

from wherry.client.lister import Lister
from wherry.node.downward import field_value, resource_value
from wherry.node.security import BadConfig
from wherry.node.settings import NodeSettings
from wherry.objects import Obj


def environment(
    pod: Obj, container: Obj, lister: Lister, settings: NodeSettings, pod_ip: str
) -> tuple[tuple[str, str], ...]:
    """Name and value of every variable; BadConfig, in upstream's words, where a reference leads nowhere."""
    services = dict(service_variables(pod, lister))
    values = dict(_from_sources(pod, container, lister))
    for variable in container.get("env") or ():
        if variable.get("value"):
            values[variable["name"]] = expand(variable["value"], values, services)
        elif variable.get("valueFrom"):
            value = _resolve(pod, container, variable["valueFrom"], lister, settings, pod_ip)
            if value is not None:
                values[variable["name"]] = value
        else:
            values[variable["name"]] = ""
    return (*values.items(), *((name, value) for name, value in services.items() if name not in values))


def expand(text: str, *scopes: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the first scope that knows it; `$$` is a dollar, what nobody knows stays as it is."""
    out, at = [], 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out.append(text[at])
            at += 1
            continue
        following = text[at + 1]
        end = text.find(")", at) if following == "(" else -1
        if following == "$":
            out.append("$")
            at += 2
        elif end > 0:
            name = text[at + 2 : end]
            known = next((scope[name] for scope in scopes if name in scope), None)
            out.append(text[at : end + 1] if known is None else known)
            at = end + 1
        else:
            out.append(text[at : at + 2])
            at += 2
    return "".join(out)


def _from_sources(pod: Obj, container: Obj, lister: Lister) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            reference = source.get(key)
            if reference is None:
                continue
            found = _find(pod, kind, reference, lister)
            if found is not None:
                yield from ((prefix + name, value) for name, value in _texts(kind, found).items())


def _resolve(pod: Obj, container: Obj, source: Obj, lister: Lister, settings: NodeSettings, pod_ip: str) -> str | None:
    if source.get("fieldRef"):
        return field_value(pod, source["fieldRef"]["fieldPath"], settings, pod_ip)
    if source.get("resourceFieldRef"):
        return resource_value(pod, container, source["resourceFieldRef"], settings)
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference = source.get(key)
        if reference is None:
            continue
        found = _find(pod, kind, reference, lister)
        if found is None:
            return None
        texts = _texts(kind, found)
        if reference["key"] not in texts and not reference.get("optional"):
            name = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise BadConfig(f"couldn't find key {reference['key']} in {kind} {name}")
        return texts.get(reference["key"])
    return None


def _find(pod: Obj, kind: str, reference: Obj, lister: Lister) -> Obj | None:
    found = lister.get(kind, pod["metadata"]["namespace"], reference["name"])
    if found is None and not reference.get("optional"):
        raise BadConfig(f'{kind.lower()} "{reference["name"]}" not found')
    return found


def _texts(kind: str, obj: Obj) -> dict[str, str]:
    data = obj.get("data") or {}
    if kind == "ConfigMap":
        return dict(data)
    return {name: base64.b64decode(value).decode(errors="replace") for name, value in data.items()}


def service_variables(pod: Obj, lister: Lister) -> Iterator[tuple[str, str]]:
    """Docker's link variables: of the API's own Service always, of the namespace's unless switched off."""
    namespace = pod["metadata"]["namespace"]
    chosen: dict[str, Obj] = {}
    api = lister.get("Service", "default", "kubernetes")
    if api is not None:
        chosen["kubernetes"] = api
    if pod["spec"].get("enableServiceLinks", True):
        chosen |= {one["metadata"]["name"]: one for one in lister.list("Service", namespace)}
    for service in chosen.values():
        address = (service.get("spec") or {}).get("clusterIP")
        if address and address != "None" and service["spec"].get("ports"):
            yield from _links(service["metadata"]["name"], address, service["spec"]["ports"])


def _links(name: str, address: str, ports: Sequence[Obj]) -> Iterator[tuple[str, str]]:
    prefix = _variable(name)
    host = f"[{address}]" if ":" in address else address
    yield f"{prefix}_SERVICE_HOST", address
    yield f"{prefix}_SERVICE_PORT", str(ports[0]["port"])
    for port in ports:
        if port.get("name"):
            yield f"{prefix}_SERVICE_PORT_{_variable(port['name'])}", str(port["port"])
    for index, port in enumerate(ports):
        protocol = port.get("protocol") or "TCP"
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if index == 0:
            yield f"{prefix}_PORT", url
        one = f"{prefix}_PORT_{port['port']}_{protocol.upper()}"
        yield one, url
        yield f"{one}_PROTO", protocol.lower()
        yield f"{one}_PORT", str(port["port"])
        yield f"{one}_ADDR", address


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
