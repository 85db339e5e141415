"""Pods: defaults, checks, what may change."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.kinds.objects import container_spec, created, errors, obj, pod_spec, update_errors
from wherry.kinds.core.pod import POD
from wherry.kinds.core.podspec import pull_policy, qos_class
from wherry.objects import Obj

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(**spec: Any) -> Obj:
    return obj(POD, spec=pod_spec(**spec))


def with_container(**more: Any) -> Obj:
    return obj(POD, spec=container_spec(**more))


def test_a_bare_pod_gets_upstreams_defaults() -> None:
    found = created(POD, pod(serviceAccount="robot"))
    assert found["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert found["spec"] == {
        "containers": [
            {
                "name": "app",
                "image": "shop/web:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "resources": {},
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "enableServiceLinks": True,
        "serviceAccount": "robot",
        "serviceAccountName": "robot",
    }
    assert errors(POD, found) == []


def test_what_a_client_says_stays() -> None:
    found = pod(dnsPolicy="Default", terminationGracePeriodSeconds=0, enableServiceLinks=False)
    before = deepcopy(found["spec"])
    POD.default(found)
    assert {key: found["spec"][key] for key in before if key != "containers"} == {
        key: value for key, value in before.items() if key != "containers"
    }


def test_probes_ports_sources_and_volumes_are_filled() -> None:
    container = {
        "ports": [{"containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": 80}},
        "livenessProbe": {"grpc": {"port": 9}, "periodSeconds": 3},
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "lifecycle": {"preStop": {"httpGet": {"port": "http"}}},
    }
    token = {"serviceAccountToken": {"path": "token"}}
    volumes = [
        {"name": "a"},
        {"name": "b", "secret": {"secretName": "s"}},
        {"name": "c", "projected": {"sources": [token]}},
    ]
    found = obj(POD, spec={**container_spec(**container), "volumes": volumes, "hostNetwork": True})
    POD.default(found)
    app = found["spec"]["containers"][0]
    assert app["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert app["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert app["livenessProbe"]["periodSeconds"] == 3
    assert app["livenessProbe"]["grpc"] == {"port": 9, "service": ""}
    assert app["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert app["lifecycle"]["preStop"]["httpGet"]["path"] == "/"
    assert found["spec"]["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}},
        {
            "name": "c",
            "projected": {
                "defaultMode": 420,
                "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
            },
        },
    ]


def test_limits_are_requests_where_none_are_said_and_fine_amounts_are_rounded_up() -> None:
    found = with_container(resources={"limits": {"cpu": "1500u", "memory": "1Gi"}, "requests": {"memory": "1Mi"}})
    POD.default(found)
    assert found["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "2m", "memory": "1Gi"},
        "requests": {"cpu": "2m", "memory": "1Mi"},
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("localhost:5000/web", "Always"),
        ("localhost:5000/web:1", "IfNotPresent"),
        ("web@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}, "Burstable"),
    ],
)
def test_the_class_of_service_follows_requests_and_limits(resources: Obj, expected: str) -> None:
    assert qos_class(container_spec(resources=resources)) == expected


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"name": ""}, "spec.containers[0].name: Required value"),
        ({"image": ""}, "spec.containers[0].image: Required value"),
        (
            {"image": " web"},
            'spec.containers[0].image: Invalid value: " web": must not have leading or trailing whitespace',
        ),
        ({"ports": [{"containerPort": 0}]}, "spec.containers[0].ports[0].containerPort: Required value"),
        (
            {"ports": [{"containerPort": 70000}]},
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            {"ports": [{"containerPort": 1, "protocol": "tcp"}]},
            'spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
        ),
        ({"env": [{"value": "x"}]}, "spec.containers[0].env[0].name: Required value"),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]},
            (
                'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": '
                'supported values: "metadata.name",'
            ),
        ),
        (
            {"envFrom": [{}]},
            'spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
        ),
        (
            {"volumeMounts": [{"name": "x", "mountPath": "/x"}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "x"',
        ),
        ({"livenessProbe": {}}, "spec.containers[0].livenessProbe: Required value: must specify a handler type"),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "tcpSocket": {"port": 1}}},
            "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        (
            {"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}},
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
            (
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
                "terminationGracePeriodSeconds (30)"
            ),
        ),
        (
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            {"resources": {"requests": {"memory": "-1"}}},
            'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            {"resources": {"requests": {"example.com/gpu": "1"}}},
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            {"securityContext": {"allowPrivilegeEscalation": False, "privileged": True}},
            (
                "spec.containers[0].securityContext: Invalid value: "
                '{"allowPrivilegeEscalation":false,"privileged":true}: cannot set `allowPrivilegeEscalation` to false'
            ),
        ),
    ],
)
def test_a_wrong_container_is_told_at_its_field(more: Obj, error: str) -> None:
    found = errors(POD, with_container(**more))
    assert len(found) == 1
    assert found[0].startswith(error)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        (
            {"restartPolicy": "Sometimes"},
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        ),
        (
            {"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        ({"volumes": [{"name": "a"}, {"name": "a"}]}, 'spec.volumes[1].name: Duplicate value: "a"'),
        (
            {"volumes": [{"name": "a", "hostPath": {"path": "/a/../b"}}]},
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
        ),
        (
            {"initContainers": [{"name": "app", "image": "x"}]},
            'spec.initContainers[0].name: Duplicate value: "app"',
        ),
        (
            {"initContainers": [{"name": "i", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}]},
            (
                "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without "
                "restartPolicy=Always"
            ),
        ),
        ({"dnsPolicy": "None"}, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        (
            {"tolerations": [{"operator": "Equal", "value": "x"}]},
            'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty',
        ),
        (
            {"securityContext": {"runAsUser": -1}},
            "spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and",
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            {"activeDeadlineSeconds": 0},
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
    ],
)
def test_a_wrong_spec_is_told_at_its_field(spec: Obj, error: str) -> None:
    found = errors(POD, pod(**spec))
    assert len(found) == 1
    assert found[0].startswith(error)


def test_a_limit_of_the_pod_is_its_request_but_for_what_containers_ask() -> None:
    sidecar = {"name": "s", "image": "x", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}}
    spec = container_spec(resources={"requests": {"cpu": "200m"}})
    found = created(
        POD,
        obj(POD, spec={**spec, "initContainers": [sidecar], "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}),
    )
    assert found["spec"]["resources"]["requests"] == {"cpu": "300m", "memory": "1Gi"}
    assert found["status"]["qosClass"] == "Burstable"
    assert errors(POD, found) == []


def test_a_pod_as_a_whole_asks_for_no_devices() -> None:
    (found,) = errors(POD, pod(resources={"requests": {"example.com/gpu": "1"}}))
    assert found.startswith('spec.resources.requests[example.com/gpu]: Unsupported value: "example.com/gpu": supported')


def test_only_sidecars_keep_a_restart_policy_of_their_own() -> None:
    init = [
        {"name": "s", "image": "x", "restartPolicy": "Always"},
        {"name": "i", "image": "x", "restartPolicy": "Never"},
    ]
    found = created(POD, obj(POD, spec={**container_spec(restartPolicy="Always"), "initContainers": init}))
    assert [container.get("restartPolicy") for container in init] == ["Always", None]
    assert "restartPolicy" not in found["spec"]["containers"][0]


def test_a_container_for_debugging_promises_nothing() -> None:
    debugger = {"name": "app", "image": "x", "targetContainerName": "b", "ports": [{"containerPort": 1}]}
    assert errors(POD, pod(ephemeralContainers=[debugger])) == [
        'spec.ephemeralContainers[0].name: Duplicate value: "app"',
        'spec.ephemeralContainers[0].targetContainerName: Not found: "b"',
        "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
    ]


def test_every_error_is_told_at_once() -> None:
    found = errors(POD, obj(POD, metadata={"name": "A"}, spec={"containers": [{}], "restartPolicy": "x"}))
    assert [error.split(": ")[0] for error in found] == [
        "metadata.name",
        "spec.containers[0].name",
        "spec.containers[0].image",
        "spec.restartPolicy",
    ]


def test_only_images_deadline_and_further_tolerations_may_change() -> None:
    old = pod(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoExecute"}], nodeName="n")
    new = deepcopy(old)
    new["spec"]["containers"][0]["image"] = "shop/web:2"
    new["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    new["spec"]["activeDeadlineSeconds"] = 5
    new["spec"]["tolerations"].append({"key": "b", "operator": "Exists"})
    assert update_errors(POD, new, old) == []
    new["spec"]["hostname"] = "other"
    (found,) = update_errors(POD, new, old)
    assert found.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,")
    assert found.endswith("spec.hostname")


def test_containers_are_not_added_nor_tolerations_taken_away() -> None:
    old = pod(tolerations=[{"key": "a", "operator": "Exists"}])
    new = pod()
    assert update_errors(POD, new, old) == [
        "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"
    ]
    new["spec"]["containers"].append({"name": "b", "image": "c"})
    assert update_errors(POD, new, old) == ["spec.containers: Forbidden: pod updates may not add or remove containers"]


@pytest.mark.parametrize(
    ("spec", "phase", "seconds"),
    [({}, "Running", 0), ({"nodeName": "n"}, "Running", 30), ({"nodeName": "n"}, "Failed", 0)],
)
def test_only_a_pod_that_may_run_gets_time_to_end(spec: Obj, phase: str, seconds: int) -> None:
    found = created(POD, pod(**spec))
    found["status"]["phase"] = phase
    assert POD.grace_seconds is not None
    assert POD.grace_seconds(found) == seconds


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("shop/web:latest", "Always"),
        ("localhost:5000/web", "Always"),
        ("localhost:5000/web:1", "IfNotPresent"),
        ("web:latest@sha256:" + 64 * "0", "Always"),
        ("web@sha256:" + 64 * "0", "IfNotPresent"),
        ("Not An Image", "IfNotPresent"),
    ],
)
def test_an_image_is_pulled_always_when_its_tag_is_latest(image: str, policy: str) -> None:
    made = created(POD, obj(POD, spec={"containers": [{"name": "app", "image": image}]}))
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_volume_with_an_error_cannot_be_mounted() -> None:
    mounts = [{"name": "bad", "mountPath": "/a"}, {"name": "good", "mountPath": "/b"}]
    volumes = [{"name": "bad", "hostPath": {"path": "/../etc"}}, {"name": "good", "emptyDir": {}}]
    found = errors(POD, obj(POD, spec={**container_spec(volumeMounts=mounts), "volumes": volumes}))
    assert [one for one in found if "volumeMounts" in one] == [
        'spec.containers[0].volumeMounts[0].name: Not found: "bad"'
    ]


def test_a_gated_pod_says_so_from_its_first_moment() -> None:
    pod = obj(
        POD, metadata={"creationTimestamp": "2026-01-01T00:00:00Z"}, spec=pod_spec(schedulingGates=[{"name": "a"}])
    )
    (condition,) = created(POD, pod)["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("PodScheduled", "SchedulingGated")
    assert condition["lastTransitionTime"] == "2026-01-01T00:00:00Z"
