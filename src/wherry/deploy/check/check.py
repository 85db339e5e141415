"""All rules over a folder's manifests, and over manifests, Dockerfile and app together."""

from collections.abc import Callable, Iterator, Sequence

from wherry.deploy.check import rules_across, rules_running, rules_wiring
from wherry.deploy.check.manifests import Manifest, Manifests
from wherry.deploy.check.rules_across import App
from wherry.images.check.finding import Finding, Level
from wherry.kinds.schema import Table
from wherry.kinds.schema import check as schema_check

ALLOW = "wherry.dev/allow"
"""An annotation `D05 because REASON; M08 because REASON` on an object: these rules do not speak of it."""

RULES: Sequence[Callable[[Manifests], Iterator[Finding]]] = (
    rules_wiring.selectors,
    rules_wiring.service_ports,
    rules_wiring.targets,
    rules_running.no_readiness,
    rules_wiring.probe_ports,
    rules_running.start_budget,
    rules_running.no_limits,
    rules_wiring.autoscaling,
    rules_running.one_replica,
    rules_running.updates,
    rules_running.spread,
    rules_running.privileges,
    rules_wiring.references,
    rules_wiring.literal_secrets,
    rules_running.mutable_images,
    rules_wiring.bad_labels,
    rules_wiring.loose_jobs,
)

ACROSS: Sequence[Callable[[App], Iterator[Finding]]] = (
    rules_across.ports,
    rules_across.probe_paths,
    rules_across.user,
    rules_across.read_only,
    rules_across.memory,
    rules_across.variables,
    rules_across.grace,
)

_REMOVED = {
    ("extensions/v1beta1", "Deployment"): "apps/v1",
    ("apps/v1beta1", "Deployment"): "apps/v1",
    ("apps/v1beta2", "Deployment"): "apps/v1",
    ("apps/v1beta1", "StatefulSet"): "apps/v1",
    ("extensions/v1beta1", "DaemonSet"): "apps/v1",
    ("extensions/v1beta1", "Ingress"): "networking.k8s.io/v1",
    ("networking.k8s.io/v1beta1", "Ingress"): "networking.k8s.io/v1",
    ("extensions/v1beta1", "NetworkPolicy"): "networking.k8s.io/v1",
    ("policy/v1beta1", "PodDisruptionBudget"): "policy/v1",
    ("batch/v1beta1", "CronJob"): "batch/v1",
    ("batch/v2alpha1", "CronJob"): "batch/v1",
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): "autoscaling/v2",
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "autoscaling/v2",
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole"): "rbac.authorization.k8s.io/v1",
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding"): "rbac.authorization.k8s.io/v1",
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): "apiextensions.k8s.io/v1",
}


def check_manifests(found: Manifests, table: Table) -> list[Finding]:
    """The M rules. Where an object cannot be decoded only that is told: the others would guess."""
    every = [finding for one in found.all for finding in fields(one, table)]
    for rule in RULES if all(_decodable(one, table) for one in found.all) else ():
        every += rule(found)
    return sorted(allowed(found, every), key=_place)


def check_across(app: App) -> list[Finding]:
    """The X rules."""
    every = [finding for rule in ACROSS for finding in rule(app)]
    return sorted(allowed(app.manifests, every), key=_place)


def fields(one: Manifest, table: Table) -> Iterator[Finding]:
    """M01: fields that the API does not know, and versions that are gone."""
    version = str(one.obj.get("apiVersion", ""))
    newer = _REMOVED.get((version, one.kind))
    if newer is not None:
        yield one.finding(
            "M01",
            Level.ERROR,
            f"{version} is gone from Kubernetes",
            cost="the API refuses it",
            fix=f"apiVersion: {newer}",
        )
        return
    problems = _problems(one, table)
    if problems is None:
        return
    wrong = [problems.error] if problems.error else list(problems.strict_errors)
    for message in wrong:
        yield one.finding(
            "M01",
            Level.ERROR,
            message,
            cost="the API refuses it, or ignores what you meant",
            fix=f"see kubectl explain {one.kind.lower()} for the fields there are",
        )


def _problems(one: Manifest, table: Table) -> schema_check.Problems | None:
    """What decoding finds; None for a custom resource, of which its own definition tells."""
    group, _, last = str(one.obj.get("apiVersion", "")).rpartition("/")
    try:
        type_ = table.definition(f"io.k8s.api.{group.partition('.')[0] or 'core'}.{last}.{one.kind}")
    except KeyError:
        return None
    return schema_check.check(one.obj, type_)


def _decodable(one: Manifest, table: Table) -> bool:
    problems = _problems(one, table)
    return problems is None or not problems.error


def allowed(found: Manifests, every: Sequence[Finding]) -> Iterator[Finding]:
    """The findings less those that an object's annotation allows with a reason; one without is a finding."""
    rules: dict[tuple[str, int], set[str]] = {}
    for one in found.all:
        for part in str((one.meta.get("annotations") or {}).get(ALLOW, "")).split(";"):
            rule, because, reason = part.strip().partition(" because ")
            if rule and because and reason.strip():
                rules.setdefault((one.file, one.line), set()).add(rule.strip())
            elif rule:
                yield one.finding(
                    "M00",
                    Level.WARNING,
                    f"{rule} is allowed without a reason",
                    cost="nobody will know whether it still holds; it is not taken into account",
                    fix=f"{ALLOW}: {rule.split()[0]} because REASON",
                )
    for finding in every:
        if finding.rule not in rules.get((finding.file, finding.line), ()):
            yield finding


def _place(finding: Finding) -> tuple[str, int, str]:
    return finding.file, finding.line, finding.rule
