"""`wherry up`, `down`, `scale`, `status` on real containers: folders with manifests and without; what goes wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

FAST = 20.0  # seconds in which a failure is to be told; waiting for it would take minutes
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY www /www
EXPOSE 8000
USER 10001:10001
STOPSIGNAL SIGKILL
CMD ["/bin/busybox", "httpd", "-f", "-p", "8000", "-h", "/www"]
"""


def site(folder: Path, text: str) -> Path:
    """A folder with a web page and a Dockerfile that needs no base image."""
    (folder / "www").mkdir(parents=True, exist_ok=True)
    (folder / "www" / "index.html").write_text(text)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    shutil.copy("/bin/busybox", folder / "busybox")
    return folder


def existing(folder: Path, settings: str = "") -> Path:
    """A folder that runs an image which is there already, and ends when it is told to."""
    script = "httpd -p 8000 -h /tmp; trap 'exit 0' TERM; sleep 600 & wait"
    folder.mkdir(exist_ok=True)
    text = f'image = "{IMAGE}"\nport = 8000\ncommand = ["sh", "-c", "{script}"]\n{settings}'
    (folder / "wherry.toml").write_text(text)
    return folder


def deployment(name: str, script: str = "exec sleep 600", image: str = IMAGE, **spec: Any) -> dict[str, Any]:
    container = {"name": name, "image": image, "command": ["sh", "-c", script]}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [{**container, **spec}]},
            },
        },
    }


def written(folder: Path, *objects: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "app.yaml").write_text("---\n".join(yaml.safe_dump(obj) for obj in objects))
    return folder


def up(engine: Engine, folder: Path, *words: str) -> dict[str, Any]:
    done = engine.wherry("up", str(folder), "-o", "json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as reply:
        text: str = reply.read().decode()
    return text


def names(engine: Engine, what: str, app: str) -> list[str]:
    return engine.kubectl("get", what, "-A", "-l", f"wherry.io/app={app}", "-o", "name").split()


def test_a_dockerfile_alone_becomes_replicas_that_answer_and_goes_without_a_trace(
    engine: Engine, tmp_path: Path
) -> None:
    folder = site(tmp_path / "page", "one")
    first = up(engine, folder, "-n", "pages")
    assert [one["object"] for one in first["objects"]] == ["service/page", "deployment.apps/page"]
    assert get(first["urls"][0]["url"]) == "one"
    assert list(first["seconds"]) == ["build", "import", "apply", "rollout", "first answer", "total"]

    again = up(engine, folder, "-n", "pages")
    assert (again["changed"], again["image"]) == (False, first["image"])

    site(folder, "two")
    changed = up(engine, folder, "-n", "pages")
    assert changed["image"] != first["image"]
    assert get(changed["urls"][0]["url"]) == "two"

    assert engine.wherry("down", str(folder), "-n", "pages").returncode == 0
    assert names(engine, "deployments,services,configmaps", "page") == []
    assert engine.kubectl("get", "pods,configmaps", "-n", "pages", "-o", "name").split() == [
        "configmap/kube-root-ca.crt"
    ]


def test_generated_manifests_are_accepted_by_pod_security_restricted(engine: Engine, tmp_path: Path) -> None:
    folder = existing(tmp_path / "safe", '[env]\nCOLOUR = "blue"\n')
    up(engine, folder)
    listed = json.loads(engine.kubectl("get", "pods", "-l", "app.kubernetes.io/name=safe", "-o", "json"))["items"]
    spec = listed[0]["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    existing(folder, '[env]\nCOLOUR = "red"\n')
    changed = up(engine, folder)
    done = {one["object"].partition("-")[0]: one["result"] for one in changed["objects"]}
    assert done == {"configmap/safe": "created", "service/safe": "unchanged", "deployment.apps/safe": "configured"}
    assert engine.wherry("down", "safe").returncode == 0


def test_the_image_that_was_built_takes_its_place_in_the_folder_s_own_manifests(engine: Engine, tmp_path: Path) -> None:
    folder = site(tmp_path / "shop", "shop")
    manifest = deployment("front", image="registry.example/team/shop:latest")
    del manifest["spec"]["template"]["spec"]["containers"][0]["command"]
    (folder / "k8s").mkdir()
    written(folder / "k8s", manifest)
    (folder / "docker-compose.yml").write_text("services: {shop: {build: .}}")
    result = up(engine, folder)
    image = engine.kubectl("get", "deployment", "front", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    assert image == result["image"]
    assert image.startswith("registry.example/team/shop@sha256:")
    assert engine.wherry("down", str(folder)).returncode == 0


def test_what_a_folder_no_longer_has_is_removed(engine: Engine, tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"k": "v"}}
    folder = written(tmp_path / "pruned", deployment("pruned"), config)
    up(engine, folder)
    written(folder, deployment("pruned"))
    assert up(engine, folder)["pruned"] == ["configmap/extra"]
    assert engine.kubectl("get", "configmap", "extra", "--ignore-not-found") == ""
    assert engine.wherry("down", str(folder)).returncode == 0


def test_an_app_that_crashes_is_told_at_once_with_its_last_lines(engine: Engine, tmp_path: Path) -> None:
    folder = written(tmp_path / "crash", deployment("crash", "echo no database here >&2; exit 3"))
    began = time.monotonic()
    done = engine.wherry("up", str(folder))
    assert time.monotonic() - began < FAST
    assert done.returncode == 1
    assert "crash does not come up: CrashLoopBackOff: crash: ended with code 3" in done.stderr
    assert "| no database here" in done.stderr
    assert "wherry down crash" in done.stderr
    assert engine.wherry("status", "crash").returncode == 1

    written(folder, deployment("crash"))
    assert up(engine, folder)["changed"]
    assert engine.wherry("down", "crash").returncode == 0


def test_the_revision_before_goes_on_when_the_next_one_crashes(engine: Engine, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    folder = written(tmp_path / "steady", deployment("steady", readinessProbe=probe))
    up(engine, folder)
    written(folder, deployment("steady", "exit 1", readinessProbe=probe))
    done = engine.wherry("up", str(folder))
    assert done.returncode == 1
    assert "kubectl rollout undo deployment/steady" in done.stderr
    assert engine.kubectl("get", "deployment", "steady", "-o", "jsonpath={.status.readyReplicas}") == "1"
    assert engine.wherry("down", "steady").returncode == 0


def test_an_image_that_cannot_be_pulled_is_told_at_once(engine: Engine, tmp_path: Path) -> None:
    folder = written(tmp_path / "nowhere", deployment("nowhere", image="127.0.0.1:1/nowhere:1"))
    began = time.monotonic()
    done = engine.wherry("up", str(folder))
    assert time.monotonic() - began < FAST
    assert done.returncode == 1
    assert "ErrImagePull" in done.stderr or "ImagePullBackOff" in done.stderr
    assert "what to do: check the image's name" in done.stderr
    assert engine.wherry("down", "nowhere").returncode == 0


def test_a_pod_that_no_node_has_room_for_is_told_at_once(engine: Engine, tmp_path: Path) -> None:
    vast = deployment("vast", resources={"requests": {"cpu": "4000"}})
    done = engine.wherry("up", str(written(tmp_path / "vast", vast)))
    assert done.returncode == 1
    assert "Unschedulable" in done.stderr
    assert "Insufficient cpu" in done.stderr
    assert engine.wherry("down", "vast").returncode == 0


def test_a_mistake_in_one_file_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    wrong = deployment("wrong")
    wrong["spec"]["replcas"] = 3
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "right"}}
    folder = written(tmp_path / "wrong", config, wrong)
    line = next(n for n, text in enumerate((folder / "app.yaml").read_text().splitlines(), 1) if "replcas" in text)
    done = engine.wherry("up", str(folder))
    assert done.returncode == 2
    assert f"app.yaml:{line}: Deployment wrong: unknown field spec.replcas" in done.stderr
    assert engine.kubectl("get", "configmap", "right", "wherry.wrong", "--ignore-not-found") == ""


def test_scale_pins_the_replicas_and_waits_for_them(engine: Engine, tmp_path: Path) -> None:
    folder = existing(tmp_path / "many")
    up(engine, folder)
    done = engine.wherry("scale", "many=3")
    assert (done.returncode, done.stdout) == (0, "many: 2 -> 3 replicas\nmany: 3 of 3 ready\n")
    assert not up(engine, folder)["changed"]  # the folder says no number, so that the pinned one stays
    status = json.loads(engine.wherry("status", "many", "-o", "json").stdout)["apps"][0]
    assert [(one["name"], one["wanted"], one["ready"]) for one in status["workloads"]] == [("many", 3, 3)]
    assert engine.wherry("scale", "nobody=1").returncode == 1
    assert engine.wherry("down", "many").returncode == 0


def test_a_dry_run_prints_the_plan_and_touches_nothing(engine: Engine, tmp_path: Path) -> None:
    folder = written(tmp_path / "dry", deployment("dry"))
    done = engine.wherry("up", str(folder), "--dry-run")
    assert (done.returncode, done.stdout) == (0, "deployment.apps/dry would be created\n")
    assert names(engine, "deployments,configmaps", "dry") == []


def test_fields_that_others_manage_are_taken_over_only_when_told(engine: Engine, tmp_path: Path) -> None:
    folder = written(tmp_path / "mine", {**deployment("mine")})
    engine.kubectl("apply", "-f", str(folder / "app.yaml"))
    written(folder, deployment("mine", "exec sleep 700"))
    done = engine.wherry("up", str(folder))
    assert done.returncode == 5
    assert "kubectl-client-side-apply" in done.stderr
    assert up(engine, folder, "--force-conflicts")["changed"]
    assert engine.wherry("down", "mine").returncode == 0


def test_ctrl_c_leaves_the_rollout_and_says_how_to_go_on(engine: Engine, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["sh", "-c", "exit 1"]}}
    folder = written(tmp_path / "never", deployment("never", readinessProbe=probe))
    argv = [sys.executable, "-m", "wherry.cli", "up", str(folder), "--progress", "json", *engine.options]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "running, not ready" in line:
                break
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
        assert child.wait(timeout=20) == 130
    assert "watch it:  wherry up" in said
    assert "Traceback" not in said
    assert engine.kubectl("get", "deployment", "never", "-o", "name") == "deployment.apps/never\n"
    late = engine.wherry("up", str(folder), "--timeout", "1s")
    assert late.returncode == 4
    assert "never is not ready in time" in late.stderr
    assert engine.wherry("down", "never").returncode == 0


def test_another_cluster_must_be_named_and_known(engine: Engine, tmp_path: Path) -> None:
    done = engine.wherry("up", str(written(tmp_path / "far", deployment("far"))), "--context", "production")
    assert done.returncode == 2
    assert 'there is no context "production"' in done.stderr
