"""Label keys of terms: merged into their selectors when a pod is created, checked in pods and templates."""

from tests.unit.kinds.objects import created, errors, obj, pod_spec, workload_spec
from wherry.kinds.apps.deployment import DEPLOYMENT
from wherry.kinds.core.label_keys import PREFERRED, REQUIRED
from wherry.kinds.core.pod import POD
from wherry.objects import Obj


def spread(**more: object) -> list[Obj]:
    return [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", **more}]


def test_a_new_pods_own_labels_become_part_of_its_terms() -> None:
    near = {"topologyKey": "host", "labelSelector": {}, "matchLabelKeys": ["app"]}
    far = {"topologyKey": "host", "labelSelector": {"matchLabels": {"a": "b"}}, "mismatchLabelKeys": ["app", "none"]}
    affinity = {
        "podAffinity": {REQUIRED: [near]},
        "podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": far}]},
    }
    constraints = spread(labelSelector={"matchLabels": {"a": "b"}}, matchLabelKeys=["app"])
    spec = pod_spec(affinity=affinity, topologySpreadConstraints=constraints)
    made = created(POD, obj(POD, metadata={"labels": {"app": "web"}}, spec=spec))["spec"]
    mine = {"key": "app", "operator": "In", "values": ["web"]}
    assert made["affinity"]["podAffinity"][REQUIRED][0]["labelSelector"] == {"matchExpressions": [mine]}
    term = made["affinity"]["podAntiAffinity"][PREFERRED][0]["podAffinityTerm"]
    assert term["labelSelector"]["matchExpressions"] == [{**mine, "operator": "NotIn"}]
    assert made["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"] == [mine]


def test_a_key_that_the_selector_has_too_is_refused() -> None:
    constraints = spread(labelSelector={"matchLabels": {"app": "web"}}, matchLabelKeys=["app"])
    pod = obj(POD, metadata={"labels": {"app": "web"}}, spec=pod_spec(topologySpreadConstraints=constraints))
    assert errors(POD, pod) == [
        'spec.topologySpreadConstraints[0][0]: Invalid value: "app": exists in both matchLabelKeys and labelSelector'
    ]


def test_keys_without_a_selector_are_refused_in_a_template() -> None:
    spec = workload_spec()
    spec["template"]["spec"]["topologySpreadConstraints"] = spread(matchLabelKeys=["app"])
    path = "spec.template.spec.topologySpreadConstraints[0].matchLabelKeys"
    found = errors(DEPLOYMENT, obj(DEPLOYMENT, spec=spec))
    assert found == [f"{path}: Forbidden: must not be specified when labelSelector is not set"]
