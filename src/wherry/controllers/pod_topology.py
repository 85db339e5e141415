"""Whether pods may be near one another: required pod (anti-)affinity and topology spread, in kube-scheduler's words.

What a node alone decides is `node_fit`; which of several nodes is liked best is `node_scores`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.controllers.node_fit import Misfit, attracted, tolerated
from wherry.objects import Obj, selectors
from wherry.objects.pods import terminating
from wherry.objects.selectors import Requirement, Selector

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_AFFINITY = Misfit(("node(s) didn't match pod affinity rules",), True)
_ANTI_AFFINITY = Misfit(("node(s) didn't match pod anti-affinity rules",), False)
_OTHERS_ANTI_AFFINITY = Misfit(("node(s) didn't satisfy existing pods anti-affinity rules",), False)
_SPREAD = "node(s) didn't match pod topology spread constraints"

Domain = tuple[str, str]
"""A topology key and its value on a node."""


@dataclass(frozen=True)
class Placed:
    """A pod and the node that it is on."""

    pod: Obj
    node: Obj


@dataclass(frozen=True)
class Term:
    """One PodAffinityTerm: which pods, in which namespaces, and what counts as the same place."""

    selector: Selector
    namespaces: frozenset[str]
    among: Selector  # of the namespaces' labels
    key: str

    def matches(self, pod: Obj, namespaces: Mapping[str, Obj]) -> bool:
        meta = pod["metadata"]
        inside = meta["namespace"] in self.namespaces or self.among.matches(namespaces.get(meta["namespace"], {}))
        return inside and self.selector.matches(meta.get("labels"))


@dataclass(frozen=True)
class Spread:
    """One topologySpreadConstraint, and how many matching pods each of its domains has."""

    constraint: Obj
    counts: Mapping[str, int]
    itself: int  # 1 when the pod matches its own selector

    def misfit(self, node: Obj) -> Misfit | None:
        value = _labels(node).get(self.constraint["topologyKey"])
        if value is None:
            return Misfit((f"{_SPREAD} (missing required label)",), True)
        few = len(self.counts) < (self.constraint.get("minDomains") or 1)
        least = 0 if few else min(self.counts.values(), default=0)
        skew = self.counts.get(value, 0) + self.itself - least
        return Misfit((_SPREAD,), False) if skew > self.constraint["maxSkew"] else None


@dataclass(frozen=True)
class Relations:
    """Where a pod may be because of other pods; made once for each pod, asked for each node."""

    spreads: tuple[Spread, ...]
    affinity: tuple[Term, ...]
    near: Mapping[Domain, int]  # where pods are that match all terms of its affinity
    first: bool  # nobody matches its affinity yet but itself
    shunned: frozenset[Domain]  # by its own anti-affinity
    guarded: frozenset[Domain]  # by the anti-affinity of others

    def misfit(self, node: Obj) -> Misfit | None:
        for spread in self.spreads:
            if (wrong := spread.misfit(node)) is not None:
                return wrong
        labels = _labels(node)
        if any(term.key not in labels for term in self.affinity):
            return _AFFINITY
        if not self.first and any(not self.near.get((term.key, labels[term.key])) for term in self.affinity):
            return _AFFINITY
        if not self.shunned.isdisjoint(labels.items()):
            return _ANTI_AFFINITY
        return None if self.guarded.isdisjoint(labels.items()) else _OTHERS_ANTI_AFFINITY


def relations_of(
    pod: Obj, nodes: Iterable[Obj], placed: Iterable[Placed], namespaces: Mapping[str, Obj]
) -> Relations | None:
    """None for a pod that minds nobody and that nobody minds."""
    everyone = tuple(placed)
    affinity, shy = required_terms(pod, "podAffinity"), required_terms(pod, "podAntiAffinity")
    constraints = [
        each
        for each in pod["spec"].get("topologySpreadConstraints") or ()
        if each.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
    ]
    guarded = frozenset(_guarded(pod, everyone, namespaces))
    if not (affinity or shy or constraints or guarded):
        return None
    near = _near(affinity, everyone, namespaces)
    return Relations(
        tuple(_spreads(pod, constraints, tuple(nodes), everyone)),
        affinity,
        near,
        not near and all(term.matches(pod, namespaces) for term in affinity),
        frozenset(
            (term.key, _labels(each.node)[term.key])
            for each in everyone
            for term in shy
            if term.key in _labels(each.node) and term.matches(each.pod, namespaces)
        ),
        guarded,
    )


def required_terms(pod: Obj, side: str) -> tuple[Term, ...]:
    """`side` is podAffinity or podAntiAffinity."""
    affinity = (pod["spec"].get("affinity") or {}).get(side) or {}
    return tuple(term_of(pod, each) for each in affinity.get(REQUIRED) or ())


def term_of(pod: Obj, term: Obj) -> Term:
    """A term as `pod` means it: without namespaces it speaks of the pod's own."""
    meta = pod["metadata"]
    among = term.get("namespaceSelector")
    named = term.get("namespaces") or ([meta["namespace"]] if among is None else [])
    selector = selectors.from_label_selector(term.get("labelSelector"))
    selector = _with_own(selector, meta, term.get("matchLabelKeys"), selectors.IN)
    selector = _with_own(selector, meta, term.get("mismatchLabelKeys"), selectors.NOT_IN)
    return Term(selector, frozenset(named), selectors.from_label_selector(among), term["topologyKey"])


def _with_own(selector: Selector, meta: Obj, keys: Iterable[str] | None, operator: str) -> Selector:
    """`selector`, and the pod's own values of these labels."""
    labels = meta.get("labels") or {}
    more = tuple(Requirement(key, operator, (labels[key],)) for key in keys or () if key in labels)
    return Selector(selector.requirements + more, selector.nothing) if more else selector


def _labels(node: Obj) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _guarded(pod: Obj, placed: Iterable[Placed], namespaces: Mapping[str, Obj]) -> Iterator[Domain]:
    for each in placed:
        for term in required_terms(each.pod, "podAntiAffinity"):
            value = _labels(each.node).get(term.key)
            if value is not None and term.matches(pod, namespaces):
                yield term.key, value


def _near(terms: tuple[Term, ...], placed: Iterable[Placed], namespaces: Mapping[str, Obj]) -> Counter[Domain]:
    near: Counter[Domain] = Counter()
    for each in placed if terms else ():
        if all(term.matches(each.pod, namespaces) for term in terms):
            labels = _labels(each.node)
            near.update({(term.key, labels[term.key]) for term in terms if term.key in labels})
    return near


def _spreads(
    pod: Obj, constraints: Iterable[Obj], nodes: tuple[Obj, ...], placed: tuple[Placed, ...]
) -> Iterator[Spread]:
    """Only nodes that have every key take part, and by default only those that the pod could be attracted to."""
    keys = {each["topologyKey"] for each in constraints}
    meta, spec = pod["metadata"], pod["spec"]
    for each in constraints:
        selector = selectors.from_label_selector(each.get("labelSelector"))
        selector = _with_own(selector, meta, each.get("matchLabelKeys"), selectors.IN)
        counts = {
            _labels(node)[each["topologyKey"]]: 0
            for node in nodes
            if keys <= _labels(node).keys()
            and (each.get("nodeAffinityPolicy") == "Ignore" or attracted(spec, node))
            and (each.get("nodeTaintsPolicy") != "Honor" or tolerated(spec, node))
        }
        for other in placed:
            value = _labels(other.node).get(each["topologyKey"])
            if value in counts and _counts(other, pod, selector):
                counts[value] += 1
        yield Spread(each, counts, int(selector.matches(meta.get("labels"))))


def _counts(other: Placed, pod: Obj, selector: Selector) -> bool:
    theirs = other.pod["metadata"]
    same = theirs["namespace"] == pod["metadata"]["namespace"]
    return same and not terminating(other.pod) and selector.matches(theirs.get("labels"))
