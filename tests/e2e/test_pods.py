"""What the node promises of pods, on real containers: order, reasons, probes, hooks, restarts, in upstream's words."""

import re
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from tests.e2e.conftest import IMAGE, Engine
from tests.e2e.pods import (
    WAITS,
    Obj,
    config_map,
    container,
    create,
    get,
    order,
    pod,
    ready,
    said,
    state,
    streamed,
    wait,
    waits_with,
)

pytestmark = pytest.mark.root


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
    assert re.search("/no/such.*no such file", end["message"], re.IGNORECASE), "in the OCI runtime's words"


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


def test_with_a_shared_process_namespace_a_program_without_a_handler_ends_by_sigterm(engine: Engine) -> None:
    """And what it has started ends with it."""
    script = "sleep 1000 & exec sleep 1000"
    create(engine, pod("shared", container(script), shareProcessNamespace=True, terminationGracePeriodSeconds=600))
    ready(engine, "shared")
    engine.kubectl("delete", "pod", "shared", "--timeout=30s")


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
