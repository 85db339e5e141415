"""What of a pod is allowed and most likely a mistake: told in the answer to the write, in upstream's words.

The rules are those of upstream's pods that a manifest for this node can meet; volumes of drivers that no longer exist
are refused or never mounted here, and need no second word.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from wherry.kinds.core import address_warnings, volume_warnings
from wherry.kinds.defaults import items
from wherry.objects import Obj, names, quantities
from wherry.objects.field_errors import show

Warnings = Iterator[str]

_SURPRISING = "which can result in surprising behavior; a DNS label is recommended:"
_NODE_LABELS: Mapping[str, str] = {
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
}
_ANNOTATIONS: Mapping[str, str] = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP = 'non-functional in v1.27+; use the "seccompProfile" field instead'
_NO_SELECTOR = "a null labelSelector results in matching no pod"
_RULES = "DuringSchedulingIgnoredDuringExecution"
_WHOLE = ("memory", "ephemeral-storage")


def of_pod(new: Obj, old: Obj | None) -> Warnings:
    """Of a new pod: changes come from programs, which read no warnings."""
    if old is None:
        yield from _name(new, "the Pod's hostname")
        yield from _pod("", new)


def of_workload(new: Obj, old: Obj | None) -> Warnings:
    """Of what makes pods from a template: when it is new, or when what it wants has changed."""
    if old is None:
        yield from _name(new, "Pod names and hostnames")
    if old is None or new["metadata"].get("generation") != old["metadata"].get("generation"):
        yield from _pod("spec.template.", new["spec"].get("template") or {})


def _name(obj: Obj, used_in: str) -> Warnings:
    problem = names.dns1123_label(obj["metadata"].get("name", ""))
    if problem:
        yield f"metadata.name: this is used in {used_in}, {_SURPRISING} [{problem.replace('; ', ' ')}]"


def _pod(at: str, pod: Obj) -> Warnings:
    """`at` is what the paths begin with: "", or `spec.template.`."""
    spec, meta = pod.get("spec") or {}, pod.get("metadata") or {}
    annotations = meta.get("annotations") or {}
    yield from _scheduling(f"{at}spec", spec)
    for key in _ANNOTATIONS.keys() & annotations.keys():
        yield f"{at}metadata.annotations[{key}]: {_ANNOTATIONS[key]}"
    yield from volume_warnings.of(spec)
    yield from _twins(f"{at}spec.hostAliases", "ip", spec, "hostAliases")
    yield from _twins(f"{at}spec.imagePullSecrets", "name", spec, "imagePullSecrets")
    for index, secret in enumerate(items(spec, "imagePullSecrets")):
        if not secret.get("name"):
            yield f'{at}spec.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from _whole_bytes(f"{at}spec.overhead", spec.get("overhead"))
    if _SECCOMP_POD in annotations and not (spec.get("securityContext") or {}).get("seccompProfile"):
        yield f"{at}metadata.annotations[{_SECCOMP_POD}]: {_SECCOMP}"
    for path, container in _containers(f"{at}spec", spec):
        key = _SECCOMP_CONTAINER + container.get("name", "")
        if key in annotations and not (container.get("securityContext") or {}).get("seccompProfile"):
            yield f"{at}metadata.annotations[{key}]: {_SECCOMP}"
        for part in ("limits", "requests"):
            yield from _whole_bytes(f"{path}.resources.{part}", (container.get("resources") or {}).get(part))
        yield from _hidden_env(path, container)
    yield from _ports(f"{at}spec", spec)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        said = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{at}spec.terminationGracePeriodSeconds: {said}"
    yield from _pod_affinity(f"{at}spec.affinity", spec.get("affinity") or {})
    for index, server in enumerate((spec.get("dnsConfig") or {}).get("nameservers") or ()):
        yield from address_warnings.ip(f"{at}spec.dnsConfig.nameservers[{index}]", server)
    for index, alias in enumerate(items(spec, "hostAliases")):
        yield from address_warnings.ip(f"{at}spec.hostAliases[{index}].ip", alias.get("ip", ""))


def _containers(path: str, spec: Obj) -> Iterator[tuple[str, Obj]]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(items(spec, key)):
            yield f"{path}.{key}[{index}]", container


def _scheduling(path: str, spec: Obj) -> Warnings:
    for key in spec.get("nodeSelector") or ():
        if key in _NODE_LABELS:
            yield f"{path}.nodeSelector[{key}]: {_NODE_LABELS[key]}"
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    at = f"{path}.affinity.nodeAffinity"
    for index, term in enumerate(items(affinity.get(f"required{_RULES}"), "nodeSelectorTerms")):
        yield from _node_term(f"{at}.required{_RULES}.nodeSelectorTerms[{index}]", term)
    for index, one in enumerate(items(affinity, f"preferred{_RULES}")):
        yield from _node_term(f"{at}.preferred{_RULES}[{index}].preference", one.get("preference") or {})
    for index, spread in enumerate(items(spec, "topologySpreadConstraints")):
        at, key = f"{path}.topologySpreadConstraints[{index}]", spread.get("topologyKey", "")
        if key in _NODE_LABELS:
            yield f"{at}.topologyKey: {key} is {_NODE_LABELS[key]}"
        if spread.get("labelSelector") is None:
            yield f"{at}.labelSelector: {_NO_SELECTOR}"


def _node_term(path: str, term: Obj) -> Warnings:
    for index, expression in enumerate(items(term, "matchExpressions")):
        key = expression.get("key", "")
        if key in _NODE_LABELS:
            yield f"{path}.matchExpressions[{index}].key: {key} is {_NODE_LABELS[key]}"


def _pod_affinity(path: str, affinity: Obj) -> Warnings:
    for side in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate(items(affinity.get(side), f"required{_RULES}")):
            if term.get("labelSelector") is None:
                yield f"{path}.{side}.required{_RULES}[{index}].labelSelector: {_NO_SELECTOR}"
        for index, weighted in enumerate(items(affinity.get(side), f"preferred{_RULES}")):
            if (weighted.get("podAffinityTerm") or {}).get("labelSelector") is None:
                yield f"{path}.{side}.preferred{_RULES}[{index}].podAffinityTerm.labelSelector: {_NO_SELECTOR}"


def _twins(path: str, field: str, spec: Obj, key: str) -> Warnings:
    seen: set[str] = set()
    for index, item in enumerate(items(spec, key)):
        value = item.get(field) or ""
        if value in seen:
            yield f"{path}[{index}].{field}: duplicate {field} {show(value)}"
        seen.add(value)


def _whole_bytes(path: str, amounts: Mapping[str, str] | None) -> Warnings:
    for name in _WHOLE:
        if amounts and name in amounts:
            amount = quantities.parse(amounts[name])
            if amount.milli() % 1000:
                yield f"{path}[{name}]: fractional byte value {show(str(amount))} is invalid, must be an integer"


def _hidden_env(path: str, container: Obj) -> Warnings:
    """A name that is set again is no mistake where the new value is made of the old one."""
    seen: set[str] = set()
    for index, one in enumerate(items(container, "env")):
        name, value = one.get("name", ""), one.get("value") or ""
        reference = f"$({name})"
        if name in seen and (one.get("valueFrom") is not None or value == reference or reference not in value):
            said = "which may be dropped when using apply"
            yield f"{path}.env[{index}]: hides previous definition of {show(name)}, {said}"
        seen.add(name)


def _ports(path: str, spec: Obj) -> Warnings:
    listed = [
        (f"{at}.ports[{index}]", port)
        for at, container in _containers(path, spec)
        for index, port in enumerate(items(container, "ports"))
    ]
    known: dict[tuple[int, str], list[tuple[str, Obj]]] = defaultdict(list)
    for at, port in listed:
        host = (port.get("hostIP") or "", port.get("hostPort") or 0)
        number, protocol = port.get("containerPort", 0), port.get("protocol", "TCP")
        if host[0] and not host[1]:
            shown = (
                f"Name:{port.get('name', '')} HostPort:0 ContainerPort:{number} Protocol:{protocol} HostIP:{host[0]}"
            )
            yield f"{at}: hostIP set without hostPort: {{{shown}}}"
        for where, other in known[number, protocol]:
            word = _clash(host, (other.get("hostIP") or "", other.get("hostPort") or 0))
            if word:
                yield f"{at}: {word} port definition with {where}"
        known[number, protocol].append((at, port))
    first: dict[str, str] = {}
    for at, port in listed:
        name = port.get("name")
        if name and name in first:
            said = f"services and probes that select ports by name will use {first[name]}"
            yield f"{at}: duplicate port name {show(name)} with {first[name]}, {said}"
        elif name:
            first[name] = at


def _clash(one: tuple[str, int], other: tuple[str, int]) -> str:
    """How two definitions of the same port stand to each other, by address and port on the host; "": well."""
    if one == other:
        return "duplicate"
    if not one[1] or not other[1]:
        return "overlapping"
    if one[1] == other[1] and bool(one[0]) != bool(other[0]):
        return "dangerously ambiguous"
    return ""
