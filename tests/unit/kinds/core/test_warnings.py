"""What the answer to a write warns of, in upstream's words."""

from typing import Any

import pytest

from tests.unit.kinds.objects import container_spec, created, obj, pod_spec, workload_spec
from wherry.kinds.apps.deployment import DEPLOYMENT
from wherry.kinds.core.pod import POD
from wherry.kinds.core.service import SERVICE
from wherry.kinds.core.serviceaccount import SERVICEACCOUNT
from wherry.kinds.discovery.endpointslice import ENDPOINTSLICE
from wherry.objects import Obj

RULE = "requiredDuringSchedulingIgnoredDuringExecution"


def warnings(found: Obj) -> list[str]:
    kinds = (POD, DEPLOYMENT, SERVICE, SERVICEACCOUNT, ENDPOINTSLICE)
    kind = next(kind for kind in kinds if kind.kind == found["kind"])
    return list(kind.warn(created(kind, found), None))


def ports(*listed: Obj) -> Obj:
    return container_spec(ports=list(listed))


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        (
            ports({"containerPort": 80}, {"containerPort": 80}),
            "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
        ),
        (
            ports({"containerPort": 80}, {"containerPort": 80, "hostPort": 80}),
            "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
        ),
        (
            ports(
                {"containerPort": 80, "hostPort": 80},
                {"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"},
            ),
            "spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]",
        ),
        (
            ports({"containerPort": 80, "hostIP": "10.0.0.1"}),
            (
                "spec.containers[0].ports[0]: hostIP set without hostPort: "
                "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}"
            ),
        ),
        (
            container_spec(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
            'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
        ),
        (
            container_spec(resources={"limits": {"memory": "100m"}, "requests": {"memory": "1"}}),
            'spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
        ),
        (
            pod_spec(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        ),
        (
            pod_spec(imagePullSecrets=[{"name": "a"}, {"name": "a"}]),
            'spec.imagePullSecrets[1].name: duplicate name "a"',
        ),
        (pod_spec(imagePullSecrets=[{}]), 'spec.imagePullSecrets[0].name: invalid empty name ""'),
        (
            pod_spec(hostAliases=[{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]),
            'spec.hostAliases[1].ip: duplicate ip "10.0.0.1"',
        ),
        (
            pod_spec(hostAliases=[{"ip": "010.0.0.1"}]),
            (
                'spec.hostAliases[0].ip: non-standard IP address "010.0.0.1" will be considered invalid in a future '
                'Kubernetes release: use "10.0.0.1"'
            ),
        ),
        (
            pod_spec(topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "b"}]),
            "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
        ),
        (
            pod_spec(affinity={"podAntiAffinity": {RULE: [{"topologyKey": "a"}]}}),
            f"spec.affinity.podAntiAffinity.{RULE}[0].labelSelector: a null labelSelector results in matching no pod",
        ),
        (
            pod_spec(
                volumes=[
                    {
                        "name": "v",
                        "configMap": {"name": "c", "items": [{"key": "a", "path": "p"}, {"key": "b", "path": "p/q"}]},
                    }
                ]
            ),
            'volume "v" (ConfigMap "c"): overlapping paths: "p/q" with "p"',
        ),
        (
            pod_spec(
                volumes=[
                    {
                        "name": "v",
                        "projected": {
                            "sources": [
                                {"secret": {"name": "s", "items": [{"key": "a", "path": "token"}]}},
                                {"serviceAccountToken": {"path": "token"}},
                            ]
                        },
                    }
                ]
            ),
            'volume "v" (Projected): overlapping paths: "token" (ServiceAccountToken) with "token" (Secret "s")',
        ),
    ],
)
def test_a_pod_warns(spec: Obj, warning: str) -> None:
    assert warnings(obj(POD, spec=spec)) == [warning]


def test_a_name_of_two_ports_says_which_one_counts() -> None:
    spec = pod_spec()
    spec["containers"] = [
        {"name": "a", "image": "i", "ports": [{"containerPort": 80, "name": "http"}]},
        {"name": "b", "image": "i", "ports": [{"containerPort": 81, "name": "http"}]},
    ]
    one, other = "spec.containers[0].ports[0]", "spec.containers[1].ports[0]"
    assert warnings(obj(POD, spec=spec)) == [
        f'{other}: duplicate port name "http" with {one}, services and probes that select ports by name will use {one}'
    ]


@pytest.mark.parametrize("value", ["$(A) and more", "more and $(A)"])
def test_a_variable_made_of_its_older_value_warns_of_nothing(value: str) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": value}]
    assert warnings(obj(POD, spec=container_spec(env=env))) == []


def test_a_sound_pod_warns_of_nothing() -> None:
    assert warnings(obj(POD, spec=ports({"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}))) == []


def test_a_name_with_a_dot_warns_as_it_becomes_a_host_name() -> None:
    (found,) = warnings(obj(POD, metadata={"name": "a.b"}, spec=pod_spec()))
    assert found.startswith("metadata.name: this is used in the Pod's hostname, which can result in surprising")
    (found,) = warnings(obj(DEPLOYMENT, metadata={"name": "a.b"}, spec=workload_spec()))
    assert found.startswith("metadata.name: this is used in Pod names and hostnames, which can result in surprising")


def test_an_annotation_of_old_warns() -> None:
    annotations = {"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}
    assert warnings(obj(POD, metadata={"annotations": annotations}, spec=pod_spec())) == [
        (
            "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: "
            'non-functional in v1.27+; use the "seccompProfile" field instead'
        )
    ]


def deployment(generation: int) -> Obj:
    spec = workload_spec()
    spec["template"]["spec"] = ports({"containerPort": 80}, {"containerPort": 80})
    return created(DEPLOYMENT, obj(DEPLOYMENT, metadata={"generation": generation}, spec=spec))


def test_a_template_warns_by_its_path() -> None:
    at = "spec.template.spec.containers[0].ports"
    expected = [f"{at}[1]: duplicate port definition with {at}[0]"]
    assert list(DEPLOYMENT.warn(deployment(1), None)) == expected
    assert list(DEPLOYMENT.warn(deployment(2), deployment(1))) == expected


def test_a_template_that_stays_warns_of_nothing() -> None:
    assert list(DEPLOYMENT.warn(deployment(1), deployment(1))) == []


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        (
            {"clusterIP": "None", "sessionAffinity": "ClientIP"},
            "spec.SessionAffinity is ignored for headless services",
        ),
        ({"clusterIP": "None", "externalIPs": ["1.1.1.1"]}, "spec.externalIPs is ignored for headless services"),
        ({"externalName": "a.example"}, 'spec.externalName is ignored when spec.type is not "ExternalName"'),
        (
            {"loadBalancerSourceRanges": ["10.0.0.1/8"], "type": "LoadBalancer"},
            (
                'spec.loadBalancerSourceRanges[0]: CIDR value "10.0.0.1/8" is ambiguous in this context '
                '(should be "10.0.0.0/8" or "10.0.0.1/32"?)'
            ),
        ),
        (
            {"externalIPs": ["FE80::1"]},
            'spec.externalIPs[0]: IPv6 address "FE80::1" should be in RFC 5952 canonical format ("fe80::1")',
        ),
    ],
)
def test_a_service_warns(spec: dict[str, Any], warning: str) -> None:
    assert warnings(obj(SERVICE, spec={"ports": [{"port": 80}], **spec})) == [warning]


def test_a_service_with_a_hint_of_old_warns() -> None:
    hint = {"service.kubernetes.io/topology-aware-hints": "auto"}
    assert warnings(obj(SERVICE, metadata={"annotations": hint}, spec={"ports": [{"port": 80}]})) == [
        (
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, "
            "please use service.kubernetes.io/topology-mode instead"
        )
    ]


def test_a_service_account_that_restricts_its_secrets_warns_once() -> None:
    account = obj(SERVICEACCOUNT, metadata={"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}})
    (found,) = warnings(account)
    assert found.startswith("metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+;")
    assert list(SERVICEACCOUNT.warn(account, account)) == []


def test_a_slice_of_names_warns() -> None:
    found = obj(ENDPOINTSLICE, addressType="FQDN", endpoints=[{"addresses": ["a.example"]}])
    assert warnings(found) == ["spec.addressType: FQDN endpoints are deprecated"]
    odd = obj(ENDPOINTSLICE, addressType="IPv4", endpoints=[{"addresses": ["010.0.0.1"]}])
    (said,) = warnings(odd)
    assert said.startswith('endpoints[0].addresses[0]: non-standard IP address "010.0.0.1" will be considered invalid')
