"""Each M and X rule on a change to a folder that none of them objects to."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from wherry.deploy.check.check import check_across, check_manifests
from wherry.deploy.check.manifests import Manifest, Manifests
from wherry.deploy.check.rules_across import App, listens_at
from wherry.images.check.dockerfile import parse
from wherry.images.check.folder import Folder
from wherry.kinds import schema

TABLE = schema.load()
GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web-config}
data: {APP_ENV: production}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.2
          ports: [{name: http, containerPort: 5000}]
          envFrom: [{configMapRef: {name: web-config}}]
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          livenessProbe: {tcpSocket: {port: http}}
          resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
          securityContext:
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            seccompProfile: {type: RuntimeDefault}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""
DOCKERFILE = """\
FROM python:3.13-slim
USER 10001
CMD ["gunicorn", "--bind", "0.0.0.0:5000", "app:app"]
"""
SOURCE = """
import os
from flask import Flask
app = Flask(__name__)
mode = os.environ["APP_ENV"]
@app.get("/healthz")
def healthz(): return "ok"
"""


def objects() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(GOOD))


def manifests(every: list[dict[str, Any]], *, many_nodes: bool = False) -> Manifests:
    return Manifests(tuple(Manifest(one, "k8s.yaml", 1 + 10 * at) for at, one in enumerate(every)), many_nodes)


def rules(every: list[dict[str, Any]], *, many_nodes: bool = False) -> list[str]:
    return [one.rule for one in check_manifests(manifests(every, many_nodes=many_nodes), TABLE)]


def changed(number: int, path: str, value: Any) -> list[dict[str, Any]]:
    """The good objects with one field of one of them set, or taken out (None)."""
    every = objects()
    *steps, last = path.split(".")
    at: Any = every[number]
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if value is None:
        del at[last]
    else:
        at[last] = value
    return every


POD = "spec.template.spec"
WEB = f"{POD}.containers.0"
SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "maxReplicas": 9,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
    },
}
BUDGET: dict[str, Any] = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "web"},
    "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}},
}


def test_a_good_folder_has_no_findings() -> None:
    assert rules(objects()) == []
    assert across(objects()) == []


@pytest.mark.parametrize(
    ("number", "path", "value", "rule"),
    [
        (1, "spec.replica", 3, "M01"),
        (1, "apiVersion", "apps/v1beta1", "M01"),
        (1, "spec.replicas", "three", "M01"),
        (1, "spec.template.metadata.labels", {"app": "other"}, "M02"),
        (2, "spec.selector", {"app": "wbe"}, "M02"),
        (2, "spec.ports.0.targetPort", "https", "M02"),
        (2, "spec.ports.0.targetPort", 8080, "M02"),
        (1, f"{WEB}.readinessProbe", None, "M03"),
        (1, f"{WEB}.readinessProbe.httpGet.port", 9000, "M04"),
        (1, f"{WEB}.livenessProbe", {"httpGet": {"path": "/healthz", "port": "http"}}, "M04"),
        (1, f"{WEB}.livenessProbe", {"tcpSocket": {"port": "http"}, "periodSeconds": 2}, "M05"),
        (1, f"{WEB}.resources", {"requests": {"cpu": "1"}}, "M06"),
        (1, f"{WEB}.resources", {"requests": {"memory": "1Mi"}}, "M06"),
        (1, f"{WEB}.resources.requests.memory", "1Gi", "M07"),
        (1, "spec.replicas", 1, "M08"),
        (1, "spec.strategy", {"type": "Recreate"}, "M09"),
        (1, "spec.strategy", {"rollingUpdate": {"maxUnavailable": 3}}, "M09"),
        (1, f"{POD}.terminationGracePeriodSeconds", 0, "M09"),
        (1, f"{POD}.hostNetwork", True, "M11"),
        (1, f"{POD}.volumes", [{"name": "x", "hostPath": {"path": "/var/run/docker.sock"}}], "M11"),
        (1, f"{WEB}.securityContext.privileged", True, "M11"),
        (1, f"{WEB}.securityContext.capabilities", {"add": ["SYS_ADMIN"]}, "M11"),
        (1, f"{WEB}.securityContext", None, "M11"),
        (1, f"{WEB}.env", [{"name": "DB_PASSWORD", "value": "x"}], "M12"),
        (1, f"{WEB}.env", [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}], "M12"),
        (1, f"{WEB}.envFrom", [{"configMapRef": {"name": "missing"}}], "M12"),
        (0, "data.API_TOKEN", "x", "M12"),
        (1, f"{WEB}.image", "team/web", "M13"),
        (1, f"{WEB}.image", "registry.example.com:5000/web:latest", "M13"),
        (1, "metadata.labels.version", "a b", "M14"),
    ],
)
def test_each_rule_fires_on_what_it_names(number: int, path: str, value: Any, rule: str) -> None:
    found = rules(changed(number, path, value))
    assert set(found) == {rule}


def test_an_autoscaler_owns_the_replicas_and_needs_a_request() -> None:
    assert rules([*objects(), SCALER]) == ["M07"]
    without = changed(1, "spec.replicas", None)
    assert rules([*without, SCALER]) == []
    del without[1]["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    assert sorted(rules([*without, SCALER])) == ["M06", "M07"]


def test_a_budget_that_lets_nobody_go_is_told() -> None:
    assert rules([*objects(), BUDGET]) == ["M08"]
    looser = deepcopy(BUDGET)
    looser["spec"]["minAvailable"] = 2
    assert rules([*objects(), looser]) == []


def test_spreading_is_asked_for_where_there_are_nodes_to_spread_over() -> None:
    assert rules(objects(), many_nodes=True) == ["M10"]


def test_an_annotation_with_a_reason_allows() -> None:
    every = changed(1, "spec.replicas", 1)
    every[1]["metadata"]["annotations"] = {"wherry.dev/allow": "M08 because it keeps state in memory"}
    assert rules(every) == []
    every[1]["metadata"]["annotations"] = {"wherry.dev/allow": "M08"}
    assert sorted(rules(every)) == ["M00", "M08"]


def across(every: list[dict[str, Any]], dockerfile: str = DOCKERFILE, source: str = SOURCE) -> list[str]:
    app = App(parse(dockerfile), Folder(files={"app.py": 1}, sources={"app.py": source}), manifests(every))
    return [one.rule for one in check_across(app)]


@pytest.mark.parametrize(
    ("number", "path", "value", "rule"),
    [
        (1, f"{WEB}.ports", [{"name": "http", "containerPort": 8000}], "X01"),
        (1, f"{WEB}.readinessProbe.httpGet.path", "/health", "X02"),
        (0, "data", {"OTHER": "x"}, "X07"),
    ],
)
def test_manifests_are_held_against_the_app(number: int, path: str, value: Any, rule: str) -> None:
    assert across(changed(number, path, value)) == [rule]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("USER 10001\n", "", "X03"),
        ("USER 10001\n", "USER app\n", "X03"),
        ("USER 10001\n", "USER 10001\nVOLUME /data\n", "X04"),
        ('"app:app"', '"--workers", "16", "app:app"', "X06"),
        ('"app:app"', '"--graceful-timeout", "60", "app:app"', "X09"),
        ("0.0.0.0:5000", "0.0.0.0:8000", "X01"),
    ],
)
def test_manifests_are_held_against_the_dockerfile(old: str, new: str, rule: str) -> None:
    assert across(objects(), DOCKERFILE.replace(old, new)) == [rule]


def test_a_file_that_the_app_writes_needs_a_mount() -> None:
    source = SOURCE + 'open("/var/cache/app/x", "w")\n'
    assert across(objects(), source=source) == ["X04"]
    mounted = changed(1, f"{WEB}.volumeMounts", [{"name": "cache", "mountPath": "/var/cache/app"}])
    assert across(mounted, source=source) == []


def test_a_config_map_that_nobody_takes_is_told() -> None:
    every = changed(1, f"{WEB}.envFrom", None)
    assert across(every, source=SOURCE.replace('os.environ["APP_ENV"]', '""')) == ["X10"]


@pytest.mark.parametrize(
    ("command", "source", "port"),
    [
        ('["gunicorn", "-b", ":9000", "app:app"]', "", 9000),
        ('["uvicorn", "app:app", "--port", "8080"]', "", 8080),
        ('["uvicorn", "app:app"]', "", 8000),
        ('["python", "app.py"]', "app.run(host='0.0.0.0', port=5001)", 5001),
        ('["python", "app.py"]', "from flask import Flask\napp.run()", 5000),
        ('["./server"]', "", None),
    ],
)
def test_the_port_is_read_from_command_and_source(command: str, source: str, port: int | None) -> None:
    file = parse(f"FROM x:1\nCMD {command}\n")
    app = App(file, Folder(files={"app.py": 1}, sources={"app.py": source}), manifests(objects()))
    assert listens_at(app) == port
