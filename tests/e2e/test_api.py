"""The API as strangers, browsers and kubectl meet it, on a real engine."""

import base64
import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.conftest import IMAGE, Engine
from wherry.clock import SystemClock

pytestmark = pytest.mark.root

PODS = "/api/v1/namespaces/default/pods"
CONFIGS = "/api/v1/namespaces/default/configmaps"


class Api:
    """One connection to the engine's API: as the administrator, or (without a certificate) as nobody."""

    def __init__(self, engine: Engine, tmp: Path, *, admin: bool = True, certificate: Path | None = None) -> None:
        kubeconfig = json.loads((engine.root / "st" / "kubeconfig").read_text())
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=ca)
        if admin:
            certificate = tmp / "admin.pem"
            parts = (user["client-certificate-data"], user["client-key-data"])
            certificate.write_bytes(b"".join(map(base64.b64decode, parts)))
        if certificate is not None:
            context.load_cert_chain(certificate)
        port = int(cluster["server"].rpartition(":")[2])
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        raw = json.dumps(body) if isinstance(body, dict | list) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if raw is not None:
            named = {"Content-Type": "application/json", **named}
        self.connection.request(method, path, raw, named)
        answer = self.connection.getresponse()
        text = answer.read()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode()

    def warnings(self, method: str, path: str, body: Any = None) -> list[str]:
        """The Warning headers of the answer."""
        self.connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        return answer.headers.get_all("Warning") or []

    def code(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        return self.ask(method, path, body, **headers)[0]


@pytest.fixture
def admin(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    api = Api(engine, tmp_path)
    yield api
    api.connection.close()


@pytest.fixture
def nobody(engine: Engine, tmp_path: Path) -> Iterator[Api]:
    api = Api(engine, tmp_path, admin=False)
    yield api
    api.connection.close()


def fails(engine: Engine, *words: str, stdin: str | None = None) -> str:
    """What kubectl says on its failure."""
    env = {**os.environ, "KUBECONFIG": str(engine.root / "st" / "kubeconfig")}
    done = subprocess.run(
        ["kubectl", *words], capture_output=True, text=True, timeout=60, env=env, input=stdin, check=False
    )
    assert done.returncode != 0, f"kubectl {words} went well: {done.stdout}"
    return done.stderr


# -- strangers


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:6443"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(admin: Api, headers: dict[str, str]) -> None:
    assert admin.code("GET", PODS, **headers) == 403
    assert admin.code("GET", "/livez", **headers) == 403
    assert admin.code("GET", PODS, Origin="https://127.0.0.1:1234") == 200


def test_nobody_sees_health_and_version_only(nobody: Api) -> None:
    open_to_all = ("/livez", "/readyz", "/healthz", "/version")
    assert {path: nobody.code("GET", path) for path in open_to_all} == dict.fromkeys(open_to_all, 200)
    closed = ("/api", "/apis", "/openapi/v2", "/livez/ping", PODS, "/metrics", "/")
    assert {path: nobody.code("GET", path) for path in closed} == dict.fromkeys(closed, 403)
    status, said = nobody.ask("GET", PODS)
    expected = 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace'
    assert (status, said["reason"]) == (403, "Forbidden")
    assert said["message"].startswith(expected)


def test_a_certificate_of_a_foreign_authority_is_refused(engine: Engine, tmp_path: Path) -> None:
    foreign = self_signed(tmp_path / "foreign.pem", "kubernetes-admin", "system:masters")
    api = Api(engine, tmp_path, admin=False, certificate=foreign)
    with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
        api.code("GET", "/version")
    api.connection.close()


def self_signed(path: Path, name: str, organization: str) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    words = [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
    made = x509.CertificateBuilder(
        x509.Name(words), x509.Name(words), key.public_key(), 1, now, now.replace(year=now.year + 1)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_forged_and_orphaned_tokens_are_refused(engine: Engine, nobody: Api) -> None:
    engine.kubectl("create", "serviceaccount", "robot")
    token = engine.kubectl("create", "token", "robot").strip()
    assert nobody.code("GET", "/api", Authorization=f"Bearer {token}") == 200
    assert nobody.code("GET", PODS, Authorization=f"Bearer {token}") == 403
    head, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**said, "sub": "system:admin"}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    forged = (f"{head}.{other}.{signature}", f"{none}.{claims}.", f"{none}.{claims}.{signature}", "x", "a.b.c")
    assert [nobody.code("GET", "/api", Authorization=f"Bearer {each}") for each in forged] == [401] * len(forged)
    fresh = engine.kubectl("create", "token", "robot").strip()
    engine.kubectl("delete", "serviceaccount", "robot")
    assert nobody.code("GET", "/api", Authorization=f"Bearer {fresh}") == 401
    assert nobody.code("GET", "/api", Authorization="Basic YWRtaW46YWRtaW4=") == 401


# -- bounds


def test_bodies_and_headers_are_bounded(engine: Engine, admin: Api, tmp_path: Path) -> None:
    large = {"metadata": {"name": "large"}, "data": {"a": "x" * (3 << 20)}}
    status, said = admin.ask("POST", CONFIGS, large)
    assert (status, said["reason"]) == (413, "RequestEntityTooLarge")
    admin.connection.close()
    chunks = (b"x" * 65536 for _ in range(64))
    assert admin.code("POST", CONFIGS, chunks) == 413
    admin.connection.close()
    assert admin.code("GET", PODS, X_Large="x" * 70_000) in (400, 431)
    admin.connection.close()
    assert admin.code("GET", PODS) == 200


def test_a_deeply_nested_body_is_refused(admin: Api) -> None:
    assert admin.code("POST", CONFIGS, "[" * 100_000) == 400
    nested = '{"metadata":{"name":"nested"},"data":' * 2000 + "1" + "}" * 2000
    assert admin.code("POST", CONFIGS, nested) == 400
    aliases = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"
    assert admin.code("POST", CONFIGS, aliases, Content_Type="application/yaml") == 400
    assert admin.code("GET", "/livez") == 200


# -- rights


def test_a_user_grants_no_more_than_he_has(engine: Engine) -> None:
    engine.kubectl("create", "role", "granter", "--verb=create,get", "--resource=roles.rbac.authorization.k8s.io,pods")
    engine.kubectl("create", "rolebinding", "granter", "--role=granter", "--user=bob")
    allowed = engine.kubectl("create", "role", "less", "--verb=get", "--resource=pods", "--as=bob")
    assert allowed == "role.rbac.authorization.k8s.io/less created\n"
    refused = fails(engine, "create", "role", "more", "--verb=get", "--resource=secrets", "--as=bob")
    assert 'user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not curr' in refused
    assert '"bob" cannot list resource "secrets"' in fails(engine, "get", "secrets", "--as=bob")


# -- what kubectl relies on


def test_fields_that_nobody_knows_or_says_twice_are_refused(engine: Engine, admin: Api) -> None:
    unknown = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\nspec: {}\n"
    said = fails(engine, "apply", "-f", "-", stdin=unknown)
    assert (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "spec"'
        in said
    )
    twice = '{"metadata":{"name":"odd"},"data":{"a":"1","a":"2"}}'
    status, answer = admin.ask("POST", f"{CONFIGS}?fieldValidation=Strict", twice)
    assert (status, answer["message"].rpartition(": ")[2]) == (400, 'duplicate field "data.a"')
    assert admin.code("GET", f"{CONFIGS}/odd") == 404


def test_an_apply_says_whose_field_it_would_take(engine: Engine) -> None:
    engine.kubectl("create", "configmap", "shared", "--from-literal=a=1", "--field-manager=first")
    wanted = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: '2'}\n"
    said = fails(engine, "apply", "--server-side", "-f", "-", stdin=wanted)
    assert 'Apply failed with 1 conflict: conflict with "first" using v1: .data.a' in said
    engine.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=wanted)
    assert engine.kubectl("get", "configmap", "shared", "-o", "jsonpath={.data.a}") == "2"


def test_kubectl_debug_joins_a_running_pod(engine: Engine) -> None:
    engine.kubectl("run", "patient", f"--image={IMAGE}", "--command", "--", "sleep", "600")
    engine.kubectl("wait", "--for=condition=Ready", "pod/patient", "--timeout=30s")
    engine.kubectl("debug", "patient", f"--image={IMAGE}", "--container=doctor", "--", "sleep", "600")
    running = "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.running}"
    engine.kubectl("wait", running, "pod/patient", "--timeout=30s")
    assert engine.kubectl("exec", "patient", "-c", "doctor", "--", "echo", "hello") == "hello\n"
    engine.kubectl("delete", "pod", "patient", "--grace-period=0", "--force")


def test_every_answer_about_endpoints_says_that_they_are_deprecated(engine: Engine, admin: Api) -> None:
    path = "/api/v1/namespaces/default/endpoints"
    said = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    body = {"metadata": {"name": "old"}}
    assert admin.warnings("POST", path, body) == [said]
    for suffix in ("", "/old", "/none", "?watch=1&timeoutSeconds=1"):
        assert admin.warnings("GET", path + suffix) == [said], suffix
    assert admin.warnings("DELETE", f"{path}/old") == [said]
    assert admin.warnings("GET", PODS) == []


def test_a_likely_mistake_is_a_warning_also_where_the_write_is_refused(admin: Api) -> None:
    ports = [{"containerPort": 80}, {"containerPort": 80}]
    pod = {"metadata": {"name": "twins"}, "spec": {"containers": [{"name": "a", "image": "b", "ports": ports}]}}
    twins = '299 - "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"'
    assert admin.warnings("POST", f"{PODS}?dryRun=All", pod) == [twins]
    odd = {**pod, "metadata": {"name": "A_B"}, "odd": 1}
    assert admin.warnings("POST", f"{PODS}?fieldValidation=Warn", odd) == ['299 - "unknown field \\"odd\\""']


def test_a_node_tells_of_its_images_and_keeps_something_for_itself(engine: Engine) -> None:
    engine.kubectl("wait", "node", "--all", "--for=jsonpath={.status.images[1].sizeBytes}", "--timeout=20s")
    (node,) = json.loads(engine.kubectl("get", "nodes", "-o", "json"))["items"]
    assert IMAGE in [name for image in node["status"]["images"] for name in image["names"]]
    memory = {part: int(node["status"][part]["memory"].removesuffix("Ki")) for part in ("capacity", "allocatable")}
    assert memory["capacity"] - memory["allocatable"] == 100 << 10
