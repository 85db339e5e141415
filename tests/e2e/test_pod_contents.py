"""What a container is given, on real containers: environment, volumes, token, security context, cgroups."""

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.e2e.pods import (
    Obj,
    config_map,
    container,
    create,
    ended,
    get,
    pod,
    ready,
    said,
)

pytestmark = pytest.mark.root


def test_the_environment_has_every_source(engine: Engine) -> None:
    variables: Sequence[Obj] = [
        {"name": "PLAIN", "value": "is $(MAP) $$(MAP) $(NOBODY)"},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "MAP"}}},
        {"name": "HIDDEN", "valueFrom": {"secretKeyRef": {"name": "env", "key": "pass"}}},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['test']"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory"}}},
    ]
    app = container(
        "export",
        env=variables,
        envFrom=[{"configMapRef": {"name": "env"}}, {"prefix": "S_", "secretRef": {"name": "env"}}],
        resources={"limits": {"cpu": "250m", "memory": "64Mi"}},
    )
    create(
        engine,
        config_map("env", MAP="mapped"),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "env"}, "stringData": {"pass": "word"}},
        pod("env", app, restartPolicy="Never"),
    )
    lines = ended(engine, "env").splitlines()
    found = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    wanted = {
        "MAP": "mapped",
        "PLAIN": "is mapped $(MAP) $(NOBODY)",
        "KEY": "mapped",
        "HIDDEN": "word",
        "S_pass": "word",
        "NAME": "env",
        "LABEL": "env",
        "ADDRESS": get(engine, "env")["status"]["podIP"],
        "CPU": "250",
        "MEMORY": str(64 << 20),
    }
    assert {name: found.get(name, "").strip("'") for name in wanted} == wanted
    assert "KUBERNETES_SERVICE_HOST" in found


def test_volumes_hold_what_the_pod_names(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("of the host")
    volumes: Sequence[Obj] = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "limited", "emptyDir": {"medium": "Memory"}},
        {"name": "map", "configMap": {"name": "files", "items": [{"key": "a", "path": "sub/a", "mode": 0o400}]}},
        {"name": "secret", "secret": {"secretName": "files"}},
        {"name": "down", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
    ]
    mounts: Sequence[Obj] = [
        *({"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes),
        {"name": "host", "mountPath": "/part", "subPath": "inner/file", "readOnly": True},
        {"name": "scratch", "mountPath": "/mine", "subPathExpr": "$(POD)"},
    ]
    script = """exec 2>&1  # one stream, and so one order
cat /map/sub/a /secret/b /down/labels /part; echo
echo x > /mine/x; cat /scratch/volumes/x; echo y > /part
stat -L -c %a /map/sub/a; cat /proc/mounts; echo from within > /host/out"""
    app = container(
        script,
        volumeMounts=mounts,
        resources={"limits": {"memory": "32Mi"}},
        env=[{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    )
    create(
        engine,
        config_map("files", a="map\n"),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "files"}, "stringData": {"b": "secret\n"}},
        pod("volumes", app, volumes=volumes, restartPolicy="Never"),
    )
    text = ended(engine, "volumes").splitlines()
    assert text[:5] == [
        "map",
        "secret",
        'test="volumes"of the host',
        "x",
        "sh: can't create /part: Read-only file system",
    ]
    assert text[5] == "400"
    mounted = {line.split()[1]: line for line in text[6:]}
    assert "tmpfs rw" in mounted["/memory"]
    assert all("tmpfs" in mounted[f"/{name}"] for name in ("secret", "map", "down")), "what is secret is on no disk"
    assert "size=1024k" in mounted["/memory"]
    assert "size=32768k" in mounted["/limited"], "the pod's own limit"
    assert (tmp_path / "out").read_text() == "from within\n"
    engine.kubectl("delete", "pod", "volumes", "--timeout=30s")
    assert (tmp_path / "inner" / "file").read_text() == "of the host", "what is the host's outlives the pod"


def test_a_missing_volume_source_is_told_and_waited_for(engine: Engine) -> None:
    volume = {"name": "late", "configMap": {"name": "comes-late"}}
    app = container(volumeMounts=[{"name": "late", "mountPath": "/late"}])
    create(engine, pod("late", app, volumes=[volume]))
    (message,) = said(engine, "late", "FailedMount")
    assert message == 'MountVolume.SetUp failed for volume "late" : configmap "comes-late" not found'
    create(engine, config_map("comes-late", key="old"))
    ready(engine, "late")
    engine.kubectl("patch", "configmap", "comes-late", "-p", '{"data": {"key": "new"}}')
    engine.kubectl("exec", "late", "--", "sh", "-c", "until [ $(cat /late/key) = new ]; do sleep 0.05; done")


def test_the_service_account_token_is_the_pods_own(engine: Engine) -> None:
    create(engine, pod("token"))
    ready(engine, "token")
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    show = f"cat {place}/namespace; echo; cat {place}/token; echo; head -n 1 {place}/ca.crt"
    namespace, token, certificate = engine.kubectl("exec", "token", "--", "sh", "-c", show).splitlines()
    assert (namespace, certificate) == ("default", "-----BEGIN CERTIFICATE-----")

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["kubernetes.io"]
    meta = get(engine, "token")["metadata"]
    assert list((engine.root / "rn" / "pods" / meta["uid"]).rglob("token")), "in memory"
    assert not list((engine.root / "st" / "node").rglob("token")), "and on no disk"
    assert claims["pod"] == {"name": "token", "uid": meta["uid"]}

    server = engine.kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")
    own = ["--kubeconfig=/dev/null", f"--server={server}", "--insecure-skip-tls-verify", f"--token={token}"]
    refused = subprocess.run(["kubectl", *own, "get", "nodes"], capture_output=True, text=True, check=False).stderr
    assert 'nodes is forbidden: User "system:serviceaccount:default:default" cannot list' in refused


def test_a_security_context_reaches_the_process(engine: Engine) -> None:
    context: Obj = {
        "runAsUser": 1234,
        "runAsGroup": 2345,
        "fsGroup": 3456,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    own: Obj = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    script = "exec 2>&1; id -u; id -g; id -G; echo > /x; echo a > /data/a; stat -c %g /data/a; cat /proc/self/status"
    app = container(script, securityContext=own, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    volumes = [{"name": "data", "emptyDir": {}}]
    create(engine, pod("secure", app, securityContext=context, volumes=volumes, restartPolicy="Never"))
    user, group, groups, refused, owner, *lines = ended(engine, "secure").splitlines()
    assert (user, group, groups.split(), owner) == ("1234", "2345", ["2345", "3456"], "3456")
    assert refused == "sh: can't create /x: Read-only file system"
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapBnd"], 16)) == ("1", "2", 1 << 10)


def cgroup(engine: Engine, path: str, v1: str, v2: str) -> str:
    """A file of one of the node's cgroups, in whichever version this machine has."""
    root = Path("/sys/fs/cgroup")
    name = engine.options[engine.options.index("--name") + 1]
    if (root / "cgroup.controllers").exists():
        return (root / name / path / v2).read_text().strip()
    return (root / v1.partition(".")[0] / name / path / v1).read_text().strip()


def test_requests_and_limits_reach_the_cgroup_of_each_class(engine: Engine) -> None:
    amounts = {"cpu": "250m", "memory": "32Mi"}
    create(
        engine,
        pod("guaranteed", container(resources={"limits": amounts})),
        pod("burstable", container(resources={"requests": {"cpu": "100m"}}), container(name="other")),
        pod("besteffort"),
    )
    ready(engine, "guaranteed", "burstable", "besteffort")
    uids = {name: get(engine, name)["metadata"]["uid"] for name in ("guaranteed", "burstable", "besteffort")}
    places = {
        "guaranteed": f"pod{uids['guaranteed']}",
        "burstable": f"burstable/pod{uids['burstable']}",
        "besteffort": f"besteffort/pod{uids['besteffort']}",
    }
    memory = cgroup(engine, places["guaranteed"], "memory.limit_in_bytes", "memory.max")
    assert memory == str(32 << 20)
    shares = [cgroup(engine, place, "cpu.shares", "cpu.weight") for place in places.values()]
    assert shares in (["256", "102", "2"], ["10", "4", "1"])
    assert cgroup(engine, "burstable", "cpu.shares", "cpu.weight") in ("102", "4")
    assert cgroup(engine, places["guaranteed"], "cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    engine.kubectl("delete", "pod", *uids, "--timeout=30s", "--grace-period=1")
