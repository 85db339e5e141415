"""What a proxied request means, and which headers cross: values in, values out."""

from collections.abc import Sequence

import pytest
from multidict import CIMultiDict

from wherry.apiserver.http.proxy.backends import Asked, Backend, asked_of, pod_backend, service_backend
from wherry.apiserver.http.proxy.headers import Caller, behind, to_client, to_pod
from wherry.objects import Obj
from wherry.objects.errors import ApiError, BadRequest, ServiceUnavailable

CALLER = Caller("10.0.0.9", "localhost:6443", "/api/v1/namespaces/a/pods/web/proxy/x")
SERVICE: Obj = {
    "metadata": {"name": "web"},
    "spec": {"ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 9100}]},
}


def pod(address: str = "10.1.0.5", *ports: int) -> Obj:
    declared = [{"containerPort": port} for port in ports]
    containers = [{"name": "side"}, {"name": "main", "ports": declared}]
    return {"metadata": {"name": "web"}, "spec": {"containers": containers}, "status": {"podIP": address}}


def endpoint(address: str, *, ready: bool = True, kind: str = "Pod") -> Obj:
    return {"addresses": [address], "conditions": {"ready": ready}, "targetRef": {"kind": kind}}


SLICE: Obj = {
    "ports": [{"name": "http", "port": 8080}],
    "endpoints": [endpoint("10.1.0.5"), endpoint("10.1.0.6", ready=False), endpoint("127.0.0.1")],
}


def first(found: Sequence[Backend]) -> Backend:
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("web", Asked("http", "web", "")),
        ("web:80", Asked("http", "web", "80")),
        ("https:web:", Asked("https", "web", "")),
        ("http:web:metrics", Asked("http", "web", "metrics")),
    ],
)
def test_a_name_may_carry_scheme_and_port(text: str, asked: Asked) -> None:
    assert asked_of(text, "pod") == asked


@pytest.mark.parametrize("text", ["", ":80", "ftp:web:21", "a:b:c:d"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=f'invalid pod request "{text}"'):
        asked_of(text, "pod")


@pytest.mark.parametrize(
    ("found", "name", "backend"),
    [
        (pod("10.1.0.5", 5000, 5001), "web", Backend("http", "10.1.0.5", 5000)),
        (pod("10.1.0.5", 5000), "web:81", Backend("http", "10.1.0.5", 81)),
        (pod("10.1.0.5"), "web", Backend("http", "10.1.0.5", 80)),
        (pod("fd00::5"), "https:web:", Backend("https", "fd00::5", 443)),
    ],
)
def test_a_pods_backend(found: Obj, name: str, backend: Backend) -> None:
    assert pod_backend(found, asked_of(name, "pod")) == backend


@pytest.mark.parametrize("address", ["", "127.0.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0", "::1", "example.com"])
def test_a_pods_status_does_not_open_other_addresses(address: str) -> None:
    with pytest.raises(BadRequest, match="address not allowed"):
        pod_backend(pod(address), asked_of("web:80", "pod"))


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣"])
def test_a_pods_port_is_a_number(port: str) -> None:
    with pytest.raises(BadRequest, match="the port must be a number from 1 to 65535"):
        pod_backend(pod(), asked_of(f"web:{port}", "pod"))


@pytest.mark.parametrize("name", ["web:80", "web:http"])
def test_a_services_backend_is_a_ready_pod(name: str) -> None:
    assert service_backend(SERVICE, [SLICE], asked_of(name, "service"), first) == Backend("http", "10.1.0.5", 8080)


@pytest.mark.parametrize(
    ("slices", "name", "message"),
    [
        ([SLICE], "web:81", 'no service port 81 found for service "web"'),
        ([SLICE], "web:metrics", 'no endpoints available for service "web"'),
        ([SLICE], "web", 'no endpoints available for service "web"'),
        ([], "web:80", 'no endpoints available for service "web"'),
        ([{**SLICE, "endpoints": [endpoint("10.1.0.5", kind="Node")]}], "web:80", "no endpoints available"),
    ],
)
def test_a_service_without_a_backend(slices: list[Obj], name: str, message: str) -> None:
    with pytest.raises(ServiceUnavailable) as refused:
        service_backend(SERVICE, slices, asked_of(name, "service"), first)
    failed: ApiError = refused.value
    assert message in failed.message


def test_no_credential_and_nothing_of_the_hop_reaches_the_pod() -> None:
    sent = CIMultiDict(
        [
            ("Authorization", "Bearer secret"),
            ("Impersonate-User", "root"),
            ("X-Remote-Group", "system:masters"),
            ("Connection", "keep-alive, X-Private"),
            ("X-Private", "hop"),
            ("Transfer-Encoding", "chunked"),
            ("Cookie", "a=b"),
            ("Accept", "text/html"),
            ("X-Forwarded-For", "192.0.2.1"),
        ]
    )
    assert dict(to_pod(sent, CALLER)) == {
        "Cookie": "a=b",
        "Accept": "text/html",
        "X-Forwarded-For": "192.0.2.1, 10.0.0.9",
        "X-Forwarded-Host": "localhost:6443",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Uri": "/api/v1/namespaces/a/pods/web/proxy/x",
    }


def test_an_upgrade_keeps_what_it_needs_but_no_token() -> None:
    sent = CIMultiDict({"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "k"})
    sent["Sec-WebSocket-Protocol"] = "base64url.bearer.authorization.k8s.io.c2VjcmV0, chat"
    passed = to_pod(sent, CALLER, upgrading=True)
    wanted = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "k",
        "Sec-WebSocket-Protocol": "chat",
    }
    assert {name: passed[name] for name in wanted} == wanted
    sent["Sec-WebSocket-Protocol"] = "base64url.bearer.authorization.k8s.io.c2VjcmV0"
    assert "Sec-WebSocket-Protocol" not in to_pod(sent, CALLER, upgrading=True)


@pytest.mark.parametrize(
    ("location", "led"),
    [
        ("/login", "/p/login"),
        ("/login?next=/#top", "/p/login?next=/#top"),
        ("http://10.1.0.5:80/login", "/p/login"),
        ("/p/already", "/p/already"),
        ("login", "login"),
        ("https://elsewhere.test/login", "https://elsewhere.test/login"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_redirects_of_the_pod_stay_behind_the_proxy(location: str, led: str) -> None:
    assert behind(location, "/p", ["10.1.0.5:80"]) == led
    answered = CIMultiDict({"Location": location, "Connection": "close", "X-App": "1"})
    assert dict(to_client(answered, "/p", ["10.1.0.5:80"])) == {"Location": led, "X-App": "1"}
