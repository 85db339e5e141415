"""What holds of a pod's spec, in a pod and in a template."""

import re
from collections.abc import Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import container_checks, scheduling_checks, security_checks, volume_checks
from wherry.kinds.core.container_checks import Surroundings
from wherry.kinds.defaults import items
from wherry.objects import Obj, names
from wherry.objects.field_errors import FieldError, duplicate, forbidden, invalid, required

_LONGEST = 2**31 - 1
_DNS_LIMITS = {"nameservers": 3, "searches": 32}
_SEARCH_CHARACTERS = 2048
_NAME_CHARACTERS = 253
_PART = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED = re.compile(rf"{_PART}(\.{_PART})*")
_UNDERSCORED_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character"
)


def template(path: str, given: Obj) -> Errors:
    """`spec.template` of a workload whose pods are restarted for ever."""
    meta, spec_ = given.get("metadata") or {}, given.get("spec") or {}
    yield from checks.labels(f"{path}.labels", meta.get("labels"))
    yield from checks.annotations(f"{path}.annotations", meta.get("annotations"))
    yield from spec(f"{path}.spec", spec_, in_template=True)
    if spec_.get("ephemeralContainers"):
        yield forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")
    yield from checks.supported(f"{path}.spec.restartPolicy", spec_.get("restartPolicy"), ("Always",))
    if spec_.get("activeDeadlineSeconds") is not None:
        message = "activeDeadlineSeconds in ReplicaSet is not Supported"
        yield forbidden(f"{path}.spec.activeDeadlineSeconds", message)


def spec(path: str, given: Obj, *, in_template: bool = False) -> Errors:
    grace = given.get("terminationGracePeriodSeconds")
    wrong_volumes = list(volume_checks.volumes(f"{path}.volumes", given))
    yield from wrong_volumes
    volumes = _sound_volumes(f"{path}.volumes", given, wrong_volumes)
    around = Surroundings(volumes, 30 if grace is None else grace, given.get("hostUsers") is not False)
    yield from container_checks.containers(f"{path}.containers", given, around)
    yield from container_checks.init_containers(f"{path}.initContainers", given, around)
    yield from container_checks.ephemeral_containers(f"{path}.ephemeralContainers", given, around)
    if given.get("resources") is not None:
        yield from container_checks.pod_resources(f"{path}.resources", given["resources"])
    yield from _host_network(path, given, in_template=in_template)
    policies = ("Always", "OnFailure", "Never")
    yield from checks.required_word(f"{path}.restartPolicy", given.get("restartPolicy"), policies)
    yield from _dns(path, given)
    yield from checks.labels(f"{path}.nodeSelector", given.get("nodeSelector"))
    yield from security_checks.pod(f"{path}.securityContext", given.get("securityContext"), given)
    yield from scheduling_checks.affinity(f"{path}.affinity", given.get("affinity"))
    yield from scheduling_checks.spreading(f"{path}.topologySpreadConstraints", given)
    yield from scheduling_checks.tolerations(f"{path}.tolerations", given)
    yield from _gates(path, given)
    yield from _names(path, given)
    if given.get("activeDeadlineSeconds") is not None:
        yield from checks.in_range(f"{path}.activeDeadlineSeconds", given["activeDeadlineSeconds"], 1, _LONGEST)
    if given.get("preemptionPolicy") is not None:
        words = ("PreemptLowerPriority", "Never")
        yield from checks.required_word(f"{path}.preemptionPolicy", given["preemptionPolicy"], words)


def _sound_volumes(path: str, given: Obj, wrong: Sequence[FieldError]) -> frozenset[str]:
    """Only a volume without errors can be mounted."""
    bad = tuple(error.path for error in wrong)
    return frozenset(
        volume.get("name", "")
        for index, volume in enumerate(items(given, "volumes"))
        if not any(one.startswith(f"{path}[{index}]") for one in bad)
    )


def _host_network(path: str, given: Obj, *, in_template: bool) -> Errors:
    for index, container in enumerate(items(given, "containers") if given.get("hostNetwork") else ()):
        for number, port in enumerate(items(container, "ports")):
            outer, inner = port.get("hostPort") or 0, port.get("containerPort") or 0
            if (outer or not in_template) and outer != inner:
                message = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(f"{path}.containers[{index}].ports[{number}].hostPort", outer, message)
    if given.get("hostUsers") is False:
        for field, spelled in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if given.get(field):
                yield forbidden(f"{path}.{spelled}", "when `hostUsers` is false")


def _dns(path: str, given: Obj) -> Errors:
    policy: str | None = given.get("dnsPolicy")
    config: Obj | None = given.get("dnsConfig")
    words = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
    yield from checks.required_word(f"{path}.dnsPolicy", policy, words)
    at = f"{path}.dnsConfig"
    if config is None:
        if policy == "None":
            yield required(at, "must provide `dnsConfig` when `dnsPolicy` is None")
    elif policy == "None" and not config.get("nameservers"):
        yield required(f"{at}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
    else:
        yield from _dns_config(at, config)


def _dns_config(path: str, config: Obj) -> Errors:
    servers, searches = config.get("nameservers") or (), config.get("searches") or ()
    if len(servers) > _DNS_LIMITS["nameservers"]:
        yield invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        yield from checks.ip(f"{path}.nameservers[{index}]", server)
    if len(searches) > _DNS_LIMITS["searches"]:
        yield invalid(f"{path}.searches", searches, "must not have more than 32 search paths")
    if len(" ".join(searches)) > _SEARCH_CHARACTERS:
        message = "must not have more than 2048 characters (including spaces) in the search list"
        yield invalid(f"{path}.searches", searches, message)
    for index, search in enumerate(searches):
        if search != ".":
            yield from checks.named(f"{path}.searches[{index}]", search.removesuffix("."), _search_name)
    for index, option in enumerate(items(config, "options")):
        if not option.get("name"):
            yield required(f"{path}.options[{index}]", "must not be empty")


def _search_name(value: str) -> str | None:
    """A domain as resolvers take it: services of other systems have underscores."""
    long = "must be no more than 253 characters" if len(value) > _NAME_CHARACTERS else ""
    rule = (
        ""
        if _UNDERSCORED.fullmatch(value)
        else names.pattern_message(_UNDERSCORED_TEXT, _UNDERSCORED.pattern, "example.com")
    )
    return "; ".join(part for part in (long, rule) if part) or None


def _gates(path: str, given: Obj) -> Errors:
    for index, gate in enumerate(items(given, "readinessGates")):
        at = f"{path}.readinessGates[{index}].conditionType"
        yield from checks.named(at, gate.get("conditionType", ""), names.qualified_name)
    seen: set[str] = set()
    for index, gate in enumerate(items(given, "schedulingGates")):
        at, name = f"{path}.schedulingGates[{index}]", gate.get("name", "")
        yield from checks.named(at, name, names.qualified_name)
        if name in seen:
            yield duplicate(at, name)
        seen.add(name)


def _names(path: str, given: Obj) -> Errors:
    for field in ("serviceAccountName", "nodeName", "priorityClassName"):
        if given.get(field):
            yield from checks.named(f"{path}.{field}", given[field], names.dns1123_subdomain)
    if given.get("runtimeClassName") is not None:
        yield from checks.named(f"{path}.runtimeClassName", given["runtimeClassName"], names.dns1123_subdomain)
    if given.get("os") is not None:
        if given["os"].get("name"):
            yield from checks.supported(f"{path}.os", given["os"]["name"], ("linux", "windows"))
        else:
            yield required(f"{path}.os.name")
    if given.get("overhead"):
        yield from container_checks.resources(f"{path}.overhead", {"limits": given["overhead"]})
    for field in ("hostname", "subdomain"):
        if given.get(field):
            yield from checks.named(f"{path}.{field}", given[field], names.dns1123_label)
    for index, alias in enumerate(items(given, "hostAliases")):
        at = f"{path}.hostAliases[{index}]"
        yield from checks.ip(f"{at}.ip", alias.get("ip", ""))
        for number, name in enumerate(alias.get("hostnames") or ()):
            yield from checks.named(f"{at}.hostnames[{number}]", name, names.dns1123_subdomain)
