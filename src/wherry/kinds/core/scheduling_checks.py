"""What holds of what says where a pod may run: affinity, spreading, tolerations, and the taints of nodes."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core import label_keys
from wherry.kinds.core.label_keys import PREFERRED, REQUIRED
from wherry.kinds.defaults import items
from wherry.objects import Obj, names
from wherry.objects.field_errors import duplicate, forbidden, invalid, required

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NODE_NAME = "metadata.name"


def affinity(path: str, given: Obj | None) -> Errors:
    nodes = (given or {}).get("nodeAffinity") or {}
    if nodes.get(REQUIRED) is not None:
        at = f"{path}.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
        terms = list(items(nodes[REQUIRED], "nodeSelectorTerms"))
        if not terms:
            yield required(at, "must have at least one node selector term")
        for index, term in enumerate(terms):
            yield from _node_term(f"{at}[{index}]", term, values=True)
    for index, term in enumerate(items(nodes, PREFERRED)):
        at = f"{path}.nodeAffinity.{PREFERRED}[{index}]"
        yield from _weight(at, term)
        yield from _node_term(f"{at}.preference", term.get("preference") or {}, values=False)
    for key in ("podAffinity", "podAntiAffinity"):
        pods = (given or {}).get(key) or {}
        for index, term in enumerate(items(pods, REQUIRED)):
            yield from _pod_term(f"{path}.{key}.{REQUIRED}[{index}]", term)
        for index, weighted in enumerate(items(pods, PREFERRED)):
            at = f"{path}.{key}.{PREFERRED}[{index}]"
            yield from _weight(at, weighted)
            yield from _pod_term(f"{at}.podAffinityTerm", weighted.get("podAffinityTerm") or {})


def _weight(path: str, term: Obj) -> Errors:
    if not 0 < (term.get("weight") or 0) <= 100:
        yield invalid(f"{path}.weight", term.get("weight") or 0, "must be in the range 1-100")


def _node_term(path: str, term: Obj, *, values: bool) -> Errors:
    for index, rule in enumerate(items(term, "matchExpressions")):
        yield from _node_rule(f"{path}.matchExpressions[{index}]", rule, values=values)
    for index, rule in enumerate(items(term, "matchFields")):
        yield from _field_rule(f"{path}.matchFields[{index}]", rule)


def _node_rule(path: str, rule: Obj, *, values: bool) -> Errors:
    operator, given = rule.get("operator", ""), rule.get("values") or ()
    if operator in ("In", "NotIn"):
        if not given:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if given:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(given) != 1:
            yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    else:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from checks.named(f"{path}.key", rule.get("key", ""), names.label_key)
    for index, value in enumerate(given if values else ()):
        yield from checks.named(f"{path}.values[{index}]", value, names.label_value)


def _field_rule(path: str, rule: Obj) -> Errors:
    given = rule.get("values") or ()
    if rule.get("operator") in ("In", "NotIn"):
        if len(given) != 1:
            message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            yield required(f"{path}.values", message)
    else:
        yield invalid(f"{path}.operator", rule.get("operator", ""), "not a valid selector operator")
    if rule.get("key") != _NODE_NAME:
        yield invalid(f"{path}.key", rule.get("key", ""), "not a valid field selector key")
        return
    for index, value in enumerate(given):
        yield from checks.named(f"{path}.values[{index}]", value, names.dns1123_subdomain)


def _pod_term(path: str, term: Obj) -> Errors:
    for field in ("labelSelector", "namespaceSelector"):
        yield from checks.label_selector(f"{path}.{field}", term.get(field))
    for name in term.get("namespaces") or ():
        yield from checks.named(f"{path}.namespace", name, names.dns1123_label)
    yield from label_keys.check(path, term)
    key = term.get("topologyKey") or ""
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from checks.named(f"{path}.topologyKey", key, names.label_key)


def spreading(path: str, spec: Obj) -> Errors:
    every = list(items(spec, "topologySpreadConstraints"))
    pairs = [(one.get("topologyKey", ""), one.get("whenUnsatisfiable", "")) for one in every]
    for index, constraint in enumerate(every):
        at = f"{path}[{index}]"
        key, action = pairs[index]
        yield from _positive(f"{at}.maxSkew", constraint.get("maxSkew") or 0)
        if not key:
            yield required(f"{at}.topologyKey", "can not be empty")
        yield from checks.supported(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        if (key, action) in pairs[index + 1 :]:
            yield duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}")
        least = constraint.get("minDomains")
        if least is not None:
            yield from _positive(f"{at}.minDomains", least)
            if action != "DoNotSchedule":
                message = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                yield invalid(f"{at}.minDomains", least, message)
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(field) is not None:
                yield from checks.supported(f"{at}.{field}", constraint[field], ("Honor", "Ignore"))
        yield from label_keys.check(at, constraint)
        yield from checks.label_selector(f"{at}.labelSelector", constraint.get("labelSelector"))


def _positive(path: str, value: int) -> Errors:
    if value <= 0:
        yield invalid(path, value, "must be greater than zero")


def tolerations(path: str, spec: Obj) -> Errors:
    for index, toleration in enumerate(items(spec, "tolerations")):
        at = f"{path}[{index}]"
        key, operator = toleration.get("key") or "", toleration.get("operator") or ""
        value, effect = toleration.get("value") or "", toleration.get("effect") or ""
        if key:
            yield from checks.named(f"{at}.key", key, names.label_key)
        elif operator != "Exists":
            message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{at}.operator", operator, message)
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator in ("", "Equal"):
            yield from checks.named(f"{at}.operator", value, names.label_value)
        elif operator == "Exists":
            if value:
                yield invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'")
        else:
            yield from checks.supported(f"{at}.operator", operator, ("Equal", "Exists"))
        if effect:
            yield from checks.supported(f"{at}.effect", effect, EFFECTS)


def taints(path: str, spec: Obj) -> Errors:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(items(spec, "taints")):
        at, key, effect = f"{path}[{index}]", taint.get("key", ""), taint.get("effect", "")
        yield from checks.named(f"{at}.key", key, names.label_key)
        yield from checks.named(f"{at}.value", taint.get("value") or "", names.label_value)
        yield from checks.required_word(f"{at}.effect", effect, EFFECTS)
        if (key, effect) in seen:
            found = duplicate(at, taint)
            yield found._replace(message=f"{found.message}: taints must be unique by key and effect pair")
        seen.add((key, effect))
