"""What the node promises of pods, on real containers: order, probes, hooks, restarts, volumes, limits, words."""

import base64
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

Obj = dict[str, Any]

WAITS = "trap 'exit 0' TERM; while true; do sleep 0.05; done"


def container(script: str = WAITS, name: str = "app", **more: Any) -> Obj:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


def pod(name: str, *containers: Obj, **spec: Any) -> Obj:
    body = {"terminationGracePeriodSeconds": 5, "containers": list(containers) or [container()], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"test": name}}, "spec": body}


def config_map(name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def create(engine: Engine, *objects: Obj) -> None:
    engine.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def wait(engine: Engine, name: str, condition: str, seconds: int = 30) -> None:
    engine.kubectl("wait", f"pod/{name}", f"--for={condition}", f"--timeout={seconds}s")


def ready(engine: Engine, *names: str) -> None:
    engine.kubectl("wait", *(f"pod/{name}" for name in names), "--for=condition=Ready", "--timeout=30s")


def ended(engine: Engine, name: str, phase: str = "Succeeded") -> str:
    """What the pod said until its end."""
    wait(engine, name, f"jsonpath={{.status.phase}}={phase}")
    return engine.kubectl("logs", name)


def get(engine: Engine, name: str) -> Obj:
    found: Obj = json.loads(engine.kubectl("get", "pod", name, "-o", "json"))
    return found


def state(engine: Engine, name: str) -> Obj:
    status: Obj = get(engine, name)["status"]["containerStatuses"][0]
    return status


def waits_with(engine: Engine, name: str, reason: str) -> str:
    """The message of a container that waits for this reason."""
    wait(engine, name, f"jsonpath={{.status.containerStatuses[0].state.waiting.reason}}={reason}")
    return str(state(engine, name)["state"]["waiting"].get("message", ""))


@contextlib.contextmanager
def streamed(engine: Engine, *words: str) -> Iterator[Iterator[str]]:
    """The lines that kubectl writes as it goes."""
    env = {**os.environ, "KUBECONFIG": str(engine.root / "st" / "kubeconfig")}
    with subprocess.Popen(["kubectl", *words], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.kill()


def said(engine: Engine, name: str, reason: str, *, count: int = 1) -> list[str]:
    """Messages of the pod's Events of that reason, once there are so many: they are written a moment later."""
    selector = f"--field-selector=involvedObject.name={name},reason={reason}"
    found: dict[str, Obj] = {}
    text = ""
    with streamed(engine, "get", "events", selector, "--watch", "-o", "json", "--request-timeout=30s") as lines:
        for line in lines:
            text += line
            if line == "}\n":
                event = json.loads(text)
                found[event["metadata"]["name"]] = event
                text = ""
                if sum(one["count"] for one in found.values()) >= count:
                    return [str(one["message"]) for one in found.values()]
    pytest.fail(f"{name} has only these {reason} Events: {found}")


def order(engine: Engine, name: str) -> list[str]:
    listed = json.loads(engine.kubectl("get", "events", f"--field-selector=involvedObject.name={name}", "-o", "json"))
    return [event["reason"] for event in listed["items"]]


# Order


def test_init_containers_run_in_order_and_a_sidecar_outlives_the_main_container(engine: Engine, tmp_path: Path) -> None:
    host: Obj = {"name": "host", "hostPath": {"path": str(tmp_path)}}
    mount: Obj = {"volumeMounts": [{"name": "host", "mountPath": "/host"}]}

    def notes(name: str) -> str:
        return f"trap 'echo end {name} >> /host/log; exit 0' TERM; echo start {name} >> /host/log; {WAITS[17:]}"

    side = container(
        notes("side"),
        "side",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["cat", "/host/log"]}, "periodSeconds": 1},
        **mount,
    )
    first, last = (container(f"echo init {name} >> /host/log", name, **mount) for name in ("first", "last"))
    main = container(notes("main"), **mount)
    create(engine, pod("inits", main, initContainers=[first, side, last], volumes=[host]))
    ready(engine, "inits")
    statuses = get(engine, "inits")["status"]["initContainerStatuses"]
    assert [(one["name"], one["ready"], one["restartCount"]) for one in statuses] == [
        ("first", True, 0),
        ("side", True, 0),
        ("last", True, 0),
    ]
    assert [statuses[0]["state"]["terminated"]["reason"], statuses[1]["started"]] == ["Completed", True]
    engine.kubectl("delete", "pod", "inits", "--timeout=30s")
    log = (tmp_path / "log").read_text().splitlines()
    assert log == ["init first", "start side", "init last", "start main", "end main", "end side"]


def test_a_failing_init_container_ends_a_pod_that_may_not_restart(engine: Engine) -> None:
    create(engine, pod("badinit", initContainers=[container("exit 3", "first")], restartPolicy="Never"))
    wait(engine, "badinit", "jsonpath={.status.phase}=Failed")
    status = get(engine, "badinit")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_pod_tells_of_each_step_in_upstreams_words(engine: Engine) -> None:
    create(engine, pod("words"))
    ready(engine, "words")
    assert said(engine, "words", "Scheduled")[0].startswith("Successfully assigned default/words to ")
    assert said(engine, "words", "Pulled") == [f'Container image "{IMAGE}" already present on machine']
    assert said(engine, "words", "Created") == ["Created container: app"]
    assert said(engine, "words", "Started") == ["Started container app"]
    engine.kubectl("delete", "pod", "words", "--timeout=30s")
    assert said(engine, "words", "Killing") == ["Stopping container app"]
    assert order(engine, "words") == ["Scheduled", "Pulled", "Created", "Started", "Killing"]


# Restarts and reasons


def test_a_crashing_container_is_restarted_with_back_off(engine: Engine) -> None:
    create(engine, pod("crash", container("exit 7")))
    message = waits_with(engine, "crash", "CrashLoopBackOff")
    meta = get(engine, "crash")["metadata"]
    where = f"crash_default({meta['uid']})"
    assert message == f"back-off 10s restarting failed container=app pod={where}"
    status = state(engine, "crash")
    last = status["lastState"]["terminated"]
    assert (status["restartCount"], last["exitCode"], last["reason"]) == (1, 7, "Error")
    assert said(engine, "crash", "BackOff") == [f"Back-off restarting failed container app in pod {where}"]
    assert said(engine, "crash", "Started", count=2) == ["Started container app"]


def test_images_that_cannot_be_had_are_told_as_upstream_does(engine: Engine) -> None:
    missing = "wherry.test/missing:1"
    create(
        engine,
        pod("never", {**container(), "image": missing, "imagePullPolicy": "Never"}),
        pod("refused", {**container(), "image": "127.0.0.1:1/none:1"}),
        pod("invalid", {**container(), "image": "No/Such:1"}),
    )
    assert waits_with(engine, "never", "ErrImageNeverPull") == (
        f'Container image "{missing}" is not present with pull policy of Never'
    )
    assert "connection refused" in waits_with(engine, "refused", "ErrImagePull")
    held = waits_with(engine, "refused", "ImagePullBackOff")
    assert held.startswith('Back-off pulling image "127.0.0.1:1/none:1": ErrImagePull: ')
    assert said(engine, "refused", "BackOff") == ['Back-off pulling image "127.0.0.1:1/none:1"']
    assert sorted(said(engine, "refused", "Failed", count=3))[:2] == ["Error: ErrImagePull", "Error: ImagePullBackOff"]
    assert "must be lowercase" in waits_with(engine, "invalid", "InvalidImageName")


def test_an_image_of_this_node_is_not_pulled_though_its_policy_is_always(engine: Engine) -> None:
    create(engine, pod("local", container(imagePullPolicy="Always")))
    ready(engine, "local")
    (message,) = said(engine, "local", "Pulled")
    assert "was built or loaded on this node and is not pulled" in message


def test_a_container_waits_for_its_configuration(engine: Engine) -> None:
    source: Obj = {"envFrom": [{"configMapRef": {"name": "later"}}]}
    create(engine, pod("config", container(**source)))
    assert waits_with(engine, "config", "CreateContainerConfigError") == 'configmap "later" not found'
    create(engine, config_map("later", A="1"))
    ready(engine, "config")


def test_root_is_refused_where_the_pod_forbids_it(engine: Engine) -> None:
    create(engine, pod("nonroot", securityContext={"runAsNonRoot": True}))
    message = waits_with(engine, "nonroot", "CreateContainerConfigError")
    uid = get(engine, "nonroot")["metadata"]["uid"]
    where = f'(pod: "nonroot_default({uid})", container: app)'
    assert message == f"container has runAsNonRoot and image will run as root {where}"


def test_a_command_that_is_not_there_is_told(engine: Engine) -> None:
    create(engine, pod("nocommand", {**container(), "command": ["/no/such"]}, restartPolicy="Never"))
    wait(engine, "nocommand", "jsonpath={.status.phase}=Failed")
    end = state(engine, "nocommand")["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("StartError", 128)
    assert "/no/such: no such file" in end["message"]


def test_a_container_beyond_its_memory_is_oom_killed(engine: Engine) -> None:
    limits: Obj = {"resources": {"limits": {"memory": "16Mi"}}}
    create(engine, pod("oom", container("exec tail /dev/zero", **limits), restartPolicy="Never"))
    wait(engine, "oom", "jsonpath={.status.phase}=Failed")
    end = state(engine, "oom")["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)


def test_a_deadline_ends_the_pod(engine: Engine) -> None:
    create(engine, pod("deadline", activeDeadlineSeconds=1))
    wait(engine, "deadline", "jsonpath={.status.reason}=DeadlineExceeded")
    status = get(engine, "deadline")["status"]
    assert status["phase"] == "Failed"
    assert status["message"] == "Pod was active on the node longer than the specified deadline"


def test_termination_messages_come_from_the_file_or_the_log(engine: Engine) -> None:
    fallback = container("echo last words; exit 1", "log", terminationMessagePolicy="FallbackToLogsOnError")
    file = container("echo -n in the file > /dev/termination-log; exit 2", "file")
    create(engine, pod("message", file, fallback, restartPolicy="Never"))
    wait(engine, "message", "jsonpath={.status.phase}=Failed")
    ends = {one["name"]: one["state"]["terminated"] for one in get(engine, "message")["status"]["containerStatuses"]}
    assert {name: (end["exitCode"], end["message"]) for name, end in ends.items()} == {
        "file": (2, "in the file"),
        "log": (1, "last words\n"),
    }


# Probes and hooks


@pytest.fixture
def healthy(engine: Engine) -> Iterator[int]:
    """The port of a gRPC server on the node's own address that is healthy."""
    address = engine.kubectl("get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}")
    serving = grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")  # HealthCheckResponse
    health = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": serving})
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[health])
    port = server.add_insecure_port(f"{address}:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_every_kind_of_probe_makes_a_pod_ready(engine: Engine, healthy: int) -> None:
    serve = "mkdir -p /tmp/www; echo hi > /tmp/www/x; exec httpd -f -p 5000 -h /tmp/www"
    ports: Obj = {"ports": [{"name": "web", "containerPort": 5000}]}
    probes: dict[str, Obj] = {
        "http": {"httpGet": {"path": "/x", "port": "web"}},
        "tcp": {"tcpSocket": {"port": 5000}},
        "exec": {"exec": {"command": ["cat", "/tmp/www/x"]}},
    }
    pods = [pod(f"probe-{kind}", container(serve, readinessProbe=probe, **ports)) for kind, probe in probes.items()]
    create(engine, *pods, pod("probe-grpc", container(readinessProbe={"grpc": {"port": healthy}}), hostNetwork=True))
    ready(engine, "probe-grpc", *(f"probe-{kind}" for kind in probes))


def test_a_liveness_probe_that_fails_restarts_the_container(engine: Engine) -> None:
    probe: Obj = {"exec": {"command": ["cat", "/none"]}, "periodSeconds": 1, "failureThreshold": 2}
    create(engine, pod("liveness", container(livenessProbe=probe)))
    wait(engine, "liveness", "jsonpath={.status.containerStatuses[0].restartCount}=1")
    assert said(engine, "liveness", "Killing") == ["Container app failed liveness probe, will be restarted"]
    (message,) = said(engine, "liveness", "Unhealthy", count=2)
    assert message == "Liveness probe failed: cat: can't open '/none': No such file or directory\n"


def test_a_startup_probe_holds_the_others_back(engine: Engine) -> None:
    probes: Obj = {
        "startupProbe": {"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 100},
        "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1},
        "livenessProbe": {"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 1},
    }
    create(engine, pod("startup", container(**probes)))
    said(engine, "startup", "Unhealthy", count=2)
    status = state(engine, "startup")
    assert (status["started"], status["ready"], status["restartCount"]) == (False, False, 0)
    engine.kubectl("exec", "startup", "--", "sh", "-c", "mkdir /tmp; echo > /tmp/up")
    ready(engine, "startup")
    assert (state(engine, "startup")["started"], state(engine, "startup")["restartCount"]) == (True, 0)


def test_hooks_run_after_the_start_and_before_the_signal(engine: Engine, tmp_path: Path) -> None:
    host: Obj = {"name": "host", "hostPath": {"path": str(tmp_path)}}
    hooks: Obj = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo post >> /host/log"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo pre >> /host/log; sleep 0.3; echo done >> /host/log"]}},
    }
    script = "trap 'echo term >> /host/log; exit 0' TERM; " + WAITS[17:]
    main = container(script, lifecycle=hooks, volumeMounts=[{"name": "host", "mountPath": "/host"}])
    sleeps = container(name="sleeps", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
    create(engine, pod("hooks", main, sleeps, volumes=[host]))
    ready(engine, "hooks")
    engine.kubectl("delete", "pod", "hooks", "--timeout=30s")
    assert (tmp_path / "log").read_text().split() == ["post", "pre", "done", "term"]


def test_an_http_pre_stop_hook_is_asked(engine: Engine) -> None:
    serve = "mkdir -p /tmp/www; echo hi > /tmp/www/bye; exec httpd -f -vv -p 5000 -h /tmp/www"
    hook: Obj = {"lifecycle": {"preStop": {"httpGet": {"path": "/gone", "port": 5000}}}}
    create(engine, pod("httphook", container(serve, **hook)))
    ready(engine, "httphook")
    with streamed(engine, "logs", "-f", "httphook") as lines:
        engine.kubectl("delete", "pod", "httphook", "--timeout=30s")
        assert any("url:/gone" in line for line in lines)


def test_a_failing_post_start_hook_kills_the_container(engine: Engine) -> None:
    hook: Obj = {"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo secret; exit 4"]}}}}
    create(engine, pod("badhook", container(**hook)))
    assert said(engine, "badhook", "FailedPostStartHook") == ["PostStartHook failed"]
    assert said(engine, "badhook", "Killing") == ["FailedPostStartHook"]


# What a container is given


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
    script = """cat /map/sub/a /secret/b /down/labels /part; echo
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
    script = "id -u; id -g; id -G; echo > /x; echo a > /data/a; stat -c %g /data/a; cat /proc/self/status"
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
