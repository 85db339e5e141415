"""`matchLabelKeys` and `mismatchLabelKeys`: labels of the new pod itself that become part of a term's selector."""

from collections.abc import Iterator, Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.defaults import items
from wherry.objects import Obj, names
from wherry.objects.field_errors import forbidden, invalid

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_FIELDS = (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))


def merge(spec: Obj, labels: Obj) -> None:
    """Fix the pod's own values in the selectors of its terms, once, when it is created."""
    for term in _terms(spec):
        selector = term.get("labelSelector")
        if selector is None:  # selects nothing, whatever is added
            continue
        added = [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for field, operator in _FIELDS
            for key in term.get(field) or ()
            if key in labels
        ]
        if added:
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def _terms(spec: Obj) -> Iterator[Obj]:
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind)
        yield from items(affinity, REQUIRED)
        for weighted in items(affinity, PREFERRED):
            yield weighted.get("podAffinityTerm") or {}
    yield from items(spec, "topologySpreadConstraints")


def check(path: str, term: Obj) -> Errors:
    """The keys of one term, after they have been merged where the term is a pod's."""
    selector = term.get("labelSelector")
    for field, _ in _FIELDS:
        yield from _names(f"{path}.{field}", term.get(field) or (), selector)
    wanted: Sequence[str] = term.get("matchLabelKeys") or ()
    if selector is not None:
        seen = set(selector.get("matchLabels") or ())
        for expression in items(selector, "matchExpressions"):
            key = expression.get("key", "")
            if key in wanted and key in seen:
                at = f"{path}[{wanted.index(key)}]"  # upstream's path
                yield invalid(at, key, "exists in both matchLabelKeys and labelSelector")
            seen.add(key)
    for index, key in enumerate(wanted):
        if key in (term.get("mismatchLabelKeys") or ()):
            message = "exists in both matchLabelKeys and mismatchLabelKeys"
            yield invalid(f"{path}.matchLabelKeys[{index}]", key, message)


def _names(path: str, keys: Sequence[str], selector: Obj | None) -> Errors:
    if keys and selector is None:
        yield forbidden(path, "must not be specified when labelSelector is not set")
        return
    for index, key in enumerate(keys):
        yield from checks.named(f"{path}[{index}]", key, names.label_key)
