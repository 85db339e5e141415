"""What holds of every kind that keeps a number of pods from a template."""

from collections.abc import Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import pod_checks
from wherry.objects import Obj, selectors
from wherry.objects.field_errors import invalid, required

_COUNTS = ("replicas", "readyReplicas", "availableReplicas", "terminatingReplicas")


def replicas(spec: Obj) -> Errors:
    yield from checks.nonnegative("spec.replicas", spec.get("replicas"))
    yield from checks.nonnegative("spec.minReadySeconds", spec.get("minReadySeconds"))
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from checks.label_selector("spec.selector", selector)
        if checks.empty_selector(selector):
            yield invalid("spec.selector", selector, "empty selector is invalid for deployment")
    yield from _template(spec, selector)


def _template(spec: Obj, selector: Obj | None) -> Errors:
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels")
    try:
        chosen = selectors.from_label_selector(selector)
    except ValueError:
        yield invalid("spec.selector", selector, "invalid label selector")
        return
    if not chosen.matches(labels):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from pod_checks.template("spec.template", template)


def same_selector(new: Obj, old: Obj) -> Errors:
    yield from checks.immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))


def status(given: Obj, more: Sequence[str]) -> Errors:
    """Counts that agree with each other; `more` are the kind's own."""
    for field in (*_COUNTS, *more):
        yield from checks.nonnegative(f"status.{field}", given.get(field))
    total, ready = given.get("replicas") or 0, given.get("readyReplicas") or 0
    for field in (*more, "readyReplicas", "availableReplicas"):
        if (given.get(field) or 0) > total:
            yield invalid(f"status.{field}", given.get(field) or 0, "cannot be greater than status.replicas")
    if (given.get("availableReplicas") or 0) > ready:
        yield invalid("status.availableReplicas", given["availableReplicas"], "cannot be greater than readyReplicas")
