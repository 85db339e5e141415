"""M03, M05 to M11, M13: how a workload runs, is updated and is kept in bounds."""

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.deploy.check.manifests import SERVING, Manifest, Manifests, probes
from wherry.images.check.finding import Finding, Level
from wherry.images.check.rules_base import split
from wherry.objects.quantities import parse

_DANGEROUS = frozenset(("ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH", "BPF"))
_SENSITIVE = (
    "/",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/root",
    "/var/run",
    "/run",
    "/var/lib/kubelet",
    "/var/lib/containerd",
)


def no_readiness(found: Manifests) -> Iterator[Finding]:
    """M03: traffic before the app can answer."""
    for one in found.workloads():
        if one.kind in SERVING and found.services_of(one):
            for container in one.containers:
                if "readinessProbe" not in container and (container.get("ports") or len(one.containers) == 1):
                    yield one.finding(
                        "M03",
                        Level.WARNING,
                        f"container {container.get('name')} has no readiness probe",
                        cost="requests reach it while it starts and fail, at every rollout and scale-out",
                        fix="readinessProbe: {httpGet: {path: /healthz, port: http}}",
                    )


def no_limits(found: Manifests) -> Iterator[Finding]:
    """M06, M07: memory and CPU."""
    for one, container in found.containers():
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        name = container.get("name")
        if "memory" not in requests and "memory" not in limits:
            yield one.finding(
                "M06",
                Level.ERROR,
                f"container {name} has neither a memory request nor a limit",
                cost="one leak takes the whole node's memory, and pods are packed without regard to it",
                fix="resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}",
            )
        if "cpu" not in requests and "cpu" not in limits:
            yield one.finding(
                "M06",
                Level.WARNING,
                f"container {name} requests no CPU",
                cost="under load it gets what others leave over",
                fix="resources.requests.cpu, as 100m",
            )
        yield from _above_limit(one, str(name), requests, limits)


def _above_limit(one: Manifest, name: str, requests: Mapping[str, Any], limits: Mapping[str, Any]) -> Iterator[Finding]:
    for resource in sorted(requests.keys() & limits.keys()):
        try:
            above = parse(str(requests[resource])) > parse(str(limits[resource]))
        except ValueError:
            continue  # the API's own check tells
        if above:
            yield one.finding(
                "M07",
                Level.ERROR,
                f"container {name} requests more {resource} ({requests[resource]}) than its limit ({limits[resource]})",
                cost="the API refuses it",
                fix="raise the limit or lower the request",
            )


def one_replica(found: Manifests) -> Iterator[Finding]:
    """M08: nothing left while one pod is away."""
    for one in found.of("Deployment", "StatefulSet"):
        if found.autoscaler_of(one) is None and one.spec.get("replicas", 1) == 1 and found.services_of(one):
            yield one.finding(
                "M08",
                Level.WARNING,
                "there is one replica",
                cost="no answer while it restarts, moves or is drained",
                fix="replicas: 2 or more",
            )
    for budget in found.of("PodDisruptionBudget"):
        labels = (budget.spec.get("selector") or {}).get("matchLabels") or {}
        for one in found.of("Deployment", "StatefulSet"):
            if labels and labels.items() <= one.pod_labels.items() and _none_may_go(budget, one, found):
                yield budget.finding(
                    "M08",
                    Level.WARNING,
                    f"it lets no pod of {one} go",
                    cost="draining a node never ends",
                    fix="maxUnavailable: 1",
                )


def _none_may_go(budget: Manifest, one: Manifest, found: Manifests) -> bool:
    scaler = found.autoscaler_of(one)
    replicas = int((scaler.spec.get("minReplicas", 1) if scaler else one.spec.get("replicas", 1)) or 0)
    least, most = budget.spec.get("minAvailable"), budget.spec.get("maxUnavailable")
    if most is not None:
        return str(most) in ("0", "0%")
    if isinstance(least, str) and least.endswith("%"):
        return least == "100%"
    return isinstance(least, int) and least >= replicas


def updates(found: Manifests) -> Iterator[Finding]:
    """M09: an update that leaves nobody to answer."""
    for one in found.of("Deployment"):
        if not found.services_of(one):
            continue
        strategy = one.spec.get("strategy") or {}
        most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable")
        replicas = int(one.spec.get("replicas", 1) or 0)
        all_go = most == "100%" or (isinstance(most, int) and replicas and most >= replicas)
        if strategy.get("type") == "Recreate" or all_go:
            how = "Recreate" if strategy.get("type") == "Recreate" else f"maxUnavailable {most}"
            yield one.finding(
                "M09",
                Level.WARNING,
                f"{how} ends every replica before a new one answers",
                cost="an outage at each rollout",
                fix="type: RollingUpdate with maxUnavailable: 0",
            )
        if one.pod_spec.get("terminationGracePeriodSeconds") == 0:
            yield one.finding(
                "M09",
                Level.WARNING,
                "terminationGracePeriodSeconds is 0",
                cost="requests under way are cut off at every stop",
                fix="leave it at 30, or longer than the longest request",
            )


def spread(found: Manifests) -> Iterator[Finding]:
    """M10: all replicas on one node of many."""
    for one in found.of("Deployment", "StatefulSet"):
        many = found.many_nodes and int(one.spec.get("replicas", 1) or 0) > 1
        pod = one.pod_spec
        if many and not pod.get("topologySpreadConstraints") and "podAntiAffinity" not in (pod.get("affinity") or {}):
            yield one.finding(
                "M10",
                Level.WARNING,
                "nothing spreads the replicas over nodes",
                cost="one node's end can be the end of all of them",
                fix="topologySpreadConstraints with topologyKey kubernetes.io/hostname",
            )


def privileges(found: Manifests) -> Iterator[Finding]:
    """M11: rights that reach out of the container, and rights that nobody took away."""
    for one in found.workloads():
        pod = one.pod_spec
        for field in ("hostPID", "hostIPC", "hostNetwork"):
            if pod.get(field):
                yield _reaches_out(one, f"{field} is on")
        for volume in pod.get("volumes") or ():
            path = str((volume.get("hostPath") or {}).get("path", ""))
            if (path and (path.rstrip("/") or "/") in _SENSITIVE) or path.endswith(".sock"):
                yield _reaches_out(one, f"the host's {path} is mounted")
        for container in one.every_container:
            yield from _container_rights(one, container)


def _container_rights(one: Manifest, container: Mapping[str, Any]) -> Iterator[Finding]:
    own = {**(one.pod_spec.get("securityContext") or {}), **(container.get("securityContext") or {})}
    name = container.get("name")
    added = {str(each).removeprefix("CAP_") for each in (own.get("capabilities") or {}).get("add") or ()}
    if own.get("privileged"):
        yield _reaches_out(one, f"container {name} is privileged")
    if added & _DANGEROUS:
        yield _reaches_out(one, f"container {name} gets {', '.join(sorted(added & _DANGEROUS))}")
    lacking = []
    if not own.get("runAsNonRoot") and not own.get("runAsUser"):
        lacking.append("runAsNonRoot: true")
    if own.get("allowPrivilegeEscalation") is not False:
        lacking.append("allowPrivilegeEscalation: false")
    if not own.get("readOnlyRootFilesystem"):
        lacking.append("readOnlyRootFilesystem: true")
    if (own.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        lacking.append("seccompProfile: {type: RuntimeDefault}")
    if lacking:
        yield one.finding(
            "M11",
            Level.WARNING,
            f"container {name} keeps rights that a web app does not need",
            cost="a hole in the app goes further; clusters with Pod Security `restricted` refuse the pod",
            fix=f"securityContext: {', '.join(lacking)}",
        )


def _reaches_out(one: Manifest, what: str) -> Finding:
    return one.finding(
        "M11",
        Level.ERROR,
        what,
        cost="whoever takes the app over has the node",
        fix="take it out; a web app needs none of it",
    )


def mutable_images(found: Manifests) -> Iterator[Finding]:
    """M13: an image that is not the same on each node. A plain name comes from no registry: it is built here."""
    for one in found.workloads():
        for container in one.every_container:
            image = str(container.get("image", ""))
            _, tag, digest = split(image)
            if "/" in image and not digest and tag in ("", "latest"):
                yield one.finding(
                    "M13",
                    Level.WARNING,
                    f"container {container.get('name')} runs {image}, a tag that moves",
                    cost="replicas run different code, and a rollback changes nothing",
                    fix="name a version or a digest; `wherry up` writes the digest that it built",
                )


def start_budget(found: Manifests) -> Iterator[Finding]:
    """M05: a liveness probe that ends a slow start."""
    for one, container in found.containers():
        asked = dict(probes(container))
        liveness = asked.get("livenessProbe")
        if liveness is None or "startupProbe" in asked:
            continue
        seconds = int(liveness.get("initialDelaySeconds", 0)) + int(liveness.get("failureThreshold", 3)) * int(
            liveness.get("periodSeconds", 10)
        )
        if seconds < 15:
            yield one.finding(
                "M05",
                Level.WARNING,
                f"liveness gives container {container.get('name')} {seconds} s to start",
                cost="a slow start, as on a busy node, becomes a crash loop",
                fix="startupProbe with the same question and failureThreshold: 30",
            )
