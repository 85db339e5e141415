"""The article's three manifests, as they are, by unmodified kubectl 1.33 and 1.27: the whole life of an application."""

import asyncio
import json
import re
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.e2e.kubectl import NEW, OLD, Kubectl, find, load

pytestmark = pytest.mark.root

ARTICLE = Path(__file__).parents[2] / "examples" / "article"
FILES = ("-f", "configmap.yaml", "-f", "deployment.yaml", "-f", "service.yaml")
MANIFESTS = tuple(word if word == "-f" else str(ARTICLE / word) for word in FILES)
DEPLOYMENT = "deployment/webapp-deployment"
ROLLED_OUT = 'deployment "webapp-deployment" successfully rolled out\n'


@pytest.fixture(scope="module")
def images(engine: Engine) -> Engine:
    """The image that the manifests name, and its next version; a pull would fail, as there is no such registry."""
    asyncio.run(load(engine, "docker.io/myregistry/webapp:latest", "docker.io/myregistry/webapp:v2"))
    return engine


@pytest.fixture(scope="module", params=[NEW, OLD])
def kubectl(images: Engine, request: pytest.FixtureRequest) -> Kubectl:
    """With the article applied in a namespace of its own."""
    binary = find(request.param)
    if not binary:
        pytest.skip(f"kubectl.{request.param} is not on this machine")
    name = f"article-{request.param.replace('.', '-')}"
    kubectl = Kubectl(binary, images, name)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    kubectl("apply", "-f", "-", stdin=json.dumps(space).encode())
    done = kubectl("apply", *MANIFESTS)
    assert done == (
        "configmap/webapp-config created\ndeployment.apps/webapp-deployment created\nservice/webapp-service created\n"
    )
    assert kubectl("rollout", "status", DEPLOYMENT, "--timeout=40s").endswith(ROLLED_OUT)
    return kubectl


def field(kubectl: Kubectl, what: str, path: str) -> str:
    return kubectl("get", what, "-o", f"jsonpath={{{path}}}")


def names(kubectl: Kubectl) -> list[str]:
    """The pods that run and are not on their way out."""
    pods = json.loads(kubectl("get", "pods", "-l", "app=webapp", "-o", "json"))["items"]
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def rows(text: str) -> list[list[str]]:
    """A table's cells, without the headings; columns are two spaces apart at least."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[1:]]


def test_applied_again_nothing_changes(kubectl: Kubectl) -> None:
    assert kubectl("apply", *MANIFESTS) == (
        "configmap/webapp-config unchanged\ndeployment.apps/webapp-deployment unchanged\n"
        "service/webapp-service unchanged\n"
    )
    assert kubectl.run("diff", *MANIFESTS).code == 0


def test_get_wide_shows_what_a_cluster_shows(kubectl: Kubectl) -> None:
    node = field(kubectl, "nodes", ".items[0].metadata.name")
    pods = rows(kubectl("get", "pods", "-o", "wide"))
    assert len(pods) == 3
    for _, ready, status, restarts, _, address, on, *rest in pods:
        assert (ready, status, restarts, on, rest) == ("1/1", "Running", "0", node, ["<none>", "<none>"])
        assert address.startswith("10.187.")
    [deployment] = rows(kubectl("get", "deployment", "-o", "wide"))
    assert deployment[:4] == ["webapp-deployment", "3/3", "3", "3"]
    assert deployment[5:] == ["webapp", "myregistry/webapp:latest", "app=webapp"]
    [service] = rows(kubectl("get", "service", "-o", "wide"))
    assert (service[0], service[1], service[6]) == ("webapp-service", "LoadBalancer", "app=webapp")
    assert re.fullmatch(r"80:\d+/TCP", service[4])


def test_the_service_answers(kubectl: Kubectl) -> None:
    address = field(kubectl, "service/webapp-service", ".spec.clusterIP")
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
        assert answer.read() == b"Hello, World!"


@pytest.mark.parametrize(
    ("what", "patterns"),
    [
        (
            DEPLOYMENT,
            [
                r"Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable",
                r"StrategyType: +RollingUpdate",
                r"ScalingReplicaSet .* from 0 to 3",
            ],
        ),
        (
            "pod",
            [
                r"Status: +Running",
                r"Image: +myregistry/webapp:latest",
                r"QoS Class: +BestEffort",
                r"Normal +Scheduled",
                r"Normal +Created",
                r"Normal +Started +\S+ +\S+ +Started container webapp",
            ],
        ),
        (
            "service/webapp-service",
            [
                r"Type: +LoadBalancer",
                r"Port: +<unset> +80/TCP",
                r"TargetPort: +5000/TCP",
                r"Endpoints: +10\.187\.\d+\.\d+:5000,",
            ],
        ),
        (
            "node",
            [
                r"Ready +True",
                r"Container Runtime Version: +containerd://",
                r"Kubelet Version: +v1\.34",
                r"Non-terminated Pods: ",
            ],
        ),
        ("configmap/webapp-config", [r"APP_ENV:\n----\nproduction\n"]),
    ],
)
def test_describe_says_what_a_cluster_says(kubectl: Kubectl, what: str, patterns: list[str]) -> None:
    text = kubectl("describe", what)
    for pattern in patterns:
        assert re.search(pattern, text), f"{pattern!r} is not in\n{text}"


def test_logs_exec_and_the_rest_of_a_look_around(kubectl: Kubectl) -> None:
    assert kubectl("logs", DEPLOYMENT) == " * Running on http://0.0.0.0:5000/\n"
    assert kubectl("exec", DEPLOYMENT, "--", "cat", "/www/index.html") == "Hello, World!"
    assert "strategy" in kubectl("explain", "deployment.spec.strategy")
    resources = kubectl("api-resources", "--no-headers")
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", resources, re.MULTILINE)
    assert "ScalingReplicaSet" in kubectl("get", "events")
    top = kubectl.run("top", "pods")
    assert (top.code, top.err) == (1, "error: Metrics API not available\n")


def test_rights_and_imperative_commands(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "deployments") == "yes\n"
    assert "*.*" in kubectl("auth", "can-i", "--list")
    made = kubectl("create", "configmap", "made", "--from-literal=a=b", "--dry-run=server", "-o", "jsonpath={.data.a}")
    assert made == "b"
    assert kubectl("create", "secret", "generic", "made", "--from-literal=a=b") == "secret/made created\n"
    assert field(kubectl, "secret/made", ".data.a") == "Yg=="
    assert (
        kubectl("expose", DEPLOYMENT, "--name=second", "--port=81", "--target-port=5000") == "service/second exposed\n"
    )
    image = ("--image=myregistry/webapp:v2", "--image-pull-policy=IfNotPresent", "--restart=Never")
    ran = kubectl(
        "run", "one", *image, "--rm", "-i", "--command", "--", "sh", "-c", "read line; echo read $line", stdin=b"this\n"
    )
    assert "read this\n" in ran


def test_labels_annotations_and_patches(kubectl: Kubectl) -> None:
    assert kubectl("label", DEPLOYMENT, "tier=web") == "deployment.apps/webapp-deployment labeled\n"
    assert kubectl.run("label", DEPLOYMENT, "tier=other").code == 1  # not without --overwrite
    kubectl("annotate", DEPLOYMENT, "note=first")
    assert field(kubectl, DEPLOYMENT, ".metadata.annotations.note") == "first"
    limit = ".spec.revisionHistoryLimit"
    for number, (kind, patch) in enumerate(
        [
            ("strategic", '{"spec":{"revisionHistoryLimit":1}}'),
            ("merge", '{"spec":{"revisionHistoryLimit":2}}'),
            ("json", '[{"op":"replace","path":"/spec/revisionHistoryLimit","value":3}]'),
        ],
        start=1,
    ):
        assert (
            kubectl("patch", DEPLOYMENT, f"--type={kind}", "-p", patch) == "deployment.apps/webapp-deployment patched\n"
        )
        assert field(kubectl, DEPLOYMENT, limit) == str(number)
    kubectl("patch", DEPLOYMENT, "--type=merge", "-p", '{"spec":{"revisionHistoryLimit":10}}')


def test_edit_diff_and_replace(kubectl: Kubectl) -> None:
    config = str(ARTICLE / "configmap.yaml")
    edited = kubectl("edit", "configmap", "webapp-config", EDITOR="sed -i s/production/staging/")
    assert edited == "configmap/webapp-config edited\n"
    assert field(kubectl, "configmap/webapp-config", ".data.APP_ENV") == "staging"
    diff = kubectl.run("diff", "-f", config)
    assert diff.code == 1
    assert "-  APP_ENV: staging\n+  APP_ENV: production\n" in diff.out
    assert kubectl("replace", "-f", config) == "configmap/webapp-config replaced\n"
    assert field(kubectl, "configmap/webapp-config", ".data.APP_ENV") == "production"


def test_server_side_apply_tells_conflicts(kubectl: Kubectl) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": {"APP_ENV": "first"}}

    def text(value: str) -> bytes:
        return json.dumps({**config, "data": {"APP_ENV": value}}).encode()

    words = ("apply", "--server-side", "-f", "-")
    assert kubectl(*words, stdin=text("one")) == "configmap/owned serverside-applied\n"
    other = kubectl.run(*words, "--field-manager=other", stdin=text("two"))
    assert other.code == 1
    assert 'conflict with "kubectl": .data.APP_ENV' in other.err
    assert kubectl(*words, "--field-manager=other", "--force-conflicts", stdin=text("two")).endswith("applied\n")
    assert field(kubectl, "configmap/owned", ".data.APP_ENV") == "two"


def test_apply_prunes_what_is_no_longer_there(kubectl: Kubectl) -> None:
    def configs(*wanted: str) -> bytes:
        items = [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"part": "pruned"}}}
            for name in wanted
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()

    words = ("apply", "--prune", "--prune-allowlist=core/v1/ConfigMap", "-l", "part=pruned", "-f", "-")
    kubectl(*words, stdin=configs("kept", "dropped"))
    assert "configmap/dropped pruned\n" in kubectl(*words, stdin=configs("kept"))
    assert kubectl("get", "configmap", "-l", "part=pruned", "-o", "name") == "configmap/kept\n"


def test_rollouts_go_forward_and_back(kubectl: Kubectl) -> None:
    def settled() -> str:
        assert kubectl("rollout", "status", DEPLOYMENT, "--timeout=40s").endswith(ROLLED_OUT)
        return field(kubectl, DEPLOYMENT, ".spec.template.spec.containers[0].image")

    image = kubectl("set", "image", DEPLOYMENT, "webapp=myregistry/webapp:v2")
    assert image == "deployment.apps/webapp-deployment image updated\n"
    assert settled() == "myregistry/webapp:v2"
    history = kubectl("rollout", "history", DEPLOYMENT)
    assert history.splitlines()[:2] == ["deployment.apps/webapp-deployment ", "REVISION  CHANGE-CAUSE"]
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    assert "myregistry/webapp:v2" in kubectl("rollout", "history", DEPLOYMENT, "--revision=2")
    assert kubectl("rollout", "undo", DEPLOYMENT) == "deployment.apps/webapp-deployment rolled back\n"
    assert settled() == "myregistry/webapp:latest"
    before = set(names(kubectl))
    assert kubectl("rollout", "restart", DEPLOYMENT) == "deployment.apps/webapp-deployment restarted\n"
    settled()
    assert before.isdisjoint(names(kubectl))


def test_scale_and_wait(kubectl: Kubectl) -> None:
    for replicas in (1, 3):
        assert kubectl("scale", DEPLOYMENT, f"--replicas={replicas}") == "deployment.apps/webapp-deployment scaled\n"
        wait = ("wait", f"--for=jsonpath={{.status.availableReplicas}}={replicas}", DEPLOYMENT, "--timeout=30s")
        assert kubectl(*wait) == "deployment.apps/webapp-deployment condition met\n"
        assert len(names(kubectl)) == replicas


def test_mistakes_are_told_as_a_cluster_tells_them(kubectl: Kubectl) -> None:
    absent = kubectl.run("delete", "pod", "nosuch")
    assert (absent.code, absent.err) == (1, 'Error from server (NotFound): pods "nosuch" not found\n')
    unknown = kubectl.run("get", "nosuch")
    assert (unknown.code, unknown.err) == (1, 'error: the server doesn\'t have a resource type "nosuch"\n')
    bad = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Bad_Name"}}
    refused = kubectl.run("apply", "-f", "-", stdin=json.dumps(bad).encode())
    assert refused.code == 1
    assert 'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name"' in refused.err


def test_deleted_it_is_gone(kubectl: Kubectl) -> None:
    assert kubectl("delete", *MANIFESTS, "--timeout=40s").count("deleted") == 3
    kubectl("wait", "--for=delete", "pod", "-l", "app=webapp", "--timeout=40s")
    assert names(kubectl) == []
    kubectl("delete", "namespace", kubectl.namespace, "--timeout=40s")
