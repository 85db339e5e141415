"""M02, M04, M07, M12, M14: whether what is named is there, and says the same everywhere."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from wherry.deploy.check.manifests import Manifest, Manifests, declares, probes
from wherry.images.check.finding import Finding, Level

_GENERATED = frozenset(("kube-root-ca.crt",))
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|token|api_?key|private_?key|credential)")
_SECRET_REFERENCE = re.compile(r"(?i)(_file|_path|_url|_name|_id)$")


def selectors(found: Manifests) -> Iterator[Finding]:
    """M02: a selector that takes nothing, or not its own template."""
    for one in found.workloads():
        chosen = (one.spec.get("selector") or {}).get("matchLabels") or {} if one.kind != "Pod" else {}
        if chosen and not chosen.items() <= one.pod_labels.items():
            yield one.finding(
                "M02",
                Level.ERROR,
                f"the selector {_labels(chosen)} does not match the template's labels {_labels(one.pod_labels)}",
                cost="the API refuses it",
                fix="give the template the selector's labels",
            )
    for service in found.of("Service"):
        if service.spec.get("selector") and found.workloads() and not found.selected(service):
            yield service.finding(
                "M02",
                Level.ERROR,
                f"the selector {_labels(service.spec['selector'])} takes no pod of these files",
                cost="every request to it is refused",
                fix=f"use the labels of a pod template: {_nearest(found, service)}",
            )


def _nearest(found: Manifests, service: Manifest) -> str:
    same = [one for one in found.workloads() if one.namespace == service.namespace] or found.workloads()
    return _labels(same[0].pod_labels)


def _labels(labels: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items()) or "(none)"


def service_ports(found: Manifests) -> Iterator[Finding]:
    """M02: a targetPort that no container has."""
    for service in found.of("Service"):
        for workload in found.selected(service):
            for port in service.spec.get("ports") or ():
                target = port.get("targetPort", port.get("port"))
                known = [one for one in workload.containers if one.get("ports")]
                there = any(declares(one, target) for one in workload.containers)
                if (isinstance(target, str) or known) and not there:
                    yield service.finding(
                        "M02",
                        Level.ERROR,
                        f"targetPort {target} is no port of {workload}",
                        cost="requests to it are refused" if isinstance(target, int) else "it has no endpoints",
                        fix=f"one of {_ports(workload)}, or declare it in the container",
                    )


def _ports(workload: Manifest) -> str:
    numbers = [
        str(port.get("name") or port.get("containerPort"))
        for container in workload.containers
        for port in container.get("ports") or ()
    ]
    return ", ".join(numbers) or "none"


def targets(found: Manifests) -> Iterator[Finding]:
    """M02: an Ingress, autoscaler, budget or policy that points at nothing."""
    for ingress in found.of("Ingress"):
        for name in _backends(ingress.spec):
            if found.find("Service", name, ingress.namespace) is None:
                yield _nothing(ingress, f"the Service {name}")
    for scaler in found.of("HorizontalPodAutoscaler"):
        target = scaler.spec.get("scaleTargetRef") or {}
        if found.find(str(target.get("kind")), str(target.get("name")), scaler.namespace) is None:
            yield _nothing(scaler, f"{target.get('kind')}/{target.get('name')}")
    for one in found.of("PodDisruptionBudget", "NetworkPolicy"):
        selector = one.spec.get("selector" if one.kind == "PodDisruptionBudget" else "podSelector") or {}
        labels = selector.get("matchLabels") or {}
        pods = [each for each in found.workloads() if each.namespace == one.namespace]
        if labels and not any(labels.items() <= each.pod_labels.items() for each in pods):
            yield _nothing(one, f"a pod with {_labels(labels)}")


def _backends(spec: Mapping[str, Any]) -> Iterator[str]:
    backends = [spec.get("defaultBackend") or {}]
    for rule in spec.get("rules") or ():
        backends += [path.get("backend") or {} for path in (rule.get("http") or {}).get("paths") or ()]
    for backend in backends:
        name = (backend.get("service") or {}).get("name")
        if name:
            yield str(name)


def _nothing(one: Manifest, what: str) -> Finding:
    return one.finding(
        "M02",
        Level.ERROR,
        f"{what} is not in these files",
        cost="it has no effect",
        fix="correct the name, or add what it names",
    )


def probe_ports(found: Manifests) -> Iterator[Finding]:
    """M04: probes at ports that are not declared, and liveness that asks what readiness asks."""
    for one, container in found.containers():
        for kind, probe in probes(container):
            port = next(
                (probe[how]["port"] for how in ("httpGet", "tcpSocket", "grpc") if "port" in (probe.get(how) or {})),
                None,
            )
            if port is not None and (isinstance(port, str) or container.get("ports")) and not declares(container, port):
                yield one.finding(
                    "M04",
                    Level.ERROR,
                    f"{kind} asks port {port}, which container {container.get('name')} does not declare",
                    cost="the probe fails: the pod is never ready, or restarted for ever",
                    fix="name a port that the container declares",
                )
        asked = dict(probes(container))
        if "livenessProbe" in asked and "readinessProbe" in asked:
            yield from _same_question(one, container, asked)


def _same_question(one: Manifest, container: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[Finding]:
    from_liveness, from_readiness = asked["livenessProbe"], asked["readinessProbe"]
    slower = int(from_liveness.get("failureThreshold", 3)) > int(from_readiness.get("failureThreshold", 3))
    if _what(from_liveness) == _what(from_readiness) and not slower:
        yield one.finding(
            "M04",
            Level.WARNING,
            f"liveness of container {container.get('name')} asks what readiness asks",
            cost="a slow dependency restarts every replica instead of taking it out for a while",
            fix="let liveness ask only whether the process answers, or fail later (a higher failureThreshold)",
        )


def _what(probe: Mapping[str, Any]) -> Any:
    return {key: value for key, value in probe.items() if key in ("httpGet", "tcpSocket", "exec", "grpc")}


def autoscaling(found: Manifests) -> Iterator[Finding]:
    """M07: an autoscaler that cannot measure, or whose work each apply undoes."""
    for one in found.workloads():
        scaler = found.autoscaler_of(one)
        if scaler is None:
            continue
        if "replicas" in one.spec:
            yield one.finding(
                "M07",
                Level.ERROR,
                f"replicas is set, and {scaler} sets it too",
                cost="each apply throws the autoscaler's number away",
                fix="take replicas out of the manifest",
            )
        metrics = [(each.get("resource") or {}).get("name") for each in scaler.spec.get("metrics") or ()]
        metrics += ["cpu"] if "targetCPUUtilizationPercentage" in scaler.spec else []
        for container in one.containers:
            requests = (container.get("resources") or {}).get("requests") or {}
            if "cpu" in metrics and "cpu" not in requests:
                yield one.finding(
                    "M07",
                    Level.ERROR,
                    f"{scaler} goes by CPU, and container {container.get('name')} requests none",
                    cost="it never scales",
                    fix="set resources.requests.cpu",
                )


def references(found: Manifests) -> Iterator[Finding]:
    """M12: ConfigMaps, Secrets, accounts and claims that nothing here makes; names given twice."""
    for one in found.workloads():
        for kind, name in sorted(set(_references(one.pod_spec))):
            if name not in _GENERATED and found.find(kind, name, one.namespace) is None:
                level = Level.ERROR if kind == "ConfigMap" else Level.WARNING  # secrets are often made elsewhere
                yield one.finding(
                    "M12",
                    level,
                    f"the {kind} {name} is not in these files",
                    cost="the pod waits for it and does not start",
                    fix=f"add it, make it before (kubectl create {kind.lower()}), or mark it optional",
                )
        for container in one.every_container:
            names = Counter(each.get("name") for each in container.get("env") or ())
            for name in (name for name, count in names.items() if count > 1):
                yield one.finding(
                    "M12",
                    Level.ERROR,
                    f"container {container.get('name')} sets {name} twice",
                    cost="the last one counts, whichever was meant",
                    fix="keep one",
                )


def _references(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for container in [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                yield from _required(kind, source.get(key))
        for variable in container.get("env") or ():
            value = variable.get("valueFrom") or {}
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                yield from _required(kind, value.get(key))
    for volume in pod.get("volumes") or ():
        yield from _required("ConfigMap", volume.get("configMap"))
        secret = volume.get("secret")
        if secret and not secret.get("optional"):
            yield "Secret", str(secret.get("secretName"))
        if volume.get("persistentVolumeClaim"):
            yield "PersistentVolumeClaim", str(volume["persistentVolumeClaim"].get("claimName"))
    account = pod.get("serviceAccountName")
    if account and account != "default":
        yield "ServiceAccount", str(account)


def _required(kind: str, reference: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if reference and reference.get("name") and not reference.get("optional"):
        yield kind, str(reference["name"])


def literal_secrets(found: Manifests) -> Iterator[Finding]:
    """M12: a secret's value where everybody reads it."""
    for one in found.workloads():
        for container in one.every_container:
            for variable in container.get("env") or ():
                if variable.get("value") and _secret(str(variable.get("name", ""))):
                    yield _readable(one, f"the environment of container {container.get('name')}", str(variable["name"]))
    for config in found.of("ConfigMap"):
        for name, value in (config.obj.get("data") or {}).items():
            if value and _secret(str(name)):
                yield _readable(config, "a ConfigMap", str(name))


def _secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _SECRET_REFERENCE.search(name)


def _readable(one: Manifest, where: str, name: str) -> Finding:
    return one.finding(
        "M12",
        Level.ERROR,
        f"{name} looks like a secret and is written into {where}",
        cost="it is in the repository and in every `get -o yaml`",
        fix="keep it in a Secret, and take it with secretKeyRef",
    )


def bad_labels(found: Manifests) -> Iterator[Finding]:
    """M14: label values that the API refuses."""
    for one in found.all:
        for labels in (one.meta.get("labels") or {}, one.pod_labels):
            for key, value in labels.items():
                if not isinstance(value, str) or len(value) > 63 or not _LABEL.fullmatch(value):
                    yield one.finding(
                        "M14",
                        Level.NOTE,
                        f"the label {key} has the value {value!r}",
                        cost="the API refuses it",
                        fix="at most 63 letters, digits, `-`, `_` and `.`, in quotes where YAML would read a number",
                    )


def loose_jobs(found: Manifests) -> Iterator[Finding]:
    """M14: Jobs that stay for ever, CronJobs that never catch up."""
    for one in found.of("Job"):
        if "ttlSecondsAfterFinished" not in one.spec:
            yield one.finding(
                "M14",
                Level.NOTE,
                "there is no ttlSecondsAfterFinished",
                cost="the finished Job and its pods stay until somebody deletes them",
                fix="set ttlSecondsAfterFinished, as 3600",
            )
    for one in found.of("CronJob"):
        if "startingDeadlineSeconds" not in one.spec:
            yield one.finding(
                "M14",
                Level.NOTE,
                "there is no startingDeadlineSeconds",
                cost="after 100 missed times it is never started again",
                fix="set startingDeadlineSeconds, as 300",
            )
