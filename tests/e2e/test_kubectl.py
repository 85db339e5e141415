"""The main road by an unmodified kubectl: apply, rollout, scale, exec, logs, delete, on real containers."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

SERVE = "mkdir -p /tmp/www; cat /etc/hostname > /tmp/www/whoami; echo serving; exec httpd -f -p 5000 -h /tmp/www"
MANIFEST = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "webapp"}, "data": {"APP_ENV": "production"}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "webapp"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "webapp"}},
                "template": {
                    "metadata": {"labels": {"app": "webapp"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 5,
                        "containers": [
                            {
                                "name": "webapp",
                                "image": IMAGE,
                                "command": ["sh", "-c", SERVE],
                                "envFrom": [{"configMapRef": {"name": "webapp"}}],
                                "ports": [{"containerPort": 5000, "name": "http"}],
                                "readinessProbe": {"httpGet": {"path": "/whoami", "port": "http"}, "periodSeconds": 1},
                            }
                        ],
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "webapp"},
            "spec": {"selector": {"app": "webapp"}, "ports": [{"port": 80, "targetPort": "http"}]},
        },
    ],
}


def apply(engine: Engine) -> None:
    engine.kubectl("apply", "-f", "-", stdin=json.dumps(MANIFEST))
    engine.kubectl("rollout", "status", "deployment/webapp", "--timeout=40s")


def answer(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/whoami", timeout=3) as reply:
        text: str = reply.read().decode().strip()
    return text


def test_applied_manifests_become_ready_replicas_behind_a_service(engine: Engine) -> None:
    apply(engine)
    pods = json.loads(engine.kubectl("get", "pods", "-l", "app=webapp", "-o", "json"))["items"]
    names = {pod["metadata"]["name"] for pod in pods}
    assert len(names) == 3
    address = engine.kubectl("get", "service", "webapp", "-o", "jsonpath={.spec.clusterIP}")
    seen: set[str] = set()
    deadline = time.monotonic() + 10
    while seen != names and time.monotonic() < deadline:
        seen.add(answer(address))
    assert seen == names


def test_exec_passes_the_environment_and_the_exit_code(engine: Engine) -> None:
    apply(engine)
    assert engine.kubectl("exec", "deploy/webapp", "--", "sh", "-c", "echo $APP_ENV") == "production\n"
    with pytest.raises(AssertionError, match="command terminated with exit code 3"):
        engine.kubectl("exec", "deploy/webapp", "--", "sh", "-c", "exit 3")


def test_logs_show_what_the_container_wrote(engine: Engine) -> None:
    apply(engine)
    assert "serving\n" in engine.kubectl("logs", "deploy/webapp")


def test_a_rollout_replaces_every_pod_and_can_be_undone(engine: Engine) -> None:
    apply(engine)
    engine.kubectl("set", "env", "deployment/webapp", "COLOUR=blue")
    engine.kubectl("rollout", "status", "deployment/webapp", "--timeout=40s")
    assert engine.kubectl("exec", "deploy/webapp", "--", "sh", "-c", "echo $COLOUR") == "blue\n"
    engine.kubectl("rollout", "undo", "deployment/webapp")
    engine.kubectl("rollout", "status", "deployment/webapp", "--timeout=40s")
    assert engine.kubectl("get", "deployment", "webapp", "-o", "jsonpath={.spec.template.spec.containers[0].env}") == ""
    history = engine.kubectl("rollout", "history", "deployment/webapp")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["2", "3"]


def restarts(engine: Engine) -> dict[str, int]:
    """How often each pod's container was restarted, by uid; pods that are still ending from before are left out."""
    pods = json.loads(engine.kubectl("get", "pods", "-l", "app=webapp", "-o", "json"))["items"]
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in staying}


def test_a_restarted_engine_adopts_what_runs(engine: Engine) -> None:
    apply(engine)
    before = restarts(engine)
    assert engine.wherry("node", "stop").returncode == 0
    assert engine.wherry("node", "start").returncode == 0
    assert restarts(engine) == before
    assert engine.kubectl("get", "deploy", "webapp", "-o", "jsonpath={.status.readyReplicas}") == "3"


def test_a_deleted_deployment_leaves_no_pod(engine: Engine) -> None:
    apply(engine)
    engine.kubectl("delete", "deployment", "webapp", "--timeout=40s")
    engine.kubectl("wait", "--for=delete", "pod", "-l", "app=webapp", "--timeout=40s")
    assert engine.kubectl("get", "pods", "-l", "app=webapp", "-o", "name") == ""


def test_a_second_engine_on_the_same_state_is_refused(engine: Engine) -> None:
    again = engine.wherry("node", "run")
    assert again.returncode == 1
    assert "is in use by process" in again.stderr


def test_a_kind_that_nobody_knows_is_named(engine: Engine, tmp_path: Path) -> None:
    manifest = tmp_path / "nope.json"
    manifest.write_text(json.dumps({"apiVersion": "example.com/v1", "kind": "Nope", "metadata": {"name": "a"}}))
    env = {**os.environ, "KUBECONFIG": str(engine.root / "st" / "kubeconfig")}
    done = subprocess.run(
        ["kubectl", "apply", "-f", str(manifest)], capture_output=True, text=True, env=env, timeout=60
    )
    assert done.returncode == 1
    assert 'no matches for kind "Nope" in version "example.com/v1"' in done.stderr
    assert "ensure CRDs are installed first" in done.stderr
