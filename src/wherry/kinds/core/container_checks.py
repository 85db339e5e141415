"""What holds of containers: names, images, ports, environment, mounts, probes, hooks, resources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import podspec, security_checks, source_checks
from wherry.kinds.defaults import items
from wherry.objects import Obj, names, quantities
from wherry.objects.field_errors import duplicate, forbidden, invalid, not_found, required

_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = ("ports", "resources", *_PROBES, "lifecycle", "resizePolicy", "restartPolicy")
_STANDARD = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True)
class Surroundings:
    """What of the pod a container's checks depend on."""

    volumes: frozenset[str]
    grace: int
    host_users: bool


def containers(path: str, spec: Obj, around: Surroundings) -> Errors:
    """The regular containers: `path` ends in `.containers`."""
    every = list(items(spec, "containers"))
    if not every:
        yield required(path)
        return
    seen: set[str] = set()
    for index, container in enumerate(every):
        at = f"{path}[{index}]"
        yield from _common(at, container, around)
        if container.get("name", "") in seen:
            yield duplicate(f"{at}.name", container.get("name", ""))
        seen.add(container.get("name", ""))
        yield from _lifecycle_and_probes(at, container, around)
    yield from _host_ports(path, every)


def init_containers(path: str, spec: Obj, around: Surroundings) -> Errors:
    seen = {container.get("name", "") for container in items(spec, "containers")}
    for index, container in enumerate(items(spec, "initContainers")):
        at = f"{path}[{index}]"
        yield from _common(at, container, around)
        if container.get("name", "") in seen:
            yield duplicate(f"{at}.name", container.get("name", ""))
        seen.add(container.get("name", ""))
        yield from _host_ports(path, [container])
        if container.get("restartPolicy") == "Always":
            yield from _lifecycle_and_probes(at, container, around)
            continue
        for field in ("lifecycle", *_PROBES):
            if container.get(field) is not None:
                yield forbidden(f"{at}.{field}", _ONLY_SIDECARS)


def ephemeral_containers(path: str, spec: Obj, around: Surroundings) -> Errors:
    """Containers for debugging: they join a running pod and promise nothing."""
    others = {container.get("name", "") for key in ("containers", "initContainers") for container in items(spec, key)}
    seen = set(others)
    for index, container in enumerate(items(spec, "ephemeralContainers")):
        at, target = f"{path}[{index}]", container.get("targetContainerName")
        yield from _common(at, container, around)
        if container.get("name", "") in seen:
            yield duplicate(f"{at}.name", container.get("name", ""))
        seen.add(container.get("name", ""))
        if target and target not in others:
            yield not_found(f"{at}.targetContainerName", target)
        for field in _NOT_EPHEMERAL:
            if container.get(field):
                yield forbidden(f"{at}.{field}", "cannot be set for an Ephemeral Container")
        for number, mount in enumerate(items(container, "volumeMounts")):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    yield forbidden(f"{at}.volumeMounts[{number}].{field}", "cannot be set for an Ephemeral Container")


def _common(path: str, container: Obj, around: Surroundings) -> Errors:
    yield from checks.required_name(f"{path}.name", container.get("name"), names.dns1123_label)
    if not container.get("image"):
        yield required(f"{path}.image")
    policies = ("File", "FallbackToLogsOnError")
    policy = container.get("terminationMessagePolicy")
    yield from checks.required_word(f"{path}.terminationMessagePolicy", policy, policies)
    yield from _ports(f"{path}.ports", container)
    yield from _environment(path, container)
    yield from _mounts(f"{path}.volumeMounts", container, around)
    pulls = ("Always", "IfNotPresent", "Never")
    yield from checks.required_word(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), pulls)
    yield from resources(f"{path}.resources", container.get("resources") or {})
    yield from security_checks.container(f"{path}.securityContext", container.get("securityContext"), around.host_users)


def trimmed_images(path: str, spec: Obj) -> Errors:
    """What holds of a pod, and not of a template."""
    for key in ("containers", "initContainers"):
        for index, container in enumerate(items(spec, key)):
            image = container.get("image") or ""
            if image != image.strip():
                yield invalid(f"{path}.{key}[{index}].image", image, "must not have leading or trailing whitespace")


def _ports(path: str, container: Obj) -> Errors:
    seen: set[str] = set()
    for index, port in enumerate(items(container, "ports")):
        at, name = f"{path}[{index}]", port.get("name")
        if name:
            wrong = list(checks.named(f"{at}.name", name, names.port_name))
            yield from wrong
            if not wrong and name in seen:
                yield duplicate(f"{at}.name", name)
            seen.add(name)
        if port.get("containerPort"):
            yield from checks.port_number(f"{at}.containerPort", port["containerPort"])
        else:
            yield required(f"{at}.containerPort")
        if port.get("hostPort"):
            yield from checks.port_number(f"{at}.hostPort", port["hostPort"])
        yield from checks.required_word(f"{at}.protocol", port.get("protocol"), checks.PROTOCOLS)


def _host_ports(path: str, every: list[Obj]) -> Errors:
    seen: set[str] = set()
    for index, container in enumerate(every):
        for number, port in enumerate(items(container, "ports")):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in seen:
                yield duplicate(f"{path}[{index}].ports[{number}].hostPort", key)
            seen.add(key)


def _environment(path: str, container: Obj) -> Errors:
    for index, variable in enumerate(items(container, "env")):
        at = f"{path}.env[{index}]"
        yield from checks.required_name(f"{at}.name", variable.get("name"), names.env_name)
        if variable.get("valueFrom") is not None:
            yield from source_checks.variable(f"{at}.valueFrom", variable)
    for index, source in enumerate(items(container, "envFrom")):
        yield from source_checks.environment(f"{path}.envFrom", index, source)


def _mounts(path: str, container: Obj, around: Surroundings) -> Errors:
    seen: set[str] = set()
    for index, mount in enumerate(items(container, "volumeMounts")):
        at, name, where = f"{path}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{at}.name")
        if name not in around.volumes:
            yield not_found(f"{at}.name", name)
        if not where:
            yield required(f"{at}.mountPath")
        if where in seen:
            yield invalid(f"{at}.mountPath", where, "must be unique")
        seen.add(where)
        yield from _mount_options(path, at, mount, container)


def _mount_options(path: str, at: str, mount: Obj, container: Obj) -> Errors:
    if mount.get("subPath"):
        yield from source_checks.relative_path(f"{path}.subPath", mount["subPath"])
    if mount.get("subPathExpr"):
        if mount.get("subPath"):
            yield invalid(f"{at}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
        yield from source_checks.relative_path(f"{path}.subPathExpr", mount["subPathExpr"])
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        modes = ("Bidirectional", "HostToContainer", "None")
        yield from checks.supported(f"{path}.mountPropagation", propagation, modes)
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            message = "Bidirectional mount propagation is available only to privileged containers"
            yield forbidden(f"{path}.mountPropagation", message)
    recursive = mount.get("recursiveReadOnly")
    if recursive is not None:
        modes = ("Disabled", "Enabled", "IfPossible")
        yield from checks.supported(f"{path}.recursiveReadOnly", recursive, modes)
        if recursive in ("Enabled", "IfPossible") and not mount.get("readOnly"):
            yield forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true")
        if recursive in ("Enabled", "IfPossible") and propagation not in (None, "None"):
            message = "may only be specified when mountPropagation is None or not specified"
            yield forbidden(f"{path}.recursiveReadOnly", message)


def _lifecycle_and_probes(path: str, container: Obj, around: Surroundings) -> Errors:
    for hook in ("postStart", "preStop"):
        handler = (container.get("lifecycle") or {}).get(hook)
        if handler is not None:
            yield from _handler(f"{path}.lifecycle.{hook}", handler, around.grace)
    for name in _PROBES:
        probe = container.get(name)
        if probe is not None:
            yield from _probe(f"{path}.{name}", name, probe, around.grace)


def _probe(path: str, name: str, probe: Obj, grace: int) -> Errors:
    yield from _handler(path, probe, grace)
    for field in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        yield from checks.nonnegative(f"{path}.{field}", probe.get(field))
    own = probe.get("terminationGracePeriodSeconds")
    if own is not None and own <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", own, "must be greater than 0")
    if name == "readinessProbe":
        if own is not None:
            yield invalid(f"{path}.terminationGracePeriodSeconds", own, "must not be set for readinessProbes")
    elif probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")


def _handler(path: str, handler: Obj, grace: int) -> Errors:
    """Exactly one way to ask or tell the container something."""
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    yield from _action(f"{path}.{given[0]}", given[0], handler[given[0]], grace)
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")


def _action(path: str, name: str, action: Obj, grace: int) -> Errors:
    match name:
        case "exec":
            if not action.get("command"):
                yield required(f"{path}.command")
        case "httpGet":
            if not action.get("path"):
                yield required(f"{path}.path")
            yield from checks.port(f"{path}.port", action.get("port"))
            yield from checks.supported(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))
            for header in items(action, "httpHeaders"):
                yield from checks.named(f"{path}.httpHeaders", header.get("name", ""), names.http_header_name)
        case "tcpSocket" | "grpc":
            yield from checks.port(f"{path}.port", action.get("port"))
        case "sleep":
            seconds = action.get("seconds") or 0
            if not 0 <= seconds <= grace:
                message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                yield invalid(path, seconds, message)


def resources(path: str, given: Obj) -> Errors:
    """Requests and limits of one container."""
    limits, requests = given.get("limits") or {}, given.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, text in amounts.items():
            yield from _amount(f"{path}.{part}[{name}]", name, text)
            if part == "requests":
                yield from _against_limit(path, name, text, limits)
    every = {*limits, *requests}
    if any(name.startswith("hugepages-") for name in every) and not every & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")


def pod_resources(path: str, given: Obj) -> Errors:
    """Requests and limits of the pod as a whole."""
    if given.get("claims") is not None:
        yield forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level")
    for part in ("limits", "requests"):
        for name in given.get(part) or {}:
            if not podspec.is_pod_level(name):
                yield from checks.supported(f"{path}.{part}[{name}]", name, ("cpu", "hugepages-", "memory"))
    yield from resources(path, {part: _pod_level(given.get(part)) for part in ("limits", "requests")})


def _pod_level(amounts: Obj | None) -> Obj:
    return {name: amount for name, amount in (amounts or {}).items() if podspec.is_pod_level(name)}


def _against_limit(path: str, name: str, text: Any, limits: Mapping[str, Any]) -> Errors:
    request, limit = quantities.parse(text), limits.get(name)
    if limit is None:
        if not _overcommits(name):
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
        return
    most = quantities.parse(limit)
    if request.nano != most.nano and not _overcommits(name):
        yield invalid(f"{path}.requests", str(request), f"must be equal to {name} limit of {most}")
    elif request.nano > most.nano:
        yield invalid(f"{path}.requests", str(request), f"must be less than or equal to {name} limit of {most}")


def _overcommits(name: str) -> bool:
    """Kubernetes' own resources may be promised twice; devices and huge pages may not."""
    own = "/" not in name or "kubernetes.io/" in name
    return own and not name.startswith("hugepages-")


def _amount(path: str, name: str, text: Any) -> Errors:
    yield from _resource_name(path, name)
    amount = quantities.parse(text)
    if amount.nano < 0:
        yield invalid(path, str(amount), "must be greater than or equal to 0")
    if not _overcommits(name) and amount.nano % 10**9:
        yield invalid(path, text, "must be an integer")


def _resource_name(path: str, name: str) -> Errors:
    wrong = list(checks.named(path, name, names.qualified_name))
    yield from wrong
    if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        if not wrong:
            yield invalid(path, name, "must be a standard resource type or fully qualified")
        yield invalid(path, name, "must be a standard resource for containers")
