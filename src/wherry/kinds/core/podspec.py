"""Defaults of a pod's spec: those that a pod template gets too, and those of a pod alone."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy

from wherry.kinds.defaults import fill, fill_zero, items, section
from wherry.objects import Obj, quantities
from wherry.objects.quantities import Quantity

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
GRACE_SECONDS = 30
_MILLI = 10**6
_COMPUTE = ("cpu", "memory")
_VOLUME_DEFAULTS: Mapping[str, Mapping[str, str | bool]] = {
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "kind": "Shared", "readOnly": False},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}

_HOST = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,}))?"
)
"""The name of an image, as registries take it."""


def containers(spec: Obj) -> Iterator[Obj]:
    """All containers: init, regular, ephemeral."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from items(spec, key)


def default_template(template: Obj) -> None:
    """A pod template: `spec.template` of a workload."""
    section(template, "metadata")
    default_spec(section(template, "spec"))


def default_spec(spec: Obj) -> None:
    """What a pod's spec gets wherever it stands."""
    fill(spec, "dnsPolicy", "ClusterFirst")
    fill(spec, "restartPolicy", "Always")
    fill(spec, "terminationGracePeriodSeconds", GRACE_SECONDS)
    fill(spec, "schedulerName", "default-scheduler")
    section(spec, "securityContext")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:  # the second is the first's name of old; both are kept alike
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    round_up(spec.get("overhead"))
    _drop_gated(spec)
    for volume in items(spec, "volumes"):
        _default_volume(volume)
    for container in containers(spec):
        _default_container(container)


def _drop_gated(spec: Obj) -> None:
    """Only sidecars have a restart policy of their own; the rest of that feature is not yet served by default."""
    for key in ("initContainers", "containers"):
        for container in items(spec, key):
            container.pop("restartPolicyRules", None)
            if key == "containers" or container.get("restartPolicy") != "Always":
                container.pop("restartPolicy", None)


def default_pod(spec: Obj) -> None:
    """What only a pod itself gets, after the containers' own defaults."""
    fill(spec, "enableServiceLinks", True)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for key in ("initContainers", "containers"):
        for container in items(spec, key):
            _default_requests(container["resources"])
            for port in items(container, "ports") if spec.get("hostNetwork") else ():
                fill_zero(port, "hostPort", port.get("containerPort", 0))
    if (spec.get("resources") or {}).get("limits"):
        _default_pod_requests(spec, spec["resources"])


def is_pod_level(resource: str) -> bool:
    """Whether a pod as a whole may ask for it."""
    return resource in _COMPUTE or resource.startswith("hugepages-")


def _default_pod_requests(spec: Obj, resources: Obj) -> None:
    """The pod asks for what its containers ask for, else for its limit."""
    requests = section(resources, "requests")
    for name, amount in requests_of_containers(spec).items():
        if name in _COMPUTE:
            fill(requests, name, str(amount))
    for name, limit in resources["limits"].items():
        if is_pod_level(name):
            fill(requests, name, limit)


def requests_of_containers(spec: Obj) -> dict[str, Quantity]:
    """What they need at once: the regular ones and all sidecars, or one init container and the sidecars before it."""
    sidecars: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in items(spec, "initContainers"):
        requests = _requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _plus(sidecars, requests)
            peak = _highest(peak, sidecars)
        else:
            peak = _highest(peak, _plus(sidecars, requests))
    total = sidecars
    for container in items(spec, "containers"):
        total = _plus(total, _requests(container))
    return _highest(total, peak)


def _requests(container: Obj) -> dict[str, Quantity]:
    given = (container.get("resources") or {}).get("requests") or {}
    return {name: quantities.parse(text) for name, text in given.items()}


def _plus(left: dict[str, Quantity], right: dict[str, Quantity]) -> dict[str, Quantity]:
    sums = {
        name: Quantity(left[name].nano + amount.nano, left[name].format) if name in left else amount
        for name, amount in right.items()
    }
    return {**left, **sums}


def _highest(left: dict[str, Quantity], right: dict[str, Quantity]) -> dict[str, Quantity]:
    more = {name: amount for name, amount in right.items() if name not in left or left[name].nano < amount.nano}
    return {**left, **more}


def round_up(resources: Obj | None) -> None:
    """Amounts finer than a thousandth are rounded up to one."""
    amounts = resources or {}
    for name, text in amounts.items():
        amount = quantities.parse(text)
        if amount.nano % _MILLI:
            amounts[name] = str(quantities.from_milli(-(-amount.nano // _MILLI), amount.format))


def pull_policy(image: str) -> str:
    """Always for the tag `latest`, said or meant; otherwise what is there will do."""
    reference = _REFERENCE.fullmatch(image)
    if reference is None:  # refused later, or by the runtime
        return "IfNotPresent"
    tag = reference["tag"]
    return "Always" if tag == "latest" or not (tag or reference["digest"]) else "IfNotPresent"


def _default_requests(resources: Obj) -> None:
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**deepcopy(limits), **(resources.get("requests") or {})}


def _default_container(container: Obj) -> None:
    fill(container, "imagePullPolicy", pull_policy(container.get("image", "")))
    fill(container, "terminationMessagePath", "/dev/termination-log")
    fill(container, "terminationMessagePolicy", "File")
    resources = section(container, "resources")
    for part in ("limits", "requests"):
        round_up(resources.get(part))
    for port in items(container, "ports"):
        fill(port, "protocol", "TCP")
    for variable in items(container, "env"):
        _default_source(variable.get("valueFrom") or {})
    for key in PROBES:
        if container.get(key) is not None:
            _default_probe(container[key])
    for hook in ("postStart", "preStop"):
        _default_handler((container.get("lifecycle") or {}).get(hook) or {})


def _default_source(source: Obj) -> None:
    """Where an environment variable or a file takes a value from."""
    if source.get("fieldRef") is not None:
        fill(source["fieldRef"], "apiVersion", "v1")
    if source.get("resourceFieldRef") is not None:
        fill(source["resourceFieldRef"], "divisor", "0")


def _default_probe(probe: Obj) -> None:
    fill_zero(probe, "timeoutSeconds", 1)
    fill_zero(probe, "periodSeconds", 10)
    fill_zero(probe, "successThreshold", 1)
    fill_zero(probe, "failureThreshold", 3)
    _default_handler(probe)


def _default_handler(handler: Obj) -> None:
    if handler.get("httpGet") is not None:
        fill(handler["httpGet"], "path", "/")
        fill(handler["httpGet"], "scheme", "HTTP")
    if handler.get("grpc") is not None:
        fill(handler["grpc"], "service", "")


def _default_volume(volume: Obj) -> None:
    if all(value is None for key, value in volume.items() if key != "name"):
        volume["emptyDir"] = {}
    for key in ("secret", "configMap", "downwardAPI", "projected"):
        if volume.get(key) is not None:
            fill(volume[key], "defaultMode", 0o644)
    for kind, values in _VOLUME_DEFAULTS.items():
        if volume.get(kind) is not None:
            for key, value in values.items():
                fill(volume[kind], key, value)
    if volume.get("hostPath") is not None:
        fill(volume["hostPath"], "type", "")
    if volume.get("image") is not None:
        fill(volume["image"], "pullPolicy", pull_policy(volume["image"].get("reference", "")))
    for item in items(volume.get("downwardAPI"), "items"):
        _default_source(item)
    if volume.get("ephemeral") is not None:
        template = volume["ephemeral"].get("volumeClaimTemplate") or {}
        fill(section(template, "spec"), "volumeMode", "Filesystem")
    for source in items(volume.get("projected"), "sources"):
        for item in items(source.get("downwardAPI"), "items"):
            _default_source(item)
        if source.get("serviceAccountToken") is not None:
            fill(source["serviceAccountToken"], "expirationSeconds", 3600)


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort: who goes first when the node runs short."""
    given = [c.get("resources") or {} for key in ("initContainers", "containers") for c in items(spec, key)]
    if spec.get("resources"):
        given = [spec["resources"]]
    requests = [_compute(resources.get("requests")) for resources in given]
    limits = [_compute(resources.get("limits")) for resources in given]
    if not any(requests) and not any(limits):
        return "BestEffort"
    complete = all(len(limit) == len(_COMPUTE) for limit in limits)
    return "Guaranteed" if complete and _sum(requests) == _sum(limits) else "Burstable"


def _compute(resources: Obj | None) -> Obj:
    """The amounts that matter for the class and are not zero."""
    parsed = {name: quantities.parse(text) for name, text in (resources or {}).items() if name in _COMPUTE}
    return {name: amount.nano for name, amount in parsed.items() if amount.nano > 0}


def _sum(amounts: list[Obj]) -> Obj:
    return {name: sum(one.get(name, 0) for one in amounts) for name in _COMPUTE if any(name in one for one in amounts)}
