"""Streams into real containers by kubectl of both kinds: WebSocket (1.33) and SPDY (1.27)."""

import asyncio
import base64
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pty
import re
import socket
import ssl
import struct
import subprocess
import termios
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.conftest import Engine
from tests.e2e.kubectl import NEW, OLD, Kubectl, find, load

pytestmark = pytest.mark.root

IMAGE = "docker.io/library/streams:e2e"
CAT = "while read line; do echo got $line; done; echo end of input; exec sleep 1000"


def pod(name: str, *command: str, stdin: bool = False) -> dict[str, object]:
    container: dict[str, object] = {"name": "main", "image": IMAGE, "stdin": stdin, "ports": [{"containerPort": 5000}]}
    if command:
        container["command"] = list(command)
    meta = {"name": name, "labels": {"run": name}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"run": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 5000}]},
}


@pytest.fixture(scope="module")
def pods(engine: Engine) -> Engine:
    """`web` serves on port 5000; `cat-*` say what they read."""
    asyncio.run(load(engine, IMAGE))
    items = [pod("web"), pod("cat-new", "sh", "-c", CAT, stdin=True), pod("cat-old", "sh", "-c", CAT, stdin=True)]
    objects = {"apiVersion": "v1", "kind": "List", "items": [*items, SERVICE]}
    engine.kubectl("apply", "-f", "-", stdin=json.dumps(objects))
    engine.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    return engine


@pytest.fixture(params=[NEW, OLD])
def kubectl(pods: Engine, request: pytest.FixtureRequest) -> Kubectl:
    binary = find(request.param)
    if not binary:
        pytest.skip(f"kubectl.{request.param} is not on this machine")
    return Kubectl(binary, pods)


def test_exec_separates_the_outputs_and_tells_the_exit_code(kubectl: Kubectl) -> None:
    done = kubectl.run("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.code, done.out) == (3, "out\n")
    assert done.err == "err\ncommand terminated with exit code 3\n"
    missing = kubectl.run("exec", "web", "--", "nosuch")
    assert missing.code == 1
    assert "executable file" in missing.err
    assert "nosuch" in missing.err
    assert "not found in $PATH" in missing.err


def test_exec_passes_a_long_stdin_and_its_end(kubectl: Kubectl) -> None:
    blob = os.urandom(2_000_000)
    env = kubectl.environment
    done = subprocess.run(
        kubectl.argv("exec", "-i", "web", "--", "cat"), input=blob, capture_output=True, env=env, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == blob


class Terminal:
    """A kubectl at a terminal of its own."""

    def __init__(self, argv: list[str], env: dict[str, str], rows: int, columns: int) -> None:
        self._side, child = pty.openpty()
        self._child = child
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            argv,
            stdin=child,
            stdout=child,
            stderr=child,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(child, termios.TIOCSCTTY, 0),
        )
        self._seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._side, text.encode())

    def until(self, pattern: str) -> str:
        """Read until `pattern` has come."""
        while not re.search(pattern.encode(), self._seen):
            with contextlib.suppress(OSError):  # the other side has closed the terminal
                if data := os.read(self._side, 65536):
                    self._seen += data
                    continue
            raise AssertionError(f"{pattern!r} did not come: {self._seen!r}")
        text, self._seen = self._seen.decode(), b""
        return text

    def close(self) -> int:
        code = self.process.wait(20)
        os.close(self._side)
        os.close(self._child)
        return code


def test_exec_at_a_terminal_knows_its_size_and_its_changes(kubectl: Kubectl) -> None:
    terminal = Terminal(kubectl.argv("exec", "-it", "web", "--", "sh"), kubectl.environment, 33, 77)
    terminal.until("# ")
    terminal.type("until [ \"$(stty size)\" = '33 77' ]; do :; done; echo FIRST$?\n")
    terminal.until(r"FIRST0")
    terminal.resize(44, 99)
    terminal.type("until [ \"$(stty size)\" = '44 99' ]; do :; done; echo SECOND$?\n")
    terminal.until(r"SECOND0")
    terminal.type("exit 5\n")
    terminal.until("command terminated with exit code 5")
    assert terminal.close() == 5


def test_attach_reaches_the_main_process(kubectl: Kubectl) -> None:
    name = "cat-new" if NEW in kubectl.binary else "cat-old"
    with kubectl.running("attach", "-i", name) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got one\n"
        process.stdin.write(b"two\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got two\n"
    assert "got one\ngot two\n" in kubectl("logs", name)


@contextlib.contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    with kubectl.running("port-forward", target, f":{port}") as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, line
        yield process, f"http://127.0.0.1:{found[1]}/"


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def test_port_forward_carries_many_connections(kubectl: Kubectl) -> None:
    with forwarded(kubectl, "service/web", 80) as (_, url), concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(get, [url] * 32)) == [b"Hello, World!"] * 32


def test_port_forward_tells_that_nobody_listens(kubectl: Kubectl) -> None:
    with forwarded(kubectl, "pod/web", 5999) as (process, url):
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            get(url)
        assert process.stderr is not None
        assert b"connection refused" in process.stderr.readline()


def test_cp_takes_files_in_and_out(kubectl: Kubectl, tmp_path: Path) -> None:
    blob = os.urandom(300_000)
    (tmp_path / "there").write_bytes(blob)
    kubectl("cp", str(tmp_path / "there"), "web:/tmp-copied")
    kubectl("cp", "web:/tmp-copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == blob


def test_logs_are_followed_as_they_are_written(kubectl: Kubectl) -> None:
    with kubectl.running("logs", "-f", "web") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b" * Running on http://0.0.0.0:5000/\n"
        kubectl("exec", "web", "--", "sh", "-c", "echo from exec > /proc/1/fd/1")
        assert process.stdout.readline() == b"from exec\n"


def test_the_proxy_reaches_pods_and_services(pods: Engine) -> None:
    base = "/api/v1/namespaces/default"
    for path in (
        "pods/web/proxy/",
        "pods/web:5000/proxy/index.html",
        "services/web:http/proxy/",
        "services/web:80/proxy/",
    ):
        assert pods.kubectl("get", "--raw", f"{base}/{path}") == "Hello, World!"


@contextlib.contextmanager
def websocket(engine: Engine, path: str, protocol: str) -> Iterator[IO[bytes]]:
    """An administrator's connection after the request to upgrade it, ready to read the answer from."""
    config = json.loads((engine.root / "st" / "kubeconfig").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {"certificate": user["client-certificate-data"], "key": user["client-key-data"]}
    for name, text in files.items():
        (engine.root / name).write_bytes(base64.b64decode(text))
        (engine.root / name).chmod(0o600)
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    context.load_cert_chain(engine.root / "certificate", engine.root / "key")
    host, _, port = cluster["server"].removeprefix("https://").partition(":")
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    lines += [f"Sec-WebSocket-Protocol: {protocol}", "", ""]
    with (
        socket.create_connection((host, int(port)), 20) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        tls.sendall("\r\n".join(lines).encode())
        with tls.makefile("rb") as answer:
            yield answer


def head(answer: IO[bytes]) -> list[bytes]:
    lines = []
    while line := answer.readline().strip():
        lines.append(line)
    return lines


def messages(answer: IO[bytes]) -> Iterator[bytes]:
    """Until the server's Close; servers mask nothing."""
    while True:
        first, length = answer.read(2)
        if length > 125:
            length = int.from_bytes(answer.read(2 if length == 126 else 8), "big")
        payload = answer.read(length)
        if first & 0x0F == 8:
            return
        if first & 0x0F in (1, 2):
            yield payload


def plain(data: bytes) -> bytes:
    return data


def coded(data: bytes) -> bytes:
    """Its channels are digits."""
    return bytes([int(data[:1])]) + base64.b64decode(data[1:])


EXEC = "/api/v1/namespaces/default/pods/web/exec?stdout=1&stderr=1&command=sh&command=-c&command="


@pytest.mark.parametrize(
    ("protocol", "read"),
    [("v5.channel.k8s.io", plain), ("v4.channel.k8s.io", plain), ("base64.channel.k8s.io", coded)],
)
def test_other_clients_websockets_are_understood(pods: Engine, protocol: str, read: Callable[[bytes], bytes]) -> None:
    with websocket(pods, f"{EXEC}echo+out;echo+err+>%262;exit+7", protocol) as answer:
        assert f"Sec-WebSocket-Protocol: {protocol}".encode() in head(answer)
        got = [read(message) for message in messages(answer)]
    by_channel = {channel: b"".join(each[1:] for each in got if each[:1] == bytes([channel])) for channel in (1, 2, 3)}
    assert (by_channel[1], by_channel[2]) == (b"out\n", b"err\n")
    assert b"exit code 7" in by_channel[3]


def test_an_unknown_websocket_protocol_is_refused(pods: Engine) -> None:
    with websocket(pods, f"{EXEC}true", "v9.channel.k8s.io") as answer:
        assert answer.readline() == b"HTTP/1.1 403 Forbidden\r\n"


def account(engine: Engine, name: str, verb: str) -> str:
    """A service account that may do one thing to pods/exec, and its token."""
    meta, group = {"name": name, "namespace": "default"}, "rbac.authorization.k8s.io"
    reach = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    rules = [reach, {"apiGroups": [""], "resources": ["pods/exec"], "verbs": [verb]}]
    binding = {
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", **meta}],
    }
    items: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta, **binding},
    ]
    engine.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return engine.kubectl("create", "token", name).strip()


@pytest.mark.parametrize(("version", "verb", "other"), [(NEW, "get", "list"), (OLD, "create", "get")])
def test_a_websocket_needs_get_and_spdy_needs_create(pods: Engine, version: str, verb: str, other: str) -> None:
    binary = find(version)
    if not binary:
        pytest.skip(f"kubectl.{version} is not on this machine")
    kubectl = Kubectl(binary, pods)
    token = f"--token={account(pods, f'may-{verb}', verb)}"
    assert kubectl(token, "exec", "web", "--", "echo", "allowed") == "allowed\n"
    refused = kubectl.run(f"--token={account(pods, f'may-{other}', other)}", "exec", "web", "--", "echo", "allowed")
    assert (refused.code, refused.out) == (1, "")
    asked = "create"  # a WebSocket that is refused is tried again by SPDY
    assert f'cannot {asked} resource "pods/exec" in API group "" in the namespace "default"' in refused.err


def test_the_stop_of_the_engine_ends_streams_at_once_and_says_why(kubectl: Kubectl) -> None:
    with kubectl.running("exec", "web", "--", "sh", "-c", "echo running; exec sleep 1000") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        stopped = kubectl.engine.wherry("node", "stop")
        assert stopped.returncode == 0, stopped.stderr
        _, told = process.communicate(timeout=10)
        assert process.returncode == 1
        assert told == b"error: the server is stopping: connect again when it is back\n"
    assert kubectl.engine.wherry("node", "start").returncode == 0
    assert kubectl("exec", "web", "--", "echo", "back") == "back\n"
